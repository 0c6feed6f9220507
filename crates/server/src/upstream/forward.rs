//! Sends a credentialed request and takes the head of the answer. Nothing else can be sent.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use http::header::UPGRADE;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyward_core::pipeline::grant::{CredentialedRequest, Outgoing};
use keyward_core::rule::upstream::UpstreamOrigin;
use rustls::ClientConfig;

use super::answer::Answer;
use super::connect::connect;
use super::error::{ForwardError, chain};
use super::exchange::{Exchange, State, Wait};
use super::pool::{Pool, Taken};
use super::request_form::{Repeatable, http1_form, http1_request, http2_form};
use super::resolve::Resolver;
use crate::local_executor::LocalExecutor;
use crate::proxy::body::RequestBody;
use crate::proxy::stall::Stall;

/// The read buffer of an upstream connection.
const MAX_BUFFER: usize = 64 * 1024;

/// Timers, and memory for copies of requests, kept for reuse.
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
    /// Memory for copies of requests.
    copies: RefCell<Vec<Repeatable>>,
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
        Self {
            pool,
            resolver,
            tls,
            connect_timeout,
            header_timeout,
            timers: RefCell::default(),
            copies: RefCell::default(),
        }
    }

    /// The pool, for upkeep.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Sends a request. It is sent again, once and on a fresh connection, only when a pooled one turned
    /// out to be dead before anything went out, or when the method is idempotent and the body empty.
    pub fn send<'f>(&'f self, request: CredentialedRequest, body: RequestBody, now: Instant) -> Exchange<'f> {
        let outgoing = request.into_outgoing();
        let (origin, upgrade, tally) = (outgoing.origin.clone(), outgoing.upgrade.clone(), body.tally());
        let state = self.begin(&origin, outgoing, body).unwrap_or_else(State::failed);
        Exchange::new(self, origin, upgrade, Wait::new(self.timer(now), tally), state)
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

    /// A copy of a request, for as long as nothing of its answer is there.
    fn copy(&self, request: &Request<RequestBody>) -> Option<Repeatable> {
        Repeatable::of(request, || self.copies.borrow_mut().pop().unwrap_or_default())
    }

    /// Keeps the memory of a copy that was not needed.
    pub(super) fn keep(&self, copy: Option<Repeatable>) {
        let mut copies = self.copies.borrow_mut();
        if copies.len() < MAX_KEPT {
            copies.extend(copy.filter(Repeatable::is_small).map(Repeatable::emptied));
        }
    }

    /// Hands the request to a connection, where one is at rest.
    fn begin<'f>(
        &'f self,
        origin: &Arc<UpstreamOrigin>,
        outgoing: Outgoing,
        body: RequestBody,
    ) -> Result<State<'f>, ForwardError> {
        let taken = self.pool.take(origin, outgoing.upgrade.is_none());
        if let Taken::Http2(sender) = taken {
            return Ok(State::Otherwise(Box::pin(self.over_http2(sender, origin.clone(), outgoing, body))));
        }
        let request = http1_request(outgoing, body)?;
        let Taken::Http1(mut lease) = taken else {
            return Ok(State::Otherwise(Box::pin(self.fresh(origin.clone(), request))));
        };
        let copy = self.copy(&request);
        Ok(State::Pooled { sent: Box::pin(lease.sender.try_send_request(request)), lease, copy })
    }

    async fn over_http2(
        &self,
        sender: http2::SendRequest<RequestBody>,
        origin: Arc<UpstreamOrigin>,
        outgoing: Outgoing,
        body: RequestBody,
    ) -> Result<Answer, ForwardError> {
        let request = http1_request(outgoing, body)?;
        let repeatable = self.copy(&request);
        match try_send_http2(sender, http2_form(request, &origin)?).await {
            Ok(answer) => {
                self.keep(repeatable);
                Ok(answer)
            }
            Err((Some(unsent), _)) => self.fresh(origin, http1_form(unsent)).await,
            Err((None, error)) => match repeatable.and_then(Repeatable::request) {
                Some(again) => self.fresh(origin, again).await,
                None => Err(error),
            },
        }
    }

    /// Over a connection made for it.
    pub(super) async fn fresh(
        &self,
        origin: Arc<UpstreamOrigin>,
        request: Request<RequestBody>,
    ) -> Result<Answer, ForwardError> {
        let tls = if request.headers().contains_key(UPGRADE) { &self.tls.http1 } else { &self.tls.any };
        let stream = connect(&origin, &self.resolver, tls, self.connect_timeout).await?;
        let broken = |error: hyper::Error| ForwardError::Connect(format!("{}: {error}", origin.authority()));
        if stream.speaks_http2() {
            let mut builder = http2::Builder::new(LocalExecutor);
            builder.timer(TokioTimer::new()).max_header_list_size(32 * 1024).max_concurrent_reset_streams(64);
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
            tokio::task::spawn_local(connection);
            self.pool.keep_http2(&origin, sender.clone());
            return try_send_http2(sender, http2_form(request, &origin)?).await.map_err(|(_, error)| error);
        }
        let mut builder = http1::Builder::new();
        builder.writev(false).max_buf_size(MAX_BUFFER);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::task::spawn_local(connection.with_upgrades());
        sender.ready().await.map_err(broken)?;
        let mut lease = self.pool.lease(&origin, sender);
        match lease.sender.try_send_request(request).await {
            Ok(response) => Ok(Answer { response, lease: Some(lease) }),
            Err(error) => Err(exchange_error(error)),
        }
    }
}

/// The request, when nothing of it went out, and why.
type Unsent = (Option<Request<RequestBody>>, ForwardError);

/// Why a connection did not deliver.
pub(super) fn exchange_error<T>(error: TrySendError<T>) -> ForwardError {
    ForwardError::Exchange(chain(&error.into_error()))
}

/// Sends over an HTTP/2 connection; an error carries the request back when nothing of it went out.
async fn try_send_http2(
    mut sender: http2::SendRequest<RequestBody>,
    request: Request<RequestBody>,
) -> Result<Answer, Unsent> {
    if let Err(error) = sender.ready().await {
        return Err((Some(request), ForwardError::Exchange(chain(&error))));
    }
    match sender.try_send_request(request).await {
        Ok(response) => Ok(Answer { response, lease: None }),
        Err(mut error) => Err((error.take_message(), exchange_error(error))),
    }
}
