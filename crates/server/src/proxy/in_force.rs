//! What one core serves under. Requests share it without touching a counter that other cores touch.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::echo::KnownValues;
use crate::serving::Live;
use crate::upstream::forward::Forwarder;

/// What is in force, and this core's way out under it.
pub struct InForce {
    /// Rules and settings.
    pub live: Arc<Live>,
    /// The way out.
    pub forwarder: Rc<Forwarder>,
    /// What to look for in answers.
    pub echoes: KnownValues,
}

/// Follows what is in force.
pub(super) struct Follower {
    latest: RefCell<Cache<Arc<ArcSwap<Live>>, Arc<Live>>>,
    current: RefCell<Rc<InForce>>,
}

impl Follower {
    /// Begins with what is in force now.
    pub(super) fn new(live: Arc<ArcSwap<Live>>) -> Self {
        let mut latest = Cache::new(live);
        let live = latest.load().clone();
        let forwarder = Rc::new(live.serving.outbound.forwarder());
        let current = Rc::new(InForce { live, forwarder, echoes: KnownValues::default() });
        Self { latest: RefCell::new(latest), current: RefCell::new(current) }
    }

    /// What is in force now. `changed` hears of what was not so when last asked.
    pub(super) fn current(&self, changed: impl FnOnce(&Live)) -> Rc<InForce> {
        let mut latest = self.latest.borrow_mut();
        let live = latest.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(live, &current.live) {
            changed(live);
            // Connections to upstreams outlive a change of rules.
            let outbound = &live.serving.outbound;
            let forwarder = if Arc::ptr_eq(outbound, &current.live.serving.outbound) {
                current.forwarder.clone()
            } else {
                Rc::new(outbound.forwarder())
            };
            *current = Rc::new(InForce { live: live.clone(), forwarder, echoes: KnownValues::default() });
        }
        current.clone()
    }
}
