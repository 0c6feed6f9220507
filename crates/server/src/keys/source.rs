//! One key set, of keys that check signatures or keys that sign: what is in force, and the background task
//! that renews it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use keyward_core::jwt::{KeySet, SigningSet};
use keyward_core::ports::{KeySource, LocalFuture, SigningSource};
use keyward_core::secret::shown_url;
use tokio::sync::{Notify, watch};

use super::location::Location;
use super::{Fetching, Terms};
use crate::backoff::Backoff;
use crate::sources::{SourceReport, SourceState};

/// Between two fetches because of tokens that no key fits.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// Between two attempts while there is no set, or fetching fails.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What to do about a set that cannot be had or used.
const REMEDY: &str = "check the URL, that this machine reaches it, and that a JSON Web Key Set is there";

/// What a document at a location is read as.
pub(super) trait Document: Send + Sync + Sized + 'static {
    fn parse(document: &[u8]) -> Result<Self, String>;

    /// Changes when the keys change.
    fn revision(&self) -> u64;

    /// What is in it and what was left out, for the log.
    fn summary(&self) -> String;

    /// Why nothing can be done with it, if nothing can.
    fn shortcoming(&self) -> Option<String>;
}

impl Document for KeySet {
    fn parse(document: &[u8]) -> Result<Self, String> {
        KeySet::parse(document).map_err(|error| error.to_string())
    }

    fn revision(&self) -> u64 {
        self.revision()
    }

    fn summary(&self) -> String {
        format!("{} keys, skipped: {:?}", self.len(), self.skipped())
    }

    fn shortcoming(&self) -> Option<String> {
        self.is_empty().then(|| "no key in it can check signatures: every token is refused".to_owned())
    }
}

impl Document for SigningSet {
    fn parse(document: &[u8]) -> Result<Self, String> {
        SigningSet::parse(document).map_err(|error| error.to_string())
    }

    fn revision(&self) -> u64 {
        self.revision()
    }

    fn summary(&self) -> String {
        let published = self.published().len();
        match self.signer() {
            Ok(signer) => format!("key `{}` signs, {published} are published", signer.key_id()),
            Err(problem) => format!("no key can sign: {problem}; {published} are published"),
        }
    }

    fn shortcoming(&self) -> Option<String> {
        self.signer().err().map(|problem| format!("no key can sign: {problem}"))
    }
}

/// A key set that renews itself as long as somebody holds it.
pub(super) struct Source<D> {
    url: String,
    set: ArcSwapOption<Held<D>>,
    wanted: Arc<Notify>,
    attempts: watch::Sender<Attempts>,
    /// Why the last attempt failed, if it did.
    problem: ArcSwapOption<String>,
    failures: AtomicU64,
    /// What fetches; nothing does when it is absent.
    terms: Option<Arc<ArcSwap<Terms>>>,
}

struct Held<D> {
    set: Arc<D>,
    since: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    begun: u64,
    ended: u64,
    last_begun: Option<Instant>,
}

impl Attempts {
    /// Asking for an attempt begins it, so that all who ask meanwhile share it.
    fn begin(&mut self) {
        self.begun = self.ended + 1;
        self.last_begun = Some(Instant::now());
    }
}

impl<D: Document> Source<D> {
    pub(super) fn open(url: &str, location: Location, fetching: Option<&Fetching>) -> Arc<Self> {
        let source = Arc::new(Self {
            url: url.to_owned(),
            set: ArcSwapOption::empty(),
            wanted: Arc::new(Notify::new()),
            attempts: watch::Sender::new(Attempts::default()),
            problem: ArcSwapOption::empty(),
            failures: AtomicU64::new(0),
            terms: fetching.map(|fetching| fetching.terms.clone()),
        });
        if let Some(fetching) = fetching {
            let renewal = Renewal {
                source: Arc::downgrade(&source),
                wanted: source.wanted.clone(),
                location,
                fetching: fetching.clone(),
            };
            fetching.runtime.spawn(renewal.run());
        }
        source
    }

    /// The URL as configured.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The set in force.
    pub(super) fn set(&self) -> Option<Arc<D>> {
        self.look(Arc::clone)
    }

    /// A look at the set in force.
    fn look<T>(&self, at: impl FnOnce(&Arc<D>) -> T) -> Option<T> {
        let held = self.set.load();
        held.as_ref().filter(|held| held.since.elapsed() < self.ceiling()).map(|held| at(&held.set))
    }

    /// How old a set may become. It is asked for anew each time: who raises it during an outage means the set in force.
    fn ceiling(&self) -> Duration {
        self.terms.as_ref().map_or(Duration::ZERO, |terms| terms.load().settings.ceiling())
    }

    fn max_wait(&self) -> Duration {
        self.terms.as_ref().map_or(Duration::ZERO, |terms| terms.load().settings.max_wait)
    }

    /// Waits for the first attempt to end, successful or not.
    pub(super) async fn first_attempt(&self) {
        let mut attempts = self.attempts.subscribe();
        // Either outcome means that waiting longer is of no use.
        let _ = tokio::time::timeout(self.max_wait(), attempts.wait_for(|attempts| attempts.ended > 0)).await;
    }

