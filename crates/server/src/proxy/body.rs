//! Bodies on their way through: streamed, counted, limited in pauses, never buffered.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::completion::Completion;
use super::stall::Stall;
use crate::echo::{Echoed, Watch};
use crate::http2::waits_for_caller;
use crate::upstream::answer::AnswerBody;

/// What went through of a request body; shared with the completion of the exchange.
#[derive(Debug, Default)]
pub struct RequestTally {
    /// Payload bytes.
    pub bytes: Cell<u64>,
    /// The body ended as it should.
    pub ended: Cell<bool>,
    /// Why it did not.
    pub fault: Cell<Option<BodyFault>>,
}

impl RequestTally {
    /// Of a request without a body: it has ended, and nothing can become of it.
    pub fn of_nothing() -> Self {
        Self { ended: Cell::new(true), ..Self::default() }
    }
}

/// What went wrong with a caller's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The caller went away, or its framing broke.
    Broken,
    /// Nothing came for too long.
    Stalled,
    /// Longer than allowed.
    TooLong,
}

impl BodyFault {
    /// The answer, where one can still be given.
    pub fn status(self) -> http::StatusCode {
        match self {
            BodyFault::Broken => http::StatusCode::BAD_REQUEST,
            BodyFault::Stalled => http::StatusCode::REQUEST_TIMEOUT,
            BodyFault::TooLong => http::StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// The spelling in audit records.
    pub fn reason(self) -> &'static str {
        match self {
            BodyFault::Broken => "request_body_broken",
            BodyFault::Stalled => "request_body_stalled",
            BodyFault::TooLong => "request_body_too_long",
        }
    }
}

/// A request body to an upstream.
pub enum RequestBody {
    /// None.
    Empty,
    /// The caller's, as it comes. Boxed: most requests have none and move this about many times.
    Streamed(Box<Streamed>),
    /// The caller's, held in memory because a handler read it.
    Held(Option<Bytes>),
}

/// A caller's body in transit.
pub struct Streamed {
    incoming: Incoming,
    tally: Rc<RequestTally>,
    stall: Stall,
    limit: u64,
}

impl RequestBody {
    /// Wraps a caller's body; `limit` in bytes. The tally of an empty one is [`RequestTally::of_nothing`].
    pub fn new(incoming: Incoming, tally: Rc<RequestTally>, pause: Duration, limit: Option<u64>) -> Self {
        if incoming.is_end_stream() {
            return RequestBody::Empty;
        }
        let limit = limit.unwrap_or(u64::MAX);
        RequestBody::Streamed(Box::new(Streamed { incoming, tally, stall: Stall::new(pause), limit }))
    }

    /// Reads the whole body into memory, at most `limit` bytes.
    pub async fn hold(mut self, limit: u64) -> Result<Bytes, BodyFault> {
        let RequestBody::Streamed(body) = &mut self else { return Ok(Bytes::new()) };
        body.limit = body.limit.min(limit);
        let tally = body.tally.clone();
        if self.announces_too_much() {
            tally.fault.set(Some(BodyFault::TooLong));
            return Err(BodyFault::TooLong);
        }
        match self.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(_) => Err(tally.fault.get().unwrap_or(BodyFault::Broken)),
        }
    }

    /// Whether its announced length is over the limit: then it is not even begun.
    pub fn announces_too_much(&self) -> bool {
        matches!(self, RequestBody::Streamed(body) if body.incoming.size_hint().lower() > body.limit)
    }

    /// A body that was read before the decision.
    pub fn held(bytes: Bytes) -> Self {
        if bytes.is_empty() { RequestBody::Empty } else { RequestBody::Held(Some(bytes)) }
    }

    /// What has gone through of it; none when there is nothing to send.
    pub fn tally(&self) -> Option<Rc<RequestTally>> {
        match self {
            RequestBody::Empty | RequestBody::Held(_) => None,
            RequestBody::Streamed(body) => Some(body.tally.clone()),
        }
    }

