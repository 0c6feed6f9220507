//! Whether it is ready, and how many sources are how good.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Gauge64;
use crate::sources::{SourceReport, SourceState};

/// Kinds of sources. Each has its three series from the beginning: an alert cannot see what is not there.
const KINDS: [&str; 3] = ["rules", "key_set", "secret"];
const STATES: [SourceState; 3] = [SourceState::Fresh, SourceState::Stale, SourceState::Missing];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    state: &'static str,
}

/// What a probe would hear.
#[derive(Default)]
pub struct ReadinessMetrics {
    ready: Gauge64,
    sources: Family<Labels, Gauge64>,
}

impl ReadinessMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("keyward_ready", "1 while /health/ready answers 200", metrics.ready.clone());
        let help = "Sources of rules, keys and secrets, by how good what they last gave is";
        registry.register("keyward_sources", help, metrics.sources.clone());
        metrics
    }

    /// Says how it is.
    pub fn show(&self, is_ready: bool, reports: &[SourceReport]) {
        self.ready.set(is_ready.into());
        for kind in KINDS {
            for state in STATES {
                let count = reports.iter().filter(|it| (it.kind, it.state) == (kind, state)).count();
                let labels = Labels { kind, state: state.as_str() };
                self.sources.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
}
