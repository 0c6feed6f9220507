//! The values that rules are compiled with: those of all sources that may be used at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_core::credential::{Absent, NamedSecret};
use keyward_core::document::decode::nearest;
use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;

use super::environment::EnvironmentSecrets;
use super::store::Source;

/// What names stand for. Immutable.
#[derive(Debug, Default)]
pub struct View {
    found: BTreeMap<Arc<str>, Result<NamedSecret, Absent>>,
    /// Sources whose names are not known yet, and why.
    unread: Vec<Absent>,
}

impl View {
    /// What may be used now.
    pub(super) fn of(sources: &[Source], max_stale: Duration, now: Instant) -> Self {
        let mut view = Self::default();
        for source in sources {
            let before = view.found.len();
            for name in source.names() {
                let found = look(source, &name, max_stale, now);
                let found = match view.found.get(&name) {
                    None => found,
                    Some(_) => Err(Absent {
                        cause: format!("{} has it, and another source has it, too", source.shown()),
                        remedy: Some("give one of them another name".to_owned()),
                    }),
                };
                view.found.insert(name, found);
            }
            if let (true, Some(failure)) = (view.found.len() == before, &source.known.failure) {
                let cause = format!("no source has it, and {} could not be read: {failure}", source.shown());
                view.unread.push(Absent { cause, remedy: failure.remedy.clone() });
            }
        }
        view
    }

    /// Whether rules come out the same with the other.
    pub fn is_same(&self, other: &Self) -> bool {
        self.usable().eq(other.usable())
    }

    /// How many names have no value that may be used.
    pub fn missing(&self) -> usize {
        self.found.values().filter(|found| found.is_err()).count() + self.unread.len()
    }

    fn usable(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.found.iter().filter_map(|(name, found)| {
            let secret = found.as_ref().ok()?;
            Some((&**name, secret.value.expose(), &*secret.version))
        })
    }

    /// The value behind a name.
    pub fn find(&self, name: &str) -> Result<NamedSecret, Absent> {
        if let Some(found) = self.found.get(name) {
            return found.clone();
        }
        if let Some(unread) = self.unread.first() {
            return Err(unread.clone());
        }
        let near = nearest(name, self.found.keys().map(|known| &**known), |known| 1 + known.len() / 8);
        let remedy = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name it in `secrets.sources`, or write `env` for a variable `{name}`"),
        };
        Err(Absent { cause: "no source has it".to_owned(), remedy: Some(remedy) })
    }
}

fn look(source: &Source, name: &str, max_stale: Duration, now: Instant) -> Result<NamedSecret, Absent> {
    let problem = source.known.problem(name);
    let why = problem.map_or_else(|| "nothing was read of it yet".to_owned(), |problem| problem.cause.clone());
    let remedy = problem.and_then(|problem| problem.remedy.clone());
    let shown = source.shown();
    match source.known.values.get(name) {
        Some(held) if held.is_usable(max_stale, now) => {
            Ok(NamedSecret { value: held.secret.clone(), version: held.version.clone(), hosts: source.hosts(name) })
        }
        Some(_) => Err(Absent {
            cause: format!("{shown} has not confirmed it for longer than `secrets.max_stale`: {why}"),
            remedy,
        }),
        None => Err(Absent { cause: format!("{shown}: {why}"), remedy }),
    }
}

/// Where templates find `env` and `secret`, as rules of one snapshot see it.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// `env`
    pub environment: EnvironmentSecrets,
    /// `secret`
    pub view: Arc<View>,
}

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<Secret> {
        self.environment.env(name)
    }

    fn secret(&self, name: &str) -> Result<NamedSecret, Absent> {
        self.view.find(name)
    }
}
