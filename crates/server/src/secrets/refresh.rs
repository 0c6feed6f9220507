//! Asks the sources that are asked over the network again and again.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::attempt::attempt;
use super::kinds::Place;
use super::store::{SecretStore, Source};
use crate::config::settings::secrets::SourceSettings;
use crate::jitter::jittered;
use crate::metrics::Metrics;
use crate::serving::Live;

/// Before the second attempt, after a failure; doubled before each further one, up to the usual interval.
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
        let mut failed = u32::from(!source.known.is_sound());
        loop {
            tokio::time::sleep(jittered(wait(failed, interval))).await;
            let client = self.live.load().serving.outbound.http_client();
            let outcome = attempt(&source.settings, &client).await;
            let Some(now) = self.store.take(&source.settings, outcome) else { return };
            tell(&now, &self.metrics);
            failed = if now.known.is_sound() { 0 } else { failed.saturating_add(1) };
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

fn wait(failed: u32, interval: Duration) -> Duration {
    match failed.checked_sub(1) {
        None => interval,
        Some(before) => FIRST_WAIT.saturating_mul(2_u32.saturating_pow(before)).min(interval),
    }
}

#[cfg(test)]
mod tests {
    use super::wait;
    use std::time::Duration;

    #[test]
    fn failures_are_followed_by_longer_waits_up_to_the_usual_one() {
        let rows = [(0, 60), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)];
        for (failed, seconds) in rows {
            assert_eq!(wait(failed, Duration::from_secs(60)), Duration::from_secs(seconds), "{failed}");
        }
    }
}
