//! One caller on one connection, which it keeps.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::seen::{Seen, Versions};
use crate::process::PATIENCE;
use crate::wire;

/// When requests are due.
pub(super) struct Pace {
    next: Instant,
    interval: Duration,
}

impl Pace {
    /// For one of several callers that send so many requests a second together, evenly spread.
    pub(super) fn new(begun: Instant, rate: u32, callers: u32, number: u32) -> Self {
        let between = Duration::from_secs(1) / rate.max(1);
        Self { next: begun + between * number, interval: between * callers }
    }

    /// Waits for the next one, and says when it was due. Who is late does not wait, and makes good what was missed.
    fn due(&mut self) -> Instant {
        let due = self.next;
        self.next += self.interval;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due
    }
}

/// A caller.
pub(super) struct Caller {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    request: String,
}

impl Caller {
    pub(super) fn connect(port: u16) -> Result<Self, String> {
        let connected = || {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            let reader = BufReader::new(stream.try_clone()?);
            Ok(Self { stream, reader, request: format!("GET /soak HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n") })
        };
        connected().map_err(|error: std::io::Error| format!("no connection: {error}"))
    }

    /// The versions that the next request is served under.
    pub(super) fn ask(&mut self) -> Result<Versions, String> {
        self.stream.write_all(self.request.as_bytes()).map_err(|error| format!("a request was not sent: {error}"))?;
        let answer =
            wire::read_response(&mut self.reader, false).map_err(|error| format!("a request failed: {error}"))?;
        match answer.status() {
            200 => Versions::read(&answer.text()),
            _ => Err(format!("a request failed: {} {}", answer.start, answer.text())),
        }
    }

    /// Asks until told to stop; what was seen in each phase.
    pub(super) fn call(mut self, mut pace: Pace, phase: &AtomicUsize, stop: &AtomicBool) -> Result<[Seen; 3], String> {
        let mut seen = [Seen::default(), Seen::default(), Seen::default()];
        let mut last = Versions::FIRST;
        while !stop.load(Ordering::Relaxed) {
            let due = pace.due();
            let phase = phase.load(Ordering::Relaxed);
            let versions = self.ask()?;
            if !versions.follows(last) {
                return Err(format!("after {last:?} an older version came back: {versions:?}"));
            }
            last = versions;
            seen[phase].note(versions, due.elapsed());
        }
        Ok(seen)
    }
}
