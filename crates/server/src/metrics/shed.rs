//! What was turned away, and why. Resolved once: this is counted when there is least time for it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::ReasonLabels;

/// Why something was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// A request: audit records cannot be written.
    RequestAudit,
    /// A request: too many in flight.
    RequestInFlight,
    /// A request: its core is behind.
    RequestQueue,
    /// A connection: too many.
    ConnectionOpen,
    /// A connection: its core is behind.
    ConnectionQueue,
}

impl Shed {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::RequestAudit, Self::RequestInFlight, Self::RequestQueue, Self::ConnectionOpen, Self::ConnectionQueue];

    /// Its label.
    fn reason(self) -> &'static str {
        match self {
            Shed::RequestAudit => "audit",
            Shed::RequestInFlight => "in_flight",
            Shed::ConnectionOpen => "open",
            Shed::RequestQueue | Shed::ConnectionQueue => "queue",
        }
    }

    fn is_connection(self) -> bool {
        matches!(self, Shed::ConnectionOpen | Shed::ConnectionQueue)
    }
}

/// Counts by reason.
pub struct ShedMetrics([Counter; Shed::ALL.len()]);

impl ShedMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (requests, connections) = (Family::default(), Family::default());
        registry.register("keyward_requests_shed", "Requests turned away, by reason", Family::clone(&requests));
        registry.register(
            "keyward_connections_shed",
            "Connections turned away, by reason",
            Family::clone(&connections),
        );
        Self(Shed::ALL.map(|shed| {
            let family: &Family<ReasonLabels, Counter> = if shed.is_connection() { &connections } else { &requests };
            family.get_or_create_owned(&ReasonLabels { reason: shed.reason() })
        }))
    }

    /// Counts one.
    pub fn count(&self, shed: Shed) {
        self.0[shed as usize].inc();
    }

    /// How many there were.
    pub fn so_far(&self, shed: Shed) -> u64 {
        self.0[shed as usize].get()
    }
}
