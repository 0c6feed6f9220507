//! A connection of HTTP/2 whose frames are watched as they pass: field blocks have to end in time, as heads of HTTP/1.1
//! have, and what the peer is told that it did wrong is told here too. The h2 crate does neither.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bare::Answers;
use super::frames::{Frame, Frames, GOAWAY, Incoming, RST_STREAM};
use crate::metrics::faults::Fault;
use crate::proxy::stall::Stall;

/// How long the end of a connection whose peer does not come to an end may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// `ENHANCE_YOUR_CALM`
const CALM: u8 = 0xb;

/// The wrapped connection.
pub(super) struct WatchedIo<T, F> {
    inner: T,
    incoming: Incoming,
    outgoing: Frames,
    answers: Answers,
    slow_head: Stall,
    farewell: Option<Farewell>,
    tell: F,
}

/// What is left to be sent, and until when.
struct Farewell {
    bytes: Vec<u8>,
    limit: Stall,
    is_shut: bool,
}

impl<T, F: Fn(Fault)> WatchedIo<T, F> {
    /// Wraps a connection. The preface and each field block must be complete within `header_timeout` of their beginning.
    pub(super) fn new(inner: T, header_timeout: Duration, tell: F) -> Self {
        Self {
            inner,
            incoming: Incoming::default(),
            outgoing: Frames::default(),
            answers: Answers::default(),
            slow_head: Stall::new(header_timeout),
            farewell: None,
            tell,
        }
    }

    /// Follows what was sent, which is the beginning of what was to be.
    fn sent<'b>(&mut self, buffers: impl IntoIterator<Item = &'b [u8]>, mut count: usize) {
        for buffer in buffers {
            let part = &buffer[..buffer.len().min(count)];
            count -= part.len();
            self.outgoing.feed(part, |frame| {
                if let Some(fault) = blamed(&frame).and_then(Fault::of_http2) {
                    (self.tell)(fault);
                }
                if self.answers.is_bare(&frame) {
                    (self.tell)(Fault::Http2FieldSection);
                }
            });
            if count == 0 {
                return;
            }
        }
    }
}

/// The error code of a frame that has one.
fn blamed(frame: &Frame<'_>) -> Option<u32> {
    let code = match frame.kind {
        RST_STREAM => frame.begin.get(..4),
        GOAWAY => frame.begin.get(4..8),
        _ => None,
    };
    code.and_then(|code| code.try_into().ok()).map(u32::from_be_bytes)
}

impl<T: AsyncRead + AsyncWrite + Unpin, F: Fn(Fault)> WatchedIo<T, F> {
    /// The end: nothing that the h2 crate has to say comes after it.
    fn begin_farewell(&mut self) {
        (self.tell)(Fault::HeaderTimeout);
        let mut bytes = Vec::new();
        // In the middle of a frame it would be read as part of that.
        if self.outgoing.is_between() {
            bytes.extend([0, 0, 8, GOAWAY, 0, 0, 0, 0, 0]);
            bytes.extend(self.incoming.last_stream().to_be_bytes());
            bytes.extend([0, 0, 0, CALM]);
        }
        self.farewell = Some(Farewell { bytes, limit: Stall::new(FAREWELL), is_shut: false });
    }

    /// Sends what is left, and throws away what still comes for a while: to close with bytes unread would reset the
    /// connection, and that can destroy what was sent.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(farewell) = &mut self.farewell else { return Poll::Ready(()) };
        if farewell.limit.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let inner = &mut self.inner;
        while !farewell.bytes.is_empty() {
            match ready!(Pin::new(&mut *inner).poll_write(cx, &farewell.bytes)) {
                Ok(count @ 1..) => drop(farewell.bytes.drain(..count)),
                _ => return Poll::Ready(()),
            }
        }
        if !farewell.is_shut {
            if ready!(Pin::new(&mut *inner).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            farewell.is_shut = true;
        }
        let mut waste = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut waste);
            let read = ready!(Pin::new(&mut *inner).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() || farewell.limit.poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, F: Fn(Fault) + Unpin> AsyncRead for WatchedIo<T, F> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            let before = buffer.filled().len();
            match Pin::new(&mut this.inner).poll_read(cx, buffer) {
                Poll::Pending => {
                    if !this.incoming.is_inside_head() {
                        return Poll::Pending;
                    }
                    ready!(this.slow_head.poll(cx));
                    this.begin_farewell();
                }
                Poll::Ready(read) => {
                    let blocks = this.incoming.blocks();
                    let answers = &mut this.answers;
                    this.incoming.feed(&buffer.filled()[before..], |stream| {
                        answers.end(stream);
                    });
                    if this.incoming.blocks() != blocks || !this.incoming.is_inside_head() {
                        this.slow_head.reset();
                    }
                    return Poll::Ready(read);
                }
            }
        }
        ready!(this.poll_farewell(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "a field block came too slowly")))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, F: Fn(Fault) + Unpin> AsyncWrite for WatchedIo<T, F> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.farewell.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let wrote = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes));
        if let Ok(count) = wrote {
            this.sent([bytes], count);
        }
        Poll::Ready(wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.farewell.is_some() {
            return Poll::Ready(Ok(buffers.iter().map(|buffer| buffer.len()).sum()));
        }
        let wrote = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, buffers));
        if let Ok(count) = wrote {
            this.sent(buffers.iter().map(|buffer| &**buffer), count);
        }
        Poll::Ready(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_some() { Poll::Ready(Ok(())) } else { Pin::new(&mut this.inner).poll_flush(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_some() { Poll::Ready(Ok(())) } else { Pin::new(&mut this.inner).poll_shutdown(cx) }
    }
}
