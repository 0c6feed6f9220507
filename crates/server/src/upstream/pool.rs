//! One core's idle connections to upstreams.
//!
//! A connection comes back only after an exchange that ended cleanly on both sides; after an upgrade,
//! an error or an unread body it never does, so that no caller can leave anything behind for the next.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};
use keyward_core::rule::upstream::UpstreamOrigin;

use crate::proxy::body::RequestBody;

/// Idle HTTP/1 connections kept per upstream.
const MAX_IDLE_PER_ORIGIN: usize = 256;
/// Upstreams with connections kept.
const MAX_ORIGINS: usize = 4096;

/// Connections by upstream. Belongs to one core.
pub struct Pool {
    origins: RefCell<HashMap<Arc<UpstreamOrigin>, Connections, foldhash::fast::RandomState>>,
    idle_timeout: Duration,
}

#[derive(Default)]
struct Connections {
    /// Last in, first out: the warmest connection is used, the others grow old and go.
    http1: Vec<(http1::SendRequest<RequestBody>, Instant)>,
    http2: Option<(http2::SendRequest<RequestBody>, Instant)>,
}

/// An HTTP/1 connection in use; goes back to its pool when told that the exchange ended cleanly.
pub struct Lease {
    pub(super) sender: http1::SendRequest<RequestBody>,
    origin: Arc<UpstreamOrigin>,
    pool: Rc<Pool>,
}

impl Pool {
    /// An empty pool.
    pub fn new(idle_timeout: Duration) -> Self {
        Self { origins: RefCell::default(), idle_timeout }
    }

    /// A ready HTTP/1 connection, if one is idle.
    pub(super) fn take(self: &Rc<Self>, origin: &Arc<UpstreamOrigin>) -> Option<Lease> {
        let mut origins = self.origins.borrow_mut();
        let idle = &mut origins.get_mut(origin)?.http1;
        while let Some((sender, _)) = idle.pop() {
            if sender.is_ready() {
                return Some(self.lease(origin, sender));
            }
        }
        None
    }

    /// The HTTP/2 connection, if there is one that still lives.
    pub(super) fn http2(&self, origin: &Arc<UpstreamOrigin>) -> Option<http2::SendRequest<RequestBody>> {
        let mut origins = self.origins.borrow_mut();
        let (sender, used) = origins.get_mut(origin)?.http2.as_mut().filter(|(sender, _)| !sender.is_closed())?;
        *used = Instant::now();
        Some(sender.clone())
    }

    pub(super) fn keep_http2(&self, origin: &Arc<UpstreamOrigin>, sender: http2::SendRequest<RequestBody>) {
        self.origins.borrow_mut().entry(origin.clone()).or_default().http2 = Some((sender, Instant::now()));
    }

    /// Gives no more requests to the HTTP/2 connection; it ends with the last one it has.
    pub(super) fn forget_http2(&self, origin: &Arc<UpstreamOrigin>) {
        if let Some(connections) = self.origins.borrow_mut().get_mut(origin) {
            connections.http2 = None;
        }
    }

    pub(super) fn lease(
        self: &Rc<Self>,
        origin: &Arc<UpstreamOrigin>,
        sender: http1::SendRequest<RequestBody>,
    ) -> Lease {
        Lease { sender, origin: origin.clone(), pool: self.clone() }
    }

    /// Drops connections that have been idle too long; called once a second.
    pub fn sweep(&self) {
        let mut origins = self.origins.borrow_mut();
        for connections in origins.values_mut() {
            let fresh = |since: &Instant| since.elapsed() < self.idle_timeout;
            connections.http1.retain(|(sender, since)| fresh(since) && !sender.is_closed());
            connections.http2 = connections.http2.take().filter(|(sender, since)| fresh(since) && !sender.is_closed());
        }
        origins.retain(|_, connections| !connections.http1.is_empty() || connections.http2.is_some());
    }
}

impl Lease {
    /// Puts the connection back. Call only when request and answer ended cleanly.
    pub fn give_back(self) {
        let Self { sender, origin, pool } = self;
        if sender.is_closed() {
            return;
        }
        let mut origins = pool.origins.borrow_mut();
        if origins.len() >= MAX_ORIGINS && !origins.contains_key(&origin) {
            return;
        }
        let idle = &mut origins.entry(origin).or_default().http1;
        if idle.len() < MAX_IDLE_PER_ORIGIN {
            idle.push((sender, Instant::now()));
        }
    }
}
