//! The wait for the head of an upstream's answer.
//!
//! A future of its own kind rather than an `async fn`: it is handed on several times before it rests, and what the
//! compiler makes of an `async fn` is several times as large, and copied each time.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use keyward_core::ports::LocalFuture;
use keyward_core::rule::upstream::UpstreamOrigin;

use super::answer::Answer;
use super::error::ForwardError;
use super::forward::{Forwarder, exchange_error};
use super::pool::Lease;
use super::request_form::Repeatable;
use crate::proxy::body::{RequestBody, RequestTally};
use crate::proxy::stall::Stall;

/// A request that is on its way; what comes is the head of the answer.
pub struct Exchange<'f> {
    forwarder: &'f Forwarder,
    origin: Arc<UpstreamOrigin>,
    /// The protocol it asks to switch to.
    upgrade: Option<HeaderValue>,
    wait: Wait,
    state: State<'f>,
}

/// Where it is.
pub(super) enum State<'f> {
    /// A pooled connection has it.
    Pooled {
        /// What comes of it. Boxed where it is made, since it is large.
        sent: LocalFuture<'f, Sent>,
        lease: Lease,
        copy: Option<Repeatable>,
    },
    /// It takes more than that.
    Otherwise(LocalFuture<'f, Result<Answer, ForwardError>>),
    /// An answer, or an error, was given.
    Over,
}

/// What comes of handing a request to an HTTP/1 connection; an error carries the request back when nothing
/// of it went out.
type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

impl State<'_> {
    /// It could not even begin.
    pub(super) fn failed(error: ForwardError) -> Self {
        Self::Otherwise(Box::pin(std::future::ready(Err(error))))
    }
}

/// Limits the wait. While the caller's body moves, it has not begun.
pub(super) struct Wait {
    timer: Option<Stall>,
    body: Option<Rc<RequestTally>>,
    seen: Option<(u64, bool)>,
}

impl Wait {
    /// A wait by a timer, for the answer to a request with a body, if it has one.
    pub(super) fn new(timer: Stall, body: Option<Rc<RequestTally>>) -> Self {
        let mut wait = Self { timer: Some(timer), body, seen: None };
        wait.seen = wait.progress();
        wait
    }

    fn progress(&self) -> Option<(u64, bool)> {
        self.body.as_ref().map(|body| (body.bytes.get(), body.ended.get()))
    }

    /// Ready when it has taken too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let progress = self.progress();
        let Some(timer) = &mut self.timer else { return Poll::Ready(()) };
        while timer.poll(cx).is_ready() {
            if progress == self.seen {
                return Poll::Ready(());
            }
            self.seen = progress;
            timer.reset();
        }
        Poll::Pending
    }
}

impl<'f> Exchange<'f> {
    pub(super) fn new(
        forwarder: &'f Forwarder,
        origin: Arc<UpstreamOrigin>,
        upgrade: Option<HeaderValue>,
        wait: Wait,
        state: State<'f>,
    ) -> Self {
        Self { forwarder, origin, upgrade, wait, state }
    }

    /// What comes next of the connection that has it.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, ForwardError>> {
        loop {
            let outcome = match &mut self.state {
                State::Pooled { sent, .. } => ready!(sent.as_mut().poll(cx)),
                State::Otherwise(future) => return future.as_mut().poll(cx),
                State::Over => return Poll::Pending,
            };
            if let State::Pooled { lease, copy, .. } = std::mem::replace(&mut self.state, State::Over) {
                match outcome {
                    Ok(response) => {
                        self.forwarder.keep(copy);
                        return Poll::Ready(Ok(Answer { response, lease: Some(lease) }));
                    }
                    Err(error) => self.again(error, copy),
                }
            }
        }
    }

    /// A pooled connection has failed: once more over a fresh one, if nothing is done twice by that.
    #[cold]
    fn again(&mut self, mut error: TrySendError<Request<RequestBody>>, copy: Option<Repeatable>) {
        self.state = match error.take_message().or_else(|| copy.and_then(Repeatable::request)) {
            Some(again) => State::Otherwise(Box::pin(self.forwarder.fresh(self.origin.clone(), again))),
            None => State::failed(exchange_error(error)),
        };
    }
}

impl Future for Exchange<'_> {
    type Output = Result<Answer, ForwardError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = self.get_mut();
        let outcome = match exchange.advance(cx) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                ready!(exchange.wait.poll(cx));
                Err(ForwardError::Timeout("for the upstream to answer"))
            }
        };
        if let Err(ForwardError::Timeout(_)) = outcome {
            // Its peer may be gone without a word, and others must not wait for it too.
            exchange.forwarder.pool().forget_http2(&exchange.origin);
        }
        exchange.state = State::Over;
        if let Some(timer) = exchange.wait.timer.take() {
            exchange.forwarder.keep_timer(timer);
        }
        Poll::Ready(outcome.and_then(|answer| answer.cleaned(exchange.upgrade.as_ref())))
    }
}
