//! What became of traces.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::ReasonLabels;

/// Why spans were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Too many waited.
    Queue,
    /// The collector could not be reached, or took none of them.
    Collector,
    /// The collector took others of the same export.
    Rejected,
}

impl Dropped {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 3] = [Self::Queue, Self::Collector, Self::Rejected];

    fn reason(self) -> &'static str {
        match self {
            Dropped::Queue => "queue",
            Dropped::Collector => "collector",
            Dropped::Rejected => "rejected",
        }
    }
}

/// Counts of spans.
#[derive(Clone)]
pub struct TraceMetrics {
    exported: Counter,
    dropped: [Counter; Dropped::ALL.len()],
}

impl TraceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (exported, dropped) = (Counter::default(), Family::<ReasonLabels, Counter>::default());
        registry.register("keyward_trace_spans_exported", "Spans that the collector took", exported.clone());
        registry.register("keyward_trace_spans_dropped", "Spans that were not exported, by reason", dropped.clone());
        let dropped = Dropped::ALL.map(|why| dropped.get_or_create_owned(&ReasonLabels { reason: why.reason() }));
        Self { exported, dropped }
    }

    /// Counts spans that the collector took.
    pub fn exported(&self, spans: u64) {
        self.exported.inc_by(spans);
    }

    /// Counts spans that were dropped.
    pub fn dropped(&self, why: Dropped, spans: u64) {
        self.dropped[why as usize].inc_by(spans);
    }
}