    /// Whether there is nothing to send, so that sending again repeats nothing.
    pub fn is_empty(&self) -> bool {
        matches!(self, RequestBody::Empty)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = match self.get_mut() {
            RequestBody::Empty => return Poll::Ready(None),
            RequestBody::Held(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            RequestBody::Streamed(body) => body,
        };
        match Pin::new(&mut body.incoming).poll_frame(cx) {
            Poll::Pending => {
                ready!(body.stall.poll(cx));
                body.tally.fault.set(Some(BodyFault::Stalled));
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the caller's body stalled"))))
            }
            Poll::Ready(None) => {
                body.tally.ended.set(true);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                body.stall.reset();
                if let Some(data) = frame.data_ref() {
                    let bytes = body.tally.bytes.get() + data.remaining() as u64;
                    body.tally.bytes.set(bytes);
                    if bytes > body.limit {
                        body.tally.fault.set(Some(BodyFault::TooLong));
                        return Poll::Ready(Some(Err(io::Error::other("the caller's body is too long"))));
                    }
                } else {
                    // Trailers of callers are dropped: they could smuggle what the gate took out.
                    body.tally.ended.set(true);
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                body.tally.fault.set(Some(BodyFault::Broken));
                Poll::Ready(Some(Err(io::Error::other(error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Empty => true,
            RequestBody::Held(bytes) => bytes.is_none(),
            RequestBody::Streamed(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Empty => SizeHint::with_exact(0),
            RequestBody::Held(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            RequestBody::Streamed(body) => body.incoming.size_hint(),
        }
    }
}

/// A body to a caller.
pub enum ResponseBody {
    /// In memory.
    Full(Option<Bytes>),
    /// An upstream's, as it comes, within the exchange that ends with it.
    Upstream(Box<Completion>),
}

/// An upstream's body in transit.
pub struct UpstreamBody {
    /// The body.
    pub incoming: AnswerBody,
    /// Limits pauses.
    pub stall: Stall,
    /// Looks into it.
    pub watch: Option<Watch>,
}

impl UpstreamBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(watch) = &mut self.watch else { return Pin::new(&mut self.incoming).poll_frame(cx) };
        loop {
            if let Some(frame) = watch.take_ready() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let Some(frame) = ready!(Pin::new(&mut self.incoming).poll_frame(cx)).transpose()? else {
                let rest = watch.rest();
                return Poll::Ready(Some(rest).filter(|rest| !rest.is_empty()).map(|rest| Ok(Frame::data(rest))));
            };
            match frame.into_data() {
                Ok(data) => {
                    let data = watch.data(data, self.incoming.is_end_stream())?;
                    if !data.is_empty() || self.incoming.is_end_stream() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return Poll::Ready(watch.trailers(trailers).transpose());
                }
            }
        }
    }

    /// What a look into it has found since the last time.
    fn take_found(&mut self) -> Option<Echoed> {
        self.watch.as_mut().and_then(Watch::take_found)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream() && self.watch.as_ref().is_none_or(Watch::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, kept) = (self.incoming.size_hint(), self.watch.as_ref().map_or(0, Watch::kept));
        match hint.exact() {
            Some(length) => SizeHint::with_exact(length + kept),
            None => SizeHint::default(),
        }
    }
}

impl ResponseBody {
    /// A body in memory.
    pub fn full(bytes: Bytes) -> Self {
        ResponseBody::Full(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// An upstream's body, and what has to happen when it ends. One that is empty already ends here, since nobody will
    /// poll it.
    pub fn upstream(mut exchange: Box<Completion>, body: UpstreamBody) -> Self {
        let is_empty = body.is_end_stream();
        exchange.upstream = Some(body);
        if is_empty {
            end(&mut exchange);
            return ResponseBody::Full(None);
        }
        ResponseBody::Upstream(exchange)
    }
}

/// The stream has ended as it should.
fn end(exchange: &mut Completion) {
    let now = Instant::now();
    exchange.complete(now);
    exchange.write();
    // A request body that was not read to its end would be the next caller's problem.
    if let Some(body) = &mut exchange.upstream
        && exchange.tally.ended.get()
    {
        body.incoming.give_back(now);
    }
    exchange.upstream = None;
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let exchange = match self.get_mut() {
            ResponseBody::Full(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            ResponseBody::Upstream(exchange) => exchange,
        };
        let Some(body) = &mut exchange.upstream else { return Poll::Ready(None) };
        let polled = body.poll_frame(cx);
        waits_for_caller(polled.is_ready());
        if let Some(found) = body.take_found() {
            exchange.echoed(found);
        }
        let Some(body) = &mut exchange.upstream else { return Poll::Ready(None) };
        match polled {
            Poll::Pending => {
                ready!(body.stall.poll(cx));
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the upstream's body stalled"))))
            }
            Poll::Ready(None) => {
                end(exchange);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                body.stall.reset();
                // Trailers are the last that comes, and nobody asks for more after them.
                let is_last = frame.is_trailers() || body.is_end_stream();
                exchange.add_bytes_out(frame.data_ref().map_or(0, |data| data.remaining() as u64));
                if is_last {
                    end(exchange);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            // The caller's stream breaks as the upstream's did: an error here makes hyper abort.
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Full(bytes) => bytes.is_none(),
            ResponseBody::Upstream(exchange) => exchange.upstream.as_ref().is_none_or(UpstreamBody::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            ResponseBody::Upstream(exchange) => {
                exchange.upstream.as_ref().map_or_else(SizeHint::default, UpstreamBody::size_hint)
            }
        }
    }
}
