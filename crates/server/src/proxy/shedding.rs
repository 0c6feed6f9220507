//! Which requests are turned away before anything is done for them, and how operators hear of it.

use std::sync::Arc;
use std::time::Duration;

use super::completion::{Completion, Sinks};
use crate::metrics::Metrics;
use crate::metrics::shed::Shed;

/// Between two looks whether anything was turned away.
const LOOK: Duration = Duration::from_secs(1);
/// Between two times of saying so.
const PAUSE: Duration = Duration::from_secs(10);

impl Sinks {
    /// Whether a request that has just begun is turned away; counts it if so.
    pub fn sheds(&self, record: &Completion) -> bool {
        let serving = &record.live().serving;
        let shed = if !self.audit.admits() {
            Shed::RequestAudit
        } else if record.in_flight() > serving.max_requests {
            Shed::RequestInFlight
        } else if self.load.sheds_request() {
            Shed::RequestQueue
        } else {
            return false;
        };
        self.metrics.shared().shed.count(shed);
        true
    }
}

/// Says in the log what was turned away, and what to do about it; as seldom as an operator can read it.
pub async fn warn(metrics: Arc<Metrics>) {
    let mut told = [0; Shed::ALL.len()];
    loop {
        let mut pause = LOOK;
        for (shed, told) in Shed::ALL.into_iter().zip(&mut told) {
            let count = metrics.shed.so_far(shed);
            let more = count - std::mem::replace(told, count);
            if more > 0 {
                let (what, limit, hint) = explanation(shed);
                tracing::warn!(count = more, limit, hint, "{what}");
                pause = PAUSE;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// What happened, the setting that decided it, and what can be done.
fn explanation(shed: Shed) -> (&'static str, &'static str, &'static str) {
    match shed {
        Shed::RequestAudit => (
            "requests were refused, since audit records cannot be written",
            "audit.policy",
            "make room where `audit.sink` writes; `audit.policy: drop` serves without records",
        ),
        Shed::RequestInFlight => (
            "requests were refused, since too many were in flight",
            "serve.proxy.limits.requests",
            "see whether an upstream has become slow; otherwise raise the limit if memory allows, or add instances",
        ),
        Shed::RequestQueue => (
            "requests were refused, since a core cannot keep up",
            "serve.proxy.limits.queue_time",
            "add instances or cores, or see what else uses the processor",
        ),
        Shed::ConnectionOpen => (
            "connections were refused, since too many were open",
            "serve.proxy.limits.connections",
            "raise the limit if memory and file descriptors allow, lower `serve.proxy.timeout.idle`, or add instances",
        ),
        Shed::ConnectionQueue => (
            "connections were refused, since a core cannot keep up",
            "serve.proxy.limits.queue_time",
            "add instances or cores, or see what else uses the processor",
        ),
    }
}
