//! The wait for the head of an upstream's answer.
//!
//! A future of its own kind rather than an `async fn`: it is handed on several times before it rests, and what the
//! compiler makes of an `async fn` is several times as large, and copied each time.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use keyward_core::pipeline::grant::Outgoing;
use keyward_core::ports::LocalFuture;
use keyward_core::rule::upstream::UpstreamOrigin;

use super::answer::{Answer, of_http1};
use super::error::ForwardError;
use super::forward::Forwarder;
use super::http1::connection::Connection;
use super::http1::{Awaiting, Failure, Unsent};
use super::pool::Home;
use super::request_form::{add_hop_fields, is_repeatable};
use crate::proxy::body::{RequestBody, RequestTally};
use crate::proxy::stall::Stall;

/// A request that is on its way; what comes is the head of the answer.
pub struct Exchange<'f> {
    forwarder: &'f Forwarder,
    origin: Arc<UpstreamOrigin>,
    wait: Wait,
    state: State<'f>,
}

/// Where it is.
pub(super) enum State<'f> {
    /// A pooled connection has it. Boxed, since it is large and handed on several times.
    Pooled(Box<Pooled>),
    /// It takes more than that.
    Otherwise(LocalFuture<'f, Result<Box<Answer>, ForwardError>>),
    /// An answer, or an error, was given.
    Over,
}

/// A request on a connection that others had before.
pub(super) struct Pooled {
    awaiting: Awaiting,
    /// The request, for as long as it may have to be sent again.
    outgoing: Box<Outgoing>,
    is_repeatable: bool,
    home: Home,
}

impl State<'_> {
    /// Hands a request to a pooled connection.
    pub(super) fn pooled(
        connection: Box<Connection>,
        home: Home,
        mut outgoing: Box<Outgoing>,
        body: RequestBody,
    ) -> Self {
        let is_repeatable = is_repeatable(&outgoing, &body);
        add_hop_fields(&mut outgoing, &body);
        let awaiting = Awaiting::begin(connection, &outgoing.method, &outgoing.target, &outgoing.headers, body);
        Self::Pooled(Box::new(Pooled { awaiting, outgoing, is_repeatable, home }))
    }

    fn failed(error: ForwardError) -> Self {
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
    pub(super) fn new(forwarder: &'f Forwarder, origin: Arc<UpstreamOrigin>, wait: Wait, state: State<'f>) -> Self {
        Self { forwarder, origin, wait, state }
    }

    /// What comes next of the connection that has it.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<Answer>, ForwardError>> {
        loop {
            let outcome = match &mut self.state {
                State::Pooled(pooled) => ready!(pooled.awaiting.poll(&mut pooled.outgoing.headers, cx)),
                State::Otherwise(future) => return future.as_mut().poll(cx),
                State::Over => return Poll::Pending,
            };
            if let State::Pooled(pooled) = std::mem::replace(&mut self.state, State::Over) {
                match outcome {
                    Ok(head) => {
                        let Pooled { awaiting, outgoing, home, .. } = *pooled;
                        let upgrade = outgoing.upgrade.as_ref();
                        return Poll::Ready(of_http1(head, awaiting, &outgoing.method, upgrade, Some(home)));
                    }
                    Err(failure) => self.again(failure, *pooled),
                }
            }
        }
    }

    /// A pooled connection has failed. Once more over a fresh one, when nothing of the request went out, or when nothing
    /// came and nothing is done twice by that.
    #[cold]
    fn again(&mut self, failure: Failure, pooled: Pooled) {
        let Pooled { awaiting, outgoing, is_repeatable, .. } = pooled;
        let may_repeat = matches!(failure, Failure::Broken(_)) && !awaiting.is_answered();
        self.state = match awaiting.unsent().filter(|_| may_repeat) {
            Some(Unsent::Untouched(body)) => State::Otherwise(Box::pin(self.forwarder.fresh(outgoing, body))),
            Some(Unsent::Written(written)) => State::Otherwise(Box::pin(self.forwarder.rewritten(outgoing, written))),
            None if may_repeat && is_repeatable => {
                State::Otherwise(Box::pin(self.forwarder.fresh(outgoing, RequestBody::Empty)))
            }
            None => State::failed(failure.into()),
        };
    }
}

impl Future for Exchange<'_> {
    type Output = Result<Box<Answer>, ForwardError>;

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
        Poll::Ready(outcome)
    }
}
