//! What is counted of secrets. Labels are names of the configuration, or of files in directories that it names.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::Gauge64;
use crate::sources::SourceReport;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

/// Everything that is counted of secrets.
#[derive(Default)]
pub struct SecretMetrics {
    attempts: Family<AttemptLabels, Counter>,
    ages: Family<SourceLabels, Gauge64>,
    missing: Gauge64,
}

impl SecretMetrics {
    /// Registers every metric.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "keyward_secret_fetches",
            "Attempts at sources of secrets by outcome",
            metrics.attempts.clone(),
        );
        registry.register_with_unit(
            "keyward_secret_age",
            "Time since a source of secrets last gave everything that is wanted of it",
            Unit::Seconds,
            metrics.ages.clone(),
        );
        registry.register("keyward_secrets_missing", "Secrets that have no usable value", metrics.missing.clone());
        metrics
    }

    /// Counts an attempt at a source.
    pub fn attempted(&self, source: &str, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "failed" };
        self.attempts.get_or_create(&AttemptLabels { source: source.to_owned(), outcome }).inc();
    }

    /// Shows how the sources are doing now.
    pub fn show(&self, before: &[SourceReport], now: &[SourceReport], missing: usize) {
        let gone = before.iter().filter(|old| !now.iter().any(|new| new.name == old.name));
        gone.for_each(|old| {
            self.ages.remove(&SourceLabels { source: old.name.clone() });
            for outcome in ["ok", "failed"] {
                self.attempts.remove(&AttemptLabels { source: old.name.clone(), outcome });
            }
        });
        for report in now {
            if let Some(age) = report.age {
                let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
                self.ages.get_or_create(&SourceLabels { source: report.name.clone() }).set(seconds);
            }
        }
        self.missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
    }
}
