//! Replaces the values of secrets wherever they turn up in what this process tells: the log, the API, metrics, audit
//! records, the output of commands. What is hidden by its place (headers, queries) is hidden where it is shown; this
//! finds what is written where nobody expects it.
//!
//! There is one set of values in a process, as there is one log: what one part holds, no other may tell.

mod forms;
mod json;
mod percent;
mod places;
mod search;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use keyward_core::secret::Secret;

pub(crate) use self::places::{Decoded, joined};
use self::search::Searcher;

/// What stands for a value.
const REDACTED: &str = "[redacted]";

/// Shorter values are not looked for. They are part of ordinary text by chance: the log would become unreadable, and
/// its gaps would tell where they stand, and so what they are.
const MIN_BYTES: usize = 6;

/// How many replaced values are remembered for each that there is. What is in flight during a rotation carries the one
/// before, and its record is written when it ends.
const REPLACED: usize = 3;

/// Places whose values are remembered. Far more than are ever written.
const MAX_PLACES: usize = 16_384;

/// The values that are known.
#[derive(Default)]
pub struct KnownValues {
    places: Mutex<HashMap<Box<str>, Values>>,
    /// They have changed since the searcher was made.
    changed: AtomicBool,
    /// There are more places than are remembered, which was said.
    overfull: AtomicBool,
    /// Nothing when no value is long enough.
    searcher: ArcSwapOption<Searcher>,
}

/// The values of one place.
#[derive(Default)]
struct Values {
    current: Vec<Secret>,
    /// The newest last.
    replaced: Vec<Secret>,
}

impl Values {
    /// Whether that changed anything.
    fn replace(&mut self, current: Vec<Secret>) -> bool {
        if current == self.current {
            return false;
        }
        let before = std::mem::replace(&mut self.current, current);
        let [now, last] =
            [&self.current, &before].map(|values| values.iter().map(Secret::expose).collect::<HashSet<_>>());
        self.replaced.retain(|value| !now.contains(value.expose()) && !last.contains(value.expose()));
        self.replaced.extend(before.iter().filter(|value| !now.contains(value.expose())).cloned());
        let surplus = self.replaced.len().saturating_sub(REPLACED * self.current.len().max(1));
        self.replaced.drain(..surplus);
        true
    }
}

/// The values that this process knows.
pub fn known() -> &'static KnownValues {
    static KNOWN: std::sync::LazyLock<KnownValues> = std::sync::LazyLock::new(KnownValues::default);
    &KNOWN
}

impl KnownValues {
    /// From now on a place has these values. Those that it had before stay known until others take their turn.
    pub fn learn<'s>(&self, place: &str, values: impl IntoIterator<Item = &'s Secret>) {
        let long = values.into_iter().filter(|value| value.expose().len() >= MIN_BYTES);
        let current: Vec<Secret> = long.cloned().collect();
        // Nobody panics while holding this lock. Nothing is logged under it either: the log asks for it.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_PLACES && !places.contains_key(place) {
            drop(places);
            if !self.overfull.swap(true, Ordering::Relaxed) {
                tracing::error!(limit = MAX_PLACES, "more secrets than are looked for: what is shown may hold one");
            }
            return;
        }
        if places.entry(place.into()).or_default().replace(current) {
            self.changed.store(true, Ordering::Release);
        }
    }

    /// A text without the values, and without their encoded forms.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.searcher() {
            Some(searcher) => match searcher.replaced(text.as_bytes()) {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
                None => text.into(),
            },
            None => text.into(),
        }
    }

    /// The same of bytes that may be anything.
    pub fn bytes<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let replaced = self.searcher().and_then(|searcher| searcher.replaced(text));
        replaced.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// The same of JSON documents one after the other, which stay JSON. Names count; numbers do not.
    pub fn json<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        self.searcher().map_or(Cow::Borrowed(text), |searcher| json::replaced(text, &searcher))
    }

    /// Made anew only when values have changed, by who tells something first. Others wait: the one before lacks a value.
    fn searcher(&self) -> Option<Arc<Searcher>> {
        if self.changed.load(Ordering::Acquire) {
            let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            if self.changed.load(Ordering::Acquire) {
                let values = places.values().flat_map(|values| values.current.iter().chain(&values.replaced));
                self.searcher.store(Searcher::new(values).map(Arc::new));
                self.changed.store(false, Ordering::Release);
            }
        }
        self.searcher.load_full()
    }
}

#[cfg(test)]
mod tests;
