//! A client connection whose bytes pass the head scanner, and whose slow heads and stalled readers are
//! cut off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use keyward_core::gate::RefusalReason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::head_scan::{BrokenChunks, HeadScanner};
use super::stall::Stall;

/// What the scanner found, shared with the service: hyper hands over requests in order, so a request's
/// number on its connection tells whether it is the one that broke the rules. Atomic because hyper may
/// move an upgraded connection between threads.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<Findings>);

#[derive(Debug, Default)]
struct Findings {
    /// Which head broke the rules, from 1, and how.
    violation: AtomicU64,
    /// One more than the heads that came, when the last wait for bytes began with all of them whole and nothing left to
    /// be written; [`BEGUN`] when it began inside of a head; otherwise 0.
    rest: AtomicU64,
}

const REASONS: [RefusalReason; 4] =
    [RefusalReason::FieldSize, RefusalReason::Framing, RefusalReason::Path, RefusalReason::Syntax];
const UPGRADED: u64 = u64::MAX;
const BEGUN: u64 = u64::MAX;

impl Verdict {
    /// What is wrong with the head of the `number`th request, from 0.
    pub fn on(&self, number: u64) -> Option<RefusalReason> {
        let value = self.0.violation.load(Ordering::Relaxed);
        let (head, reason) = (value >> 8, value & 0xff);
        (value != UPGRADED && head == number + 1).then(|| REASONS.get(reason as usize).copied()).flatten()
    }

    /// The connection carries another protocol from now on.
    pub fn stop_scanning(&self) {
        self.0.violation.store(UPGRADED, Ordering::Relaxed);
    }

    /// Whether the peer has sent so many whole requests and nothing else, and has been sent everything.
    pub fn is_at_rest_after(&self, requests: u64) -> bool {
        self.0.rest.load(Ordering::Relaxed) == requests + 1
    }

    /// Whether the peer has begun a head, and more of it is waited for.
    pub fn is_inside_head(&self) -> bool {
        self.0.rest.load(Ordering::Relaxed) == BEGUN
    }

    fn set(&self, (head, reason): (u64, RefusalReason)) {
        let code = REASONS.iter().position(|known| *known == reason).unwrap_or(3);
        self.0.violation.store((head + 1) << 8 | code as u64, Ordering::Relaxed);
    }

    fn is_upgraded(&self) -> bool {
        self.0.violation.load(Ordering::Relaxed) == UPGRADED
    }
}

/// The wrapped connection.
pub struct ScannedIo<T> {
    inner: T,
    scanner: HeadScanner,
    verdict: Verdict,
    /// Chunk framing broke: what came before has been handed over, nothing else will be.
    broken: bool,
    /// A head did not end in time, and nothing else is under way.
    late: bool,
    slow_head: Stall,
    slow_reader: Stall,
    /// Nothing will be sent any more; what still comes is thrown away for a while.
    lingers: Option<Stall>,
}

/// A stream that can be waited on without room for what will come.
pub(super) trait Readable {
    /// Ready when reading would not wait, be it for bytes, the end or an error.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Readable for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}

impl Readable for Box<TlsStream<TcpStream>> {
    /// Only where reading had to wait before: then nothing of TLS is held back.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_ref().0.poll_read_ready(cx)
    }
}

/// How long a caller who still sends may take to notice its answer.
const LINGER: Duration = Duration::from_secs(2);

impl<T> ScannedIo<T> {
    /// Wraps a connection; a head must be complete within `header_timeout` of its first byte, and the peer
    /// must take what it is sent without a pause longer than `write_timeout`.
    pub fn new(inner: T, verdict: Verdict, header_timeout: Duration, write_timeout: Duration) -> Self {
        Self {
            inner,
            scanner: HeadScanner::default(),
            verdict,
            broken: false,
            late: false,
            slow_head: Stall::new(header_timeout),
            slow_reader: Stall::new(write_timeout),
            lingers: None,
        }
    }

