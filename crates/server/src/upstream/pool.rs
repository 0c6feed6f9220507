//! One core's idle connections to upstreams.
//!
//! A connection comes back only after an exchange that ended cleanly on both sides; after an upgrade,
//! an error or an unread body it never does, so that no caller can leave anything behind for the next.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use keyward_core::rule::upstream::UpstreamOrigin;

use super::http1::connection::Connection;
use crate::proxy::body::RequestBody;

/// Idle HTTP/1 connections kept per upstream.
const MAX_IDLE_PER_ORIGIN: usize = 256;
/// Upstreams with connections kept.
const MAX_ORIGINS: usize = 4096;

/// Connections by upstream. Belongs to one core.
pub struct Pool {
    origins: RefCell<HashMap<Arc<UpstreamOrigin>, Home, foldhash::fast::RandomState>>,
    idle_timeout: Duration,
}

/// The idle connections of one upstream; those in use know where they go back to.
#[derive(Clone, Default)]
pub struct Home(Rc<RefCell<Connections>>);

#[derive(Default)]
struct Connections {
    /// Last in, first out: the warmest connection is used, the others grow old and go.
    http1: Vec<(Box<Connection>, Instant)>,
    http2: Option<(http2::SendRequest<RequestBody>, Instant)>,
}

/// What a pool has for a request.
pub(super) enum Taken {
    /// A quiet HTTP/1 connection, and where it goes back to.
    Http1(Box<Connection>, Home),
    /// The HTTP/2 connection.
    Http2(http2::SendRequest<RequestBody>),
    /// Nothing.
    Nothing,
}

impl Pool {
    /// An empty pool.
    pub fn new(idle_timeout: Duration) -> Self {
        Self { origins: RefCell::default(), idle_timeout }
    }

    /// A connection that still lives: the HTTP/2 one where that will do, or an idle one.
    pub(super) fn take(&self, origin: &Arc<UpstreamOrigin>, http2_will_do: bool) -> Taken {
        let origins = self.origins.borrow();
        let Some(home) = origins.get(origin) else { return Taken::Nothing };
        let mut connections = home.0.borrow_mut();
        if http2_will_do && let Some((sender, used)) = connections.http2.as_mut().filter(|(one, _)| !one.is_closed()) {
            *used = Instant::now();
            return Taken::Http2(sender.clone());
        }
        while let Some((mut connection, _)) = connections.http1.pop() {
            if connection.is_quiet() {
                return Taken::Http1(connection, home.clone());
            }
        }
        Taken::Nothing
    }

    pub(super) fn keep_http2(&self, origin: &Arc<UpstreamOrigin>, sender: http2::SendRequest<RequestBody>) {
        if let Some(home) = self.home(origin) {
            home.0.borrow_mut().http2 = Some((sender, Instant::now()));
        }
    }

    /// Gives no more requests to the HTTP/2 connection; it ends with the last one it has.
    pub fn forget_http2(&self, origin: &Arc<UpstreamOrigin>) {
        if let Some(home) = self.origins.borrow().get(origin) {
            home.0.borrow_mut().http2 = None;
        }
    }

    /// Where an upstream's connections rest; `None` when there is no room for another upstream.
    pub(super) fn home(&self, origin: &Arc<UpstreamOrigin>) -> Option<Home> {
        let mut origins = self.origins.borrow_mut();
        if let Some(home) = origins.get(origin) {
            return Some(home.clone());
        }
        (origins.len() < MAX_ORIGINS).then(|| origins.entry(origin.clone()).or_default().clone())
    }

    /// Drops connections that have been idle too long; called once a second.
    pub fn sweep(&self) {
        let mut origins = self.origins.borrow_mut();
        for home in origins.values() {
            let mut connections = home.0.borrow_mut();
            let fresh = |since: &Instant| since.elapsed() < self.idle_timeout;
            connections.http1.retain_mut(|(connection, since)| fresh(since) && connection.is_quiet());
            connections.http2 = connections.http2.take().filter(|(sender, since)| fresh(since) && !sender.is_closed());
        }
        origins.retain(|_, home| {
            let connections = home.0.borrow();
            !connections.http1.is_empty() || connections.http2.is_some() || Rc::strong_count(&home.0) > 1
        });
    }
}

impl Home {
    /// Puts a connection back whose exchange has ended cleanly on both sides, just now.
    pub(super) fn put(&self, connection: Box<Connection>, now: Instant) {
        let idle = &mut self.0.borrow_mut().http1;
        if idle.len() < MAX_IDLE_PER_ORIGIN {
            idle.push((connection, now));
        }
    }
}