    /// How many attempts have failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How it is doing.
    pub(super) fn report(&self) -> SourceReport {
        let failure = self.problem.load().as_deref().cloned();
        let held = self.set.load_full();
        let (age, shortcoming, state) = match held.filter(|held| held.since.elapsed() < self.ceiling()) {
            Some(held) => {
                let state = if failure.is_some() { SourceState::Stale } else { SourceState::Fresh };
                (Some(held.since.elapsed()), held.set.shortcoming(), state)
            }
            None => (None, None, SourceState::Missing),
        };
        let name = shown_url(&self.url).into_owned();
        let problem = failure.or(shortcoming);
        let remedy = problem.is_some().then(|| REMEDY.to_owned());
        SourceReport { kind: "key_set", name, state, age, problem, remedy }
    }

    async fn refreshed(&self) {
        if self.terms.is_none() {
            return;
        }
        let mut attempts = self.attempts.subscribe();
        let now = *attempts.borrow_and_update();
        // The very first attempt is under way from the beginning.
        let is_under_way = now.begun > now.ended || now.begun == 0;
        let least = if self.set().is_some() { REFRESH_INTERVAL } else { FIRST_RETRY };
        let may_begin = now.last_begun.is_none_or(|last| last.elapsed() >= least);
        if !is_under_way {
            if !may_begin {
                return;
            }
            self.attempts.send_modify(Attempts::begin);
            self.wanted.notify_one();
        }
        let target = now.ended + 1;
        // When the time is up the token is judged by the keys that are there.
        let _ = tokio::time::timeout(self.max_wait(), attempts.wait_for(|attempts| attempts.ended >= target)).await;
    }
}

impl SigningSource for Source<SigningSet> {
    fn current(&self) -> Option<Arc<SigningSet>> {
        self.set()
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(self.refreshed())
    }
}

impl KeySource for Source<KeySet> {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.set()
    }

    fn publishes(&self, revision: u64, fingerprint: u64) -> bool {
        self.look(|set| set.publishes(revision, fingerprint)).unwrap_or(false)
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(self.refreshed())
    }

    fn location(&self) -> &str {
        &self.url
    }
}

/// The background task of one source. Holds it weakly, and ends when no rule uses it any more.
struct Renewal<D> {
    source: Weak<Source<D>>,
    wanted: Arc<Notify>,
    location: Location,
    fetching: Fetching,
}

impl<D: Document> Renewal<D> {
    async fn run(self) {
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        loop {
            let Some(succeeded) = self.attempt().await else { return };
            let retry = match succeeded {
                true => {
                    backoff.succeeded();
                    None
                }
                false => Some(backoff.failed(None)),
            };
            self.pause(retry).await;
        }
    }

    /// Until a set is old, or after a failure until it is time to try again. A request that finds no key
    /// ends the pause early, and so may other settings.
    async fn pause(&self, retry: Option<Duration>) {
        let begun = tokio::time::Instant::now();
        loop {
            let changed = self.fetching.changed.notified();
            tokio::pin!(changed);
            // A change from now on is not missed.
            changed.as_mut().enable();
            let refresh = self.fetching.terms.load().settings.refresh;
            let end = begun + retry.map_or(refresh, |retry| retry.min(refresh));
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                () = self.wanted.notified() => return,
                () = changed => {}
            }
        }
    }

    /// `None` when the source is gone.
    async fn attempt(&self) -> Option<bool> {
        self.source.upgrade()?.attempts.send_modify(Attempts::begin);
        let terms = self.fetching.terms.load_full();
        let fetched = self.location.fetch(&terms.client).await;
        let fetched = fetched.and_then(|document| D::parse(&document));
        let source = self.source.upgrade()?;
        let succeeded = match fetched {
            Ok(set) => {
                install(&source, set);
                source.problem.store(None);
                true
            }
            Err(cause) => {
                self.fetching.metrics.key_set_failures.inc();
                source.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(location = %shown_url(&source.url), cause, "a key set could not be fetched");
                source.problem.store(Some(Arc::new(cause)));
                false
            }
        };
        source.attempts.send_modify(|attempts| attempts.ended += 1);
        Some(succeeded)
    }
}

fn install<D: Document>(source: &Source<D>, set: D) {
    let before = source.set.load();
    let is_new = before.as_ref().is_none_or(|held| held.set.revision() != set.revision());
    if is_new {
        let location = shown_url(&source.url);
        tracing::info!(%location, summary = set.summary(), "a key set is in force");
        if let Some(shortcoming) = set.shortcoming() {
            tracing::warn!(%location, shortcoming, "nothing can be done with a key set");
        }
    }
    // An unchanged set keeps its identity, so that caches stay valid.
    let set = match before.as_ref() {
        Some(held) if !is_new => held.set.clone(),
        _ => Arc::new(set),
    };
    source.set.store(Some(Arc::new(Held { set, since: Instant::now() })));
}
