//! Sends a credentialed request and takes the head of the answer. Nothing else can be sent.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use keyward_core::pipeline::grant::{CredentialedRequest, Outgoing};
use rustls::ClientConfig;

use super::answer::{Answer, of_http1, of_http2};
use super::connect::connect;
use super::error::{ForwardError, chain};
use super::exchange::{Exchange, State, Wait};
use super::http1::connection::Connection;
use super::http1::{Awaiting, Written};
use super::pool::{Pool, Taken};
use super::request_form::{add_hop_fields, http2_request, is_repeatable};
use super::resolve::Resolver;
use crate::local_executor::LocalExecutor;
use crate::proxy::body::RequestBody;
use crate::proxy::stall::Stall;

/// Timers kept for reuse.
const MAX_KEPT: usize = 1024;

/// One core's way to upstreams.
pub struct Forwarder {
    pool: Rc<Pool>,
    resolver: Rc<Resolver>,
    tls: UpstreamTls,
    connect_timeout: Duration,
    header_timeout: Duration,
    /// Timers at rest: moving one costs more than keeping it.
    timers: RefCell<Vec<Stall>>,
}

/// TLS to upstreams. An upgrade is HTTP/1.1's, so a connection for one must not negotiate HTTP/2.
#[derive(Clone)]
pub struct UpstreamTls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 only.
    pub http1: Arc<ClientConfig>,
}

impl Forwarder {
    /// A forwarder over a pool.
    pub fn new(
        pool: Rc<Pool>,
        resolver: Rc<Resolver>,
        tls: UpstreamTls,
        connect_timeout: Duration,
        header_timeout: Duration,
    ) -> Self {
        Self { pool, resolver, tls, connect_timeout, header_timeout, timers: RefCell::default() }
    }

    /// The pool, for upkeep.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Sends a request. It is sent again, once and on a fresh connection, only when a pooled one turned
    /// out to be dead before anything went out, or when the method is idempotent and the body empty.
    pub fn send<'f>(&'f self, request: CredentialedRequest, body: RequestBody, now: Instant) -> Exchange<'f> {
        let outgoing = request.into_outgoing();
        let (origin, tally) = (outgoing.origin.clone(), body.tally());
        let state = match self.pool.take(&origin, outgoing.upgrade.is_none()) {
            Taken::Http1(connection, home) => State::pooled(connection, home, outgoing, body),
            Taken::Http2(sender) => State::Otherwise(Box::pin(self.over_http2(sender, outgoing, body))),
            Taken::Nothing => State::Otherwise(Box::pin(self.fresh(outgoing, body))),
        };
        Exchange::new(self, origin, Wait::new(self.timer(now), tally), state)
    }

    /// A timer for an answer's head, of an exchange that began at a time.
    fn timer(&self, begun: Instant) -> Stall {
        let mut timer = self.timers.borrow_mut().pop().unwrap_or_else(|| Stall::new(self.header_timeout));
        timer.begin(begun);
        timer
    }

    /// Keeps a timer for the next exchange.
    pub(super) fn keep_timer(&self, timer: Stall) {
        let mut timers = self.timers.borrow_mut();
        if timers.len() < MAX_KEPT {
            timers.push(timer);
        }
    }

    async fn over_http2(
        &self,
        sender: http2::SendRequest<RequestBody>,
        outgoing: Box<Outgoing>,
        body: RequestBody,
    ) -> Result<Box<Answer>, ForwardError> {
        // The request itself is given up to the connection.
        let copy = outgoing.clone();
        let is_repeatable = is_repeatable(&outgoing, &body);
        match try_send(sender, http2_request(outgoing, body)?).await {
            Ok(answer) => of_http2(answer),
            Err((Some(unsent), _)) => self.fresh(copy, unsent.into_body()).await,
            Err((None, _)) if is_repeatable => self.fresh(copy, RequestBody::Empty).await,
            Err((None, error)) => Err(error),
        }
    }

    /// Over a connection made for it.
    pub(super) async fn fresh(
        &self,
        mut outgoing: Box<Outgoing>,
        body: RequestBody,
    ) -> Result<Box<Answer>, ForwardError> {
        let origin = outgoing.origin.clone();
        let tls = if outgoing.upgrade.is_some() { &self.tls.http1 } else { &self.tls.any };
        let stream = connect(&origin, &self.resolver, tls, self.connect_timeout).await?;
        if stream.speaks_http2() {
            let mut builder = http2::Builder::new(LocalExecutor);
            builder.timer(TokioTimer::new()).max_header_list_size(32 * 1024).max_concurrent_reset_streams(64);
            let broken = |error: hyper::Error| ForwardError::Connect(format!("{}: {error}", origin.authority()));
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
            tokio::task::spawn_local(connection);
            self.pool.keep_http2(&origin, sender.clone());
            let answer = try_send(sender, http2_request(outgoing, body)?).await;
            return of_http2(answer.map_err(|(_, error)| error)?);
        }
        add_hop_fields(&mut outgoing, &body);
        let Outgoing { method, target, mut headers, upgrade, .. } = *outgoing;
        let mut awaiting = Awaiting::begin(Box::new(Connection::new(stream)), &method, &target, &headers, body);
        let head = poll_fn(|cx| awaiting.poll(&mut headers, cx)).await?;
        of_http1(head, awaiting, &method, upgrade.as_ref(), self.pool.home(&origin))
    }

    /// The same of a request that was written for a connection of HTTP/1.1 over which nothing went out.
    pub(super) async fn rewritten(
        &self,
        outgoing: Box<Outgoing>,
        written: Box<Written>,
    ) -> Result<Box<Answer>, ForwardError> {
        let Outgoing { method, origin, mut headers, upgrade, .. } = *outgoing;
        let stream = connect(&origin, &self.resolver, &self.tls.http1, self.connect_timeout).await?;
        let mut awaiting = Awaiting::resume(Box::new(Connection::new(stream)), *written);
        let head = poll_fn(|cx| awaiting.poll(&mut headers, cx)).await?;
        of_http1(head, awaiting, &method, upgrade.as_ref(), self.pool.home(&origin))
    }
}

/// The request, when nothing of it went out, and why.
type Unsent = (Option<Request<RequestBody>>, ForwardError);

/// Sends over an HTTP/2 connection; an error carries the request back when nothing of it went out.
async fn try_send(
    mut sender: http2::SendRequest<RequestBody>,
    request: Request<RequestBody>,
) -> Result<Response<Incoming>, Unsent> {
    if let Err(error) = sender.ready().await {
        return Err((Some(request), ForwardError::Exchange(chain(&error))));
    }
    sender.try_send_request(request).await.map_err(|mut error| {
        let request = error.take_message();
        (request, ForwardError::Exchange(chain(&error.into_error())))
    })
}
