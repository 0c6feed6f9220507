//! One connection to an upstream: what came and nobody has taken yet, and what has to go out.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::upstream::connect::UpstreamStream;

/// Room for one read, in bytes. No power of two: buffers that begin at the same place of their pages push each other
/// out of the processor's cache.
const FIRST_READ: usize = 7 * 1024;
/// With less room than that, in bytes, a read gets new room.
const LEAST_READ: usize = 512;
/// The most room for one read, once reads have filled what they had.
const MAX_READ: usize = 64 * 1024;

/// A connection that speaks HTTP/1.1, and has one exchange at a time.
pub struct Connection {
    io: UpstreamStream,
    /// What came and was not taken, with room for more.
    input: BytesMut,
    /// How much room the next read gets.
    next_read: usize,
    /// What goes out next: heads, and what frames bodies.
    pub(super) output: BytesMut,
    /// How many bytes of the exchange under way have gone out.
    sent: u64,
}

impl Connection {
    /// A connection that has just been made.
    pub fn new(io: UpstreamStream) -> Self {
        Self { io, input: BytesMut::new(), next_read: FIRST_READ, output: BytesMut::new(), sent: 0 }
    }

    /// What came and was not taken.
    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Takes so many bytes of it.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        self.input.split_to(count.min(self.input.len())).freeze()
    }

    /// Drops so many bytes of it.
    pub(super) fn skip(&mut self, count: usize) {
        self.input.advance(count.min(self.input.len()));
    }

    /// Reads what comes next, and how much that was; nothing at the end of the stream.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < LEAST_READ {
            self.input.reserve(self.next_read);
        }
        // There may be more room than was asked for.
        let room = (self.input.capacity() - self.input.len()).min(self.next_read);
        let count = ready!(pin!(self.io.read_buf(&mut (&mut self.input).limit(room))).poll(cx))?;
        if count == room {
            self.next_read = (self.next_read * 2).min(MAX_READ);
        }
        Poll::Ready(Ok(count))
    }

    /// Writes what is in `output`, then a part of a body, and hands over what TLS holds back.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, part: &mut Bytes) -> Poll<io::Result<()>> {
        loop {
            let bytes = if self.output.is_empty() { &part[..] } else { &self.output[..] };
            if bytes.is_empty() {
                return Pin::new(&mut self.io).poll_flush(cx);
            }
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count as u64;
            if self.output.is_empty() { part.advance(count) } else { self.output.advance(count) }
        }
    }

    /// Begins an exchange: nothing of it has gone out.
    pub(super) fn begin(&mut self) -> &mut BytesMut {
        self.sent = 0;
        &mut self.output
    }

    /// How many bytes of the exchange under way have gone out.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether another request may go over it: nothing came that nobody asked for, and the peer has not ended it. Costs
    /// no system call as long as nothing has happened.
    pub fn is_quiet(&mut self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        if !self.input.is_empty() || !self.output.is_empty() {
            return false;
        }
        if self.io.poll_readable(cx).is_pending() {
            return true;
        }
        // What concerns TLS alone, such as tickets, is read on the way.
        let mut byte = [0];
        Pin::new(&mut self.io).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Lets go of what is needed only while something is under way.
    pub fn rest(&mut self) {
        self.input = BytesMut::new();
        self.output = BytesMut::new();
        self.next_read = FIRST_READ;
    }
}

/// After it has switched protocols: what came with the answer comes first.
impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.input.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buffer);
        }
        let count = this.input.len().min(buffer.remaining());
        buffer.put_slice(&this.input[..count]);
        this.skip(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
