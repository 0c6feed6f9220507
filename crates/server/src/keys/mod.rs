//! Key sets, one per location however many rules name it, kept fresh in the background.
//!
//! A set is fetched again after `jwks_ttl`; when that fails the last good one stays in force, for
//! `jwks_max_stale` at most. A token that no key fits causes at most one fetch per location in ten seconds, which
//! every waiting request shares.

mod location;
mod source;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use keyward_core::jwt::{KeySet, SigningSet};
use keyward_core::ports::{KeySource, KeySources, SigningSource};
use keyward_core::secret::shown_url;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use self::location::Location;
use self::source::{Document, Source};
use crate::config::settings::handlers::KeySetSettings;
use crate::http_client::HttpClient;
use crate::metrics::Metrics;
use crate::sources::{SourceReport, SourceState};

/// The most locations that are kept.
const MAX_LOCATIONS: usize = 1024;

/// All key sets in use.
pub struct KeySetRegistry {
    checking: Mutex<Sources<KeySet>>,
    signing: Mutex<Sources<SigningSet>>,
    fetching: Option<Fetching>,
}

/// What fetches, how often, and how long requests wait.
pub struct Terms {
    /// What fetches.
    pub client: HttpClient,
    /// Times.
    pub settings: KeySetSettings,
}

/// Sources by URL.
type Sources<D> = HashMap<String, Weak<Source<D>>>;

/// What fetching needs.
#[derive(Clone)]
pub struct Fetching {
    /// Where fetches run.
    pub runtime: Handle,
    /// What fetches, how often, and how long requests wait.
    pub terms: Arc<ArcSwap<Terms>>,
    /// Called when these change, so that pauses do not last as long as they would have.
    pub changed: Arc<Notify>,
    /// Where failures are counted.
    pub metrics: Arc<Metrics>,
}

impl KeySetRegistry {
    /// A registry that fetches.
    pub fn new(fetching: Fetching) -> Self {
        Self { checking: Mutex::default(), signing: Mutex::default(), fetching: Some(fetching) }
    }

    /// A registry that only checks locations, for linting without a network.
    pub fn offline() -> Self {
        Self { checking: Mutex::default(), signing: Mutex::default(), fetching: None }
    }

    /// From now on fetches are made so. Sets that are in force stay.
    pub fn adopt(&self, terms: Terms) {
        if let Some(fetching) = &self.fetching {
            fetching.terms.store(Arc::new(terms));
            fetching.changed.notify_waiters();
        }
    }

    /// How every set in use is doing, by location. `idle_signing` is the location of keys that nothing is signed with:
    /// they are left out while they are not there, since nobody misses them.
    pub fn reports(&self, idle_signing: Option<&str>) -> Vec<SourceReport> {
        let signing = live(&self.signing).into_iter().filter_map(|source| {
            let report = source.report();
            let is_missed = report.state != SourceState::Missing || Some(source.url()) != idle_signing;
            is_missed.then_some(report)
        });
        let mut reports: Vec<_> = live(&self.checking).iter().map(|source| source.report()).chain(signing).collect();
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        reports
    }

    /// Failed fetches of every set in use, each with its location as it may be shown.
    pub fn failures(&self) -> Vec<(String, u64)> {
        let checking = live(&self.checking).into_iter().map(|source| failures(&source));
        checking.chain(live(&self.signing).into_iter().map(|source| failures(&source))).collect()
    }

    /// Sets in files that cannot be found, each with its location and what is wrong.
    pub fn absent_files(&self) -> Vec<(String, String)> {
        let mut absent: Vec<_> = absent(&self.checking).chain(absent(&self.signing)).collect();
        absent.sort();
        absent.dedup();
        absent
    }

    /// How many sets are in force.
    pub fn in_force(&self) -> usize {
        in_force(&self.checking) + in_force(&self.signing)
    }

    /// Waits until every set was tried once, or the usual wait has passed.
    pub async fn first_fetches(&self) {
        for source in live(&self.checking) {
            source.first_attempt().await;
        }
        for source in live(&self.signing) {
            source.first_attempt().await;
        }
    }

    fn opened<D: Document>(&self, sources: &Mutex<Sources<D>>, url: &str) -> Result<Arc<Source<D>>, String> {
        let location = Location::parse(url)?;
        let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
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

fn live<D: Document>(sources: &Mutex<Sources<D>>) -> Vec<Arc<Source<D>>> {
    sources.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect()
}

fn failures<D: Document>(source: &Source<D>) -> (String, u64) {
    (shown_url(source.url()).into_owned(), source.failures())
}

/// The file at a location, when it is one.
pub(crate) fn local_path(url: &str) -> Option<PathBuf> {
    match Location::parse(url) {
        Ok(Location::File(path)) => Some(path),
        _ => None,
    }
}

fn absent<D: Document>(sources: &Mutex<Sources<D>>) -> impl Iterator<Item = (String, String)> {
    live(sources).into_iter().filter_map(|source| Some((source.url().to_owned(), Location::absent(source.url())?)))
}

fn in_force<D: Document>(sources: &Mutex<Sources<D>>) -> usize {
    live(sources).iter().filter(|source| source.set().is_some()).count()
}

impl KeySources for KeySetRegistry {
    fn open(&self, url: &str) -> Result<Arc<dyn KeySource>, String> {
        Ok(self.opened(&self.checking, url)?)
    }

    fn open_signing(&self, url: &str) -> Result<Arc<dyn SigningSource>, String> {
        Ok(self.opened(&self.signing, url)?)
    }
}

#[cfg(test)]
mod tests;
