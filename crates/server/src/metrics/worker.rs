//! One core's resolved counters: a label set costs its look-up in the families once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::{Handles, Metrics, PathLabels, method_label};

/// A request that has ended, as metrics see it.
#[derive(Clone, Copy)]
pub struct Finished<'a> {
    /// What it was served under.
    pub generation: u64,
    /// How paths become labels there.
    pub labels: PathLabels,
    /// The number and id of the rule that matched.
    pub rule: Option<(u32, &'a str)>,
    /// The request method.
    pub method: &'a Method,
    /// The canonical path, without query.
    pub path: &'a str,
    /// The status the caller got.
    pub status: u16,
    /// allowed, denied or error.
    pub outcome: &'static str,
    /// From arrival to the last byte.
    pub took: Duration,
    /// Until the head of the upstream's answer.
    pub upstream: Option<Duration>,
}

/// What decides the labels of a proxied request.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: Option<u32>,
    method: &'static str,
    status: u16,
    outcome: &'static str,
    shown: Box<str>,
}

/// One core's resolved counters.
pub struct WorkerMetrics {
    shared: Arc<Metrics>,
    generation: Cell<u64>,
    known: RefCell<HashMap<Key, Rc<Handles>, foldhash::fast::RandomState>>,
    latest: RefCell<Option<(Key, Rc<Handles>)>>,
}

/// What the reference calls the proxy in the `service` label.
const SERVICE: &str = "oathkeeper-proxy";
/// Label sets one core keeps; beyond that it starts anew.
const MAX_KNOWN: usize = 4096;

impl WorkerMetrics {
    /// A core's view.
    pub fn new(shared: Arc<Metrics>) -> Self {
        Self { shared, generation: Cell::new(0), known: RefCell::default(), latest: RefCell::default() }
    }

    /// The process-wide metrics.
    pub fn shared(&self) -> &Arc<Metrics> {
        &self.shared
    }

    /// Counts a finished request.
    pub fn finished(&self, request: &Finished<'_>) {
        let Finished { rule, method, path, status, outcome, took, upstream, labels, .. } = *request;
        let resolve = || {
            let label = self.shared.request_label(path, labels);
            self.shared.handles(SERVICE, method, &label, status, outcome, rule.map(|(_, id)| id))
        };
        if request.generation != self.generation.get() {
            // It began under other rules, whose numbers mean others now.
            return self.record(&resolve(), took, upstream);
        }
        let shown = labels.shown(path);
        let number = rule.map(|(number, _)| number);
        // Requests in a row tend to be alike: comparing is cheaper than looking up.
        if let Some((key, handles)) = &*self.latest.borrow()
            && (key.rule, key.status, key.outcome) == (number, status, outcome)
            && (key.method, &*key.shown) == (method_label(method), shown)
        {
            return self.record(handles, took, upstream);
        }
        let key = Key { rule: number, method: method_label(method), status, outcome, shown: shown.into() };
        let known = self.known.borrow().get(&key).cloned();
        let handles = known.unwrap_or_else(|| {
            let handles = Rc::new(resolve());
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(key.clone(), handles.clone());
            handles
        });
        self.record(&handles, took, upstream);
        self.latest.replace(Some((key, handles)));
    }

    fn record(&self, handles: &Handles, took: Duration, upstream: Option<Duration>) {
        handles.record(took);
        if let Some(upstream) = upstream {
            self.shared.upstream_seconds.observe(upstream.as_secs_f64());
        }
    }

    /// Rule numbers mean other rules after a reload, and labels may be others.
    pub fn begin(&self, generation: u64) {
        self.generation.set(generation);
        self.known.borrow_mut().clear();
        self.latest.take();
    }
}
