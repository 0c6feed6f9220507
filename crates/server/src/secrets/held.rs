//! What is known of one source: values, when each was last confirmed, and what went wrong since.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_core::secret::Secret;

use super::backend::{Failure, Fetched};

/// One value.
#[derive(Clone, Debug)]
pub struct Held {
    /// The value; never empty.
    pub secret: Secret,
    /// The place's name for its version.
    pub version: Arc<str>,
    /// When the source last said so. Not by the clock, which may be set back.
    pub confirmed: Instant,
}

/// What is known of a source. Replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Values by name.
    pub values: BTreeMap<Arc<str>, Held>,
    /// Why the last attempt gave no value, by name.
    pub problems: BTreeMap<Arc<str>, Failure>,
    /// Why the last attempt gave nothing at all.
    pub failure: Option<Failure>,
    /// When an attempt last gave everything that is wanted.
    pub complete: Option<Instant>,
}

/// What an attempt at a source came to: everything that there is in it, by name.
pub type Outcome = Result<Vec<(String, Fetched)>, Failure>;

impl Known {
    /// What is known after an attempt. A value that cannot be had stays as it was; one that is no longer there at
    /// all goes.
    #[must_use]
    pub fn after(&self, outcome: Outcome, now: Instant) -> Self {
        let fetched = match outcome {
            Ok(fetched) => fetched,
            Err(failure) => return Self { failure: Some(failure), ..self.clone() },
        };
        let mut next = Self { complete: self.complete, ..Self::default() };
        for (name, fetched) in fetched {
            let name: Arc<str> = name.into();
            let problem = match fetched {
                Ok(value) if !value.secret.expose().is_empty() => {
                    let held = Held { secret: value.secret, version: value.version.into(), confirmed: now };
                    next.values.insert(name, held);
                    continue;
                }
                Ok(_) => {
                    Failure::new("the value is empty").remedy("write the value; an empty credential is never sent")
                }
                Err(failure) => failure,
            };
            if let Some(held) = self.values.get(&name) {
                next.values.insert(name.clone(), held.clone());
            }
            next.problems.insert(name, problem);
        }
        if next.problems.is_empty() {
            next.complete = Some(now);
        }
        next
    }

    /// Whether the last attempt gave everything.
    pub fn is_sound(&self) -> bool {
        self.failure.is_none() && self.problems.is_empty() && self.complete.is_some()
    }

    /// Whether there is nothing to be told of the other but when it was confirmed.
    pub fn is_alike(&self, other: &Self) -> bool {
        let values = |known: &Self| -> Vec<_> {
            let all = known.values.iter();
            all.map(|(name, held)| (name.clone(), held.version.clone(), held.secret.clone())).collect()
        };
        self.problems == other.problems && self.failure == other.failure && values(self) == values(other)
    }

    /// Why the last attempt at a value failed.
    pub fn problem(&self, name: &str) -> Option<&Failure> {
        self.failure.as_ref().or_else(|| self.problems.get(name))
    }
}

impl Held {
    /// Whether it may still be used.
    pub fn is_usable(&self, max_stale: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.confirmed) <= max_stale
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::secrets::backend::Value;

    fn value(text: &str) -> Fetched {
        Ok(Value { secret: Secret::new(text), version: format!("v-{}", text.len()) })
    }

    #[test]
    fn what_cannot_be_had_stays_as_it_was_until_it_is_too_old() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let first = Known::default().after(Ok(vec![("a".into(), value("1")), ("b".into(), value("22"))]), at(0));
        assert!(first.is_sound());
        let down = || Failure::new("down");
        let rows: [(&str, Outcome, &[&str], bool); 5] = [
            ("everything fails", Err(down()), &["a", "b"], false),
            ("one fails", Ok(vec![("a".into(), value("333")), ("b".into(), Err(down()))]), &["a", "b"], false),
            ("one is being written", Ok(vec![("a".into(), value("")), ("b".into(), value("22"))]), &["a", "b"], false),
            ("one is gone", Ok(vec![("b".into(), value("22"))]), &["b"], true),
            ("both are new", Ok(vec![("a".into(), value("x")), ("b".into(), value("y"))]), &["a", "b"], true),
        ];
        for (what, outcome, names, sound) in rows {
            let after = first.after(outcome, at(10));
            assert_eq!(after.values.keys().map(|name| &**name).collect::<Vec<_>>(), names, "{what}");
            assert_eq!(after.is_sound(), sound, "{what}");
            assert_eq!(after.complete, Some(at(if sound { 10 } else { 0 })), "{what}");
        }
        let half = first.after(Ok(vec![("a".into(), value("333")), ("b".into(), Err(down()))]), at(10));
        let usable = |name: &str, seconds| half.values[name].is_usable(Duration::from_secs(60), at(seconds));
        assert_eq!((usable("a", 70), usable("a", 71), usable("b", 60), usable("b", 61)), (true, false, true, false));
        assert_eq!(half.values["a"].secret.expose(), "333");
        // It heals.
        assert!(half.after(Ok(vec![("b".into(), value("2"))]), at(80)).is_sound());
    }

    #[test]
    fn what_is_shown_of_it_holds_no_value() {
        let known = Known::default().after(Ok(vec![("a".into(), value("s3cr3t"))]), Instant::now());
        assert!(!format!("{known:?}").contains("s3cr3t"));
    }
}