    /// Whether it ended because a head did not, so that the caller can still be told.
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }

    /// Lets go of what is needed only while something is under way.
    pub(super) fn rest(&mut self) {
        self.slow_head.rest();
        self.slow_reader.rest();
    }

    /// Notes what a wait begins with; `rests` when nothing is left to be written.
    fn note_rest(&self, rests: bool) {
        let rest = match (self.scanner.is_inside_head(), rests && self.scanner.is_between_requests()) {
            (true, _) => BEGUN,
            (false, true) => self.scanner.heads() + 1,
            (false, false) => 0,
        };
        self.verdict.0.rest.store(rest, Ordering::Relaxed);
    }

    /// Limits the wait for a peer that does not read.
    fn taken<O>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<O>>) -> Poll<io::Result<O>> {
        if wrote.is_ready() {
            self.slow_reader.reset();
        } else if !self.verdict.is_upgraded() {
            self.note_rest(false);
            ready!(self.slow_reader.poll(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the caller does not read")));
        }
        wrote
    }
}

impl<T: Readable> Readable for ScannedIo<T> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_readable(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ScannedIo<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.broken {
            return Poll::Ready(Err(broken_chunks()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Pending => {
                this.note_rest(!this.slow_reader.runs());
                if this.scanner.is_inside_head() && !this.verdict.is_upgraded() {
                    ready!(this.slow_head.poll(cx));
                    this.late = !this.slow_reader.runs();
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the request head came too slowly",
                    )));
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                if this.verdict.is_upgraded() {
                    return Poll::Ready(Ok(()));
                }
                let heads = this.scanner.heads();
                let fed = this.scanner.feed(&buffer.filled()[before..]);
                if let Some(violation) = this.scanner.violation() {
                    this.verdict.set(violation);
                }
                if this.scanner.heads() != heads || !this.scanner.is_inside_head() {
                    this.slow_head.reset();
                }
                let Err(BrokenChunks { sound }) = fed else { return Poll::Ready(Ok(())) };
                this.broken = true;
                if sound == 0 {
                    return Poll::Ready(Err(broken_chunks()));
                }
                // The request before the broken line gets its answer only when hyper sees its head.
                buffer.set_filled(before + sound);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ScannedIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.taken(cx, wrote)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.taken(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingers.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        if this.scanner.is_between_requests() || this.verdict.is_upgraded() {
            return Poll::Ready(Ok(()));
        }
        // Closing with bytes unread resets the connection, and that can destroy the answer before the
        // caller has read it (RFC 9112 section 9.6).
        let limit = this.lingers.get_or_insert_with(|| Stall::new(LINGER));
        let mut waste = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut waste);
            let ended = match Pin::new(&mut this.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => buffer.filled().is_empty(),
                Poll::Ready(Err(_)) => true,
                Poll::Pending => {
                    ready!(limit.poll(cx));
                    true
                }
            };
            if ended || limit.poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

fn broken_chunks() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the chunk framing is broken")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair(verdict: Verdict) -> (ScannedIo<TcpStream>, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let limit = Duration::from_secs(60);
        (ScannedIo::new(listener.accept().await.unwrap().0, verdict, limit, limit), peer)
    }

    /// Reads what is there, until that would wait.
    async fn read_all(io: &mut ScannedIo<TcpStream>, mut expected: usize) {
        let mut bytes = [0; 256];
        while expected > 0 {
            expected -= io.read(&mut bytes).await.unwrap();
        }
        let waits = poll_fn(|cx| Poll::Ready(Pin::new(&mut *io).poll_read(cx, &mut ReadBuf::new(&mut bytes))));
        assert!(waits.await.is_pending());
    }

    #[tokio::test]
    async fn a_connection_is_at_rest_when_whole_requests_came_and_all_were_handed_over() {
        const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        const POST: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
        // What came, the requests that were handed over, whether the connection is at rest.
        let rows = [
            (String::new(), 0, true),
            (GET.into(), 1, true),
            (GET.into(), 0, false),
            (format!("{GET}{GET}"), 1, false),
            (format!("{GET}{GET}"), 2, true),
            ("G".into(), 0, false),
            (format!("{GET}G"), 1, false),
            (format!("{GET}\r\n"), 1, false),
            (format!("{POST}x"), 1, false),
            (format!("{POST}xy"), 1, true),
            ("GET / HTTP/1.1\nHost: h\r\n\r\n".into(), 1, false),
        ];
        for (came, requests, expected) in rows {
            let verdict = Verdict::default();
            let (mut io, mut peer) = pair(verdict.clone()).await;
            // It was at rest before anything came.
            read_all(&mut io, 0).await;
            peer.write_all(came.as_bytes()).await.unwrap();
            read_all(&mut io, came.len()).await;
            assert_eq!(verdict.is_at_rest_after(requests), expected, "{came:?}, {requests}");
        }
    }

    #[tokio::test]
    async fn a_connection_whose_peer_has_not_taken_everything_is_not_at_rest() {
        let verdict = Verdict::default();
        let (mut io, mut peer) = pair(verdict.clone()).await;
        read_all(&mut io, 0).await;
        assert!(verdict.is_at_rest_after(0));
        let mut sent = 0;
        let mut write = poll_fn(|cx| Poll::Ready(Pin::new(&mut io).poll_write(cx, &[0; 65536])));
        while let Poll::Ready(count) = (&mut write).await {
            sent += count.unwrap();
        }
        assert!(!verdict.is_at_rest_after(0));
        read_all(&mut io, 0).await;
        assert!(!verdict.is_at_rest_after(0));
        // One more byte, which goes out once the peer has made room.
        let taken = async {
            let mut room = vec![0; 65536];
            let mut left = sent + 1;
            while left > 0 {
                left -= peer.read(&mut room).await.unwrap();
            }
        };
        let (wrote, ()) = tokio::join!(io.write_all(&[0]), taken);
        wrote.unwrap();
        read_all(&mut io, 0).await;
        assert!(verdict.is_at_rest_after(0));
    }
}
