//! Key sets, one per location however many rules name it, kept fresh in the background.
//!
//! A set is fetched again after `jwks_ttl`; when that fails the last good one stays in force, up to a
//! hard ceiling. A token that no key fits causes at most one fetch per location in ten seconds, which
//! every waiting request shares.

mod location;
mod source;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use keyward_core::ports::{KeySource, KeySources};
use keyward_core::secret::shown_url;
use tokio::runtime::Handle;

use self::location::Location;
use self::source::Source;
use crate::config::settings::KeySetSettings;
use crate::http_client::HttpClient;
use crate::metrics::Metrics;

/// The most locations that are kept.
const MAX_LOCATIONS: usize = 1024;

/// All key sets in use.
pub struct KeySetRegistry {
    sources: Mutex<HashMap<String, Weak<Source>>>,
    fetching: Option<Fetching>,
}

/// What fetching needs.
#[derive(Clone)]
pub struct Fetching {
    /// Where fetches run.
    pub runtime: Handle,
    /// What fetches.
    pub client: Arc<HttpClient>,
    /// How often, and how long requests wait.
    pub settings: KeySetSettings,
    /// Where failures are counted.
    pub metrics: Arc<Metrics>,
}

impl KeySetRegistry {
    /// A registry that fetches.
    pub fn new(fetching: Fetching) -> Self {
        Self { sources: Mutex::default(), fetching: Some(fetching) }
    }

    /// A registry that only checks locations, for linting without a network.
    pub fn offline() -> Self {
        Self { sources: Mutex::default(), fetching: None }
    }

    /// Sets that have been asked for and not been had yet, as they may be shown.
    pub fn missing(&self) -> Vec<String> {
        self.live()
            .iter()
            .filter(|source| source.current().is_none())
            .map(|source| shown_url(source.location()).into_owned())
            .collect()
    }

    /// How many sets are in force.
    pub fn in_force(&self) -> usize {
        self.live().iter().filter(|source| source.current().is_some()).count()
    }

    /// Waits until every set was tried once, or the usual wait has passed.
    pub async fn first_fetches(&self) {
        for source in self.live() {
            source.first_attempt().await;
        }
    }

    fn live(&self) -> Vec<Arc<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect()
    }
}

impl KeySources for KeySetRegistry {
    fn open(&self, url: &str) -> Result<Arc<dyn KeySource>, String> {
        let location = Location::parse(url)?;
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(url).and_then(Weak::upgrade) {
            return Ok(source);
        }
        sources.retain(|_, source| source.strong_count() > 0);
        if sources.len() >= MAX_LOCATIONS {
            return Err(format!("more than {MAX_LOCATIONS} locations of key sets"));
        }
        let source = Source::open(url, location, self.fetching.as_ref());
        sources.insert(url.to_owned(), Arc::downgrade(&source));
        Ok(source)
    }
}

#[cfg(test)]
mod tests;
