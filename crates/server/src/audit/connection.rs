//! The connection to a collector, from a thread that may wait: opened anew after pauses, written to with a limit on how long it may
//! take nothing.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use keyward_core::rule::upstream::UpstreamOrigin;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{timeout, timeout_at};

use crate::backoff::Backoff;
use crate::upstream::connect::UpstreamStream;
use crate::upstream::outbound::Connector;

/// How long a collector may take for some records, 32 KiB or one that is longer, before that is a failure.
const STALL: Duration = Duration::from_secs(1);
/// How long it may go on like that before another connection is tried.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// The pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A connection that lasts as long was a good one: the next is not put off.
const GOOD: Duration = Duration::from_secs(10);
/// When, without a record, a collector is asked whether it is still there, and then how often: what lies between may forget a
/// connection on which nothing goes, and the next record with it.
const KEEP_ALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10)).with_retries(6);
/// How often it is read before a record; a collector that does not stop talking is listened to later.
const MOST_READS: usize = 16;
/// What the system holds of what was sent, as asked for; Linux takes twice that. With a connection that breaks it is gone, so it is not
/// much.
const SEND_BUFFER: usize = 64 * 1024;

/// One collector, connected to or not.
pub(super) struct Connection {
    origin: UpstreamOrigin,
    /// As it was written.
    url: String,
    connector: Connector,
    /// Made by the thread that uses it: it must not end in one of another runtime.
    runtime: Option<Runtime>,
    open: Option<Open>,
    backoff: Backoff,
    /// After a failure: not before, and why.
    next: Option<(Instant, String)>,
}

struct Open {
    stream: UpstreamStream,
    since: Instant,
    /// It has taken nothing since then.
    stalled: Option<Instant>,
}

impl Connection {
    pub(super) fn new(origin: UpstreamOrigin, url: String, connector: Connector) -> Self {
        let backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        Self { origin, url, connector, runtime: None, open: None, backoff, next: None }
    }

    /// Sees to it that there is a connection that the collector has not closed. Whether it is another one than before.
    pub(super) fn ensure(&mut self) -> io::Result<bool> {
        if let Some(mut open) = self.open.take() {
            let ended = wait(&mut self.runtime, end_of(&mut open.stream))?;
            match ended {
                None => {
                    self.open = Some(open);
                    return Ok(false);
                }
                Some(cause) => self.broke(open.since, &cause),
            }
        }
        if let Some((next, cause)) = &self.next
            && Instant::now() < *next
        {
            return Err(io::Error::new(ErrorKind::NotConnected, format!("{}: {cause}", self.url)));
        }
        let opened = wait(&mut self.runtime, self.connector.connect(&self.origin))?;
        match opened.and_then(|stream| prepared(stream).map_err(|error| error.to_string())) {
            Ok(stream) => {
                tracing::info!(collector = self.url, "audit records have a connection");
                self.next = None;
                self.open = Some(Open { stream, since: Instant::now(), stalled: None });
                Ok(true)
            }
            Err(cause) => {
                self.next = Some((Instant::now() + self.backoff.failed(None), cause.clone()));
                Err(io::Error::new(ErrorKind::NotConnected, format!("{}: {cause}", self.url)))
            }
        }
    }

