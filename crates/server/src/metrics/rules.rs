//! Requests by rule. Ids are of the configuration, and another one may hold others: those that are no longer in force go.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    rule: String,
    outcome: &'static str,
}

/// Counts by rule and outcome.
#[derive(Default)]
pub struct RuleMetrics {
    requests: Family<Labels, Counter>,
    /// What the family holds, which does not say so itself.
    known: Mutex<HashSet<Labels>>,
}

impl RuleMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("keyward_rule_requests", "Requests by rule and outcome", metrics.requests.clone());
        metrics
    }

    /// The counter of a rule and an outcome.
    pub(super) fn counter(&self, rule: &str, outcome: &'static str) -> Counter {
        let labels = Labels { rule: rule.to_owned(), outcome };
        let counter = self.requests.get_or_create_owned(&labels);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(labels);
        counter
    }

    /// Forgets every other rule. What began under one and ends later brings it back until the next call.
    pub fn keep(&self, ids: &HashSet<&str>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|labels| {
            let is_kept = ids.contains(&*labels.rule);
            if !is_kept {
                self.requests.remove(labels);
            }
            is_kept
        });
    }
}
