//! A client connection whose bytes pass the head scanner, and whose slow heads are cut off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use keyward_core::gate::RefusalReason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head_scan::HeadScanner;
use super::stall::Stall;

/// What the scanner found, shared with the service: hyper hands over requests in order, so a request's
/// number on its connection tells whether it is the one that broke the rules. Atomic because hyper may
/// move an upgraded connection between threads.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<AtomicU64>);

const REASONS: [RefusalReason; 4] =
    [RefusalReason::FieldSize, RefusalReason::Framing, RefusalReason::Path, RefusalReason::Syntax];
const UPGRADED: u64 = u64::MAX;

impl Verdict {
    /// What is wrong with the head of the `number`th request, from 0.
    pub fn on(&self, number: u64) -> Option<RefusalReason> {
        let value = self.0.load(Ordering::Relaxed);
        let (head, reason) = (value >> 8, value & 0xff);
        (value != UPGRADED && head == number + 1).then(|| REASONS.get(reason as usize).copied()).flatten()
    }

    /// The connection carries another protocol from now on.
    pub fn stop_scanning(&self) {
        self.0.store(UPGRADED, Ordering::Relaxed);
    }

    fn set(&self, (head, reason): (u64, RefusalReason)) {
        let code = REASONS.iter().position(|known| *known == reason).unwrap_or(3);
        self.0.store((head + 1) << 8 | code as u64, Ordering::Relaxed);
    }

    fn is_upgraded(&self) -> bool {
        self.0.load(Ordering::Relaxed) == UPGRADED
    }
}

/// The wrapped connection.
pub struct ScannedIo<T> {
    inner: T,
    scanner: HeadScanner,
    verdict: Verdict,
    slow_head: Stall,
}

impl<T> ScannedIo<T> {
    /// Wraps a connection; a head must be complete within `header_timeout` of its first byte.
    pub fn new(inner: T, verdict: Verdict, header_timeout: Duration) -> Self {
        Self { inner, scanner: HeadScanner::default(), verdict, slow_head: Stall::new(header_timeout) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ScannedIo<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Pending => {
                if this.scanner.is_inside_head() {
                    ready!(this.slow_head.poll(cx));
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
                let fed = this.scanner.feed(&buffer.filled()[before..]);
                if let Some(violation) = this.scanner.violation() {
                    this.verdict.set(violation);
                }
                if !this.scanner.is_inside_head() {
                    this.slow_head.reset();
                }
                Poll::Ready(fed.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the chunk framing is broken")))
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ScannedIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