    /// Whether the collector takes nothing, as far as known.
    pub(super) fn is_stalled(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.stalled.is_some())
    }

    /// Whether there is a connection.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Sends bytes from a place on, for about a second. Up to which the connection has got them, and why no further, or, after the last
    /// one, why some of them are still here. Where there is a problem there is no connection afterwards, or one whose collector takes
    /// little or nothing at the moment.
    pub(super) fn send(&mut self, bytes: &[u8], from: usize) -> (usize, Option<io::Error>) {
        let Some(mut open) = self.open.take() else { return (from, Some(ErrorKind::NotConnected.into())) };
        let sent = wait(&mut self.runtime, push(&mut open.stream, bytes, from));
        let (at, problem) = sent.unwrap_or_else(|error| (from, Some(error)));
        if at > from || problem.is_none() {
            open.stalled = None;
        }
        let is_over = problem.as_ref().is_some_and(|error| {
            let is_stalled = error.kind() == ErrorKind::TimedOut;
            !is_stalled || open.stalled.get_or_insert_with(Instant::now).elapsed() >= GIVEN_UP
        });
        match &problem {
            Some(error) if is_over => self.broke(open.since, error),
            _ => self.open = Some(open),
        }
        (at, problem)
    }

    /// Tells that a connection has ended, and puts the next one off if it was not a good one.
    fn broke(&mut self, since: Instant, cause: &io::Error) {
        tracing::warn!(collector = self.url, %cause, "the connection of audit records ended: what was on its way may be lost");
        if since.elapsed() >= GOOD {
            self.backoff.succeeded();
        } else {
            self.next = Some((Instant::now() + self.backoff.failed(None), cause.to_string()));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(mut open) = self.open.take() {
            // A system that has something unread ends the connection with a reset, which takes along what was sent last.
            let _ = wait(&mut self.runtime, end_of(&mut open.stream));
        }
        // A name server that does not answer holds nothing up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) fn stalled() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the collector takes nothing")
}

/// Does what waits, on this thread.
fn wait<T>(runtime: &mut Option<Runtime>, what: impl Future<Output = T>) -> io::Result<T> {
    let runtime = match runtime {
        Some(runtime) => runtime,
        None => runtime.insert(Builder::new_current_thread().enable_all().build()?),
    };
    Ok(runtime.block_on(what))
}

/// Why a connection has ended, if it has. What a collector says is of no interest.
async fn end_of(stream: &mut UpstreamStream) -> Option<io::Error> {
    // So that what came meanwhile is known of.
    tokio::task::yield_now().await;
    let mut said = [0; 1024];
    for _ in 0..MOST_READS {
        match timeout(Duration::ZERO, stream.read(&mut said)).await {
            Err(_) => break,
            Ok(Ok(0)) => return Some(io::Error::new(ErrorKind::ConnectionReset, "the collector closed it")),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Some(error),
        }
    }
    None
}

/// However little a collector takes at a time, it takes no longer than that: there may be another sink to go over to.
async fn push(stream: &mut UpstreamStream, bytes: &[u8], from: usize) -> (usize, Option<io::Error>) {
    let (end, mut at) = (tokio::time::Instant::now() + STALL, from);
    while at < bytes.len() {
        match timeout_at(end, stream.write(&bytes[at..])).await {
            Ok(Ok(0)) => return (at, Some(ErrorKind::WriteZero.into())),
            Ok(Ok(count)) => at += count,
            Ok(Err(error)) => return (at, Some(error)),
            Err(_) => return (at, Some(stalled())),
        }
    }
    // With TLS some of it is still here.
    match timeout_at(end, stream.flush()).await {
        Ok(Ok(())) => (at, None),
        Ok(Err(error)) => (at, Some(error)),
        Err(_) => (at, Some(stalled())),
    }
}

fn prepared(stream: UpstreamStream) -> io::Result<UpstreamStream> {
    let tcp = match &stream {
        UpstreamStream::Plain(tcp) => tcp,
        UpstreamStream::Tls(tls) => tls.get_ref().0,
    };
    let socket = SockRef::from(tcp);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_tcp_keepalive(&KEEP_ALIVE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keyward_core::gate::Scheme;
    use tokio::net::{TcpListener, TcpStream};

    use super::super::sink::tests::outbound;
    use super::*;

    #[test]
    fn a_connection_that_ends_soon_puts_the_next_one_off_longer_each_time() {
        let origin = UpstreamOrigin { scheme: Scheme::Http, host: "h".to_owned(), port: 1 };
        let mut connection = Connection::new(origin, "tcp://h:1".to_owned(), outbound().connector());
        let mut pause_after = |lasted: Duration| {
            let begun = Instant::now();
            connection.next = None;
            connection.broke(begun.checked_sub(lasted).unwrap(), &ErrorKind::ConnectionReset.into());
            connection.next.as_ref().map(|(next, _)| *next - begun)
        };
        assert_eq!(pause_after(GOOD), None);
        assert!((0..3).all(|doubled| pause_after(Duration::ZERO).unwrap() > FIRST_PAUSE / 2 * (1 << doubled)));
        // A good one is forgiven what was before.
        assert_eq!(pause_after(GOOD), None);
        assert!(pause_after(Duration::ZERO).is_some());
    }

    #[tokio::test]
    async fn a_connection_is_kept_alive_and_holds_little() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let UpstreamStream::Plain(tcp) = &prepared(UpstreamStream::Plain(tcp)).unwrap() else { panic!("it is plain") };
        let socket = SockRef::from(tcp);
        assert!(socket.keepalive().unwrap() && socket.tcp_keepalive_time().unwrap() == Duration::from_secs(60));
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
    }
}
