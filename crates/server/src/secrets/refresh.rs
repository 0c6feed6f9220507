//! Asks the sources that are asked over the network again and again.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::attempt::attempt;
use super::kinds::Place;
use super::store::{SecretStore, Source};
use crate::backoff::Backoff;
use crate::config::settings::secrets::SourceSettings;
use crate::jitter::jittered;
use crate::metrics::Metrics;
use crate::serving::Live;

/// After a failure; doubled after each further one, up to the usual interval.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What asking needs.
#[derive(Clone)]
pub struct Refresher {
    /// The values in force.
    pub store: Arc<SecretStore>,
    /// Where the way out is.
    pub live: Arc<ArcSwap<Live>>,
    /// Where outcomes are counted.
    pub metrics: Arc<Metrics>,
    /// Told after every attempt.
    pub attempted: mpsc::Sender<()>,
}

/// Asking that goes on until it is dropped.
#[derive(Default)]
pub struct Refreshing {
    terms: (Vec<Arc<SourceSettings>>, Duration),
    _tasks: JoinSet<()>,
}

impl Refresher {
    /// Goes on as before when nothing has changed, or begins anew.
    pub fn follow(&self, interval: Duration, before: Refreshing) -> Refreshing {
        let sources = self.store.sources();
        let settings: Vec<_> = sources.all.iter().map(|source| source.settings.clone()).collect();
        let (known, known_interval) = &before.terms;
        let is_same = known.len() == settings.len() && known.iter().zip(&settings).all(|(a, b)| Arc::ptr_eq(a, b));
        if is_same && *known_interval == interval {
            return before;
        }
        let mut tasks = JoinSet::new();
        for source in &sources.all {
            if let Place::Asked { .. } = source.settings.place {
                tasks.spawn_local(self.clone().ask_for_ever(source.clone(), interval));
            }
        }
        Refreshing { terms: (settings, interval), _tasks: tasks }
    }

    async fn ask_for_ever(self, source: Source, interval: Duration) {
        let mut backoff = Backoff::new(FIRST_WAIT, interval);
        let mut is_sound = source.known.is_sound();
        loop {
            let pause = match is_sound {
                true => {
                    backoff.succeeded();
                    jittered(interval)
                }
                false => backoff.failed(None),
            };
            tokio::time::sleep(pause).await;
            let client = self.live.load().serving.outbound.http_client();
            let outcome = attempt(&source.settings, &client).await;
            let Some(now) = self.store.take(&source.settings, outcome) else { return };
            tell(&now, &self.metrics);
            is_sound = now.known.is_sound();
            // A full queue means that a look at the values is due already.
            let _ = self.attempted.try_send(());
        }
    }
}

/// Counts the outcome of an attempt, and says in the log what is wrong.
pub fn tell(source: &Source, metrics: &Metrics) {
    let shown = source.shown();
    metrics.secrets.attempted(&shown, source.known.is_sound());
    if let Some((cause, remedy)) = source.problem() {
        tracing::warn!(
            source = shown,
            cause,
            hint = remedy,
            "secrets could not be read; what was read before counts until it is older than `secrets.max_stale`"
        );
    }
}
