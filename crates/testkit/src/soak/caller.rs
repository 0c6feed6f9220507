//! One caller on one connection, which it keeps.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::documents::PATHS;
use super::seen::{Answer, Seen, Versions};
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
    /// One for a rule of either kind, which take turns.
    requests: [String; 2],
    sent: usize,
}

impl Caller {
    pub(super) fn connect(port: u16) -> Result<Self, String> {
        let connected = || {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            let reader = BufReader::new(stream.try_clone()?);
            let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
            Ok(Self { stream, reader, requests: PATHS.map(request), sent: 0 })
        };
        connected().map_err(|error: std::io::Error| format!("no connection: {error}"))
    }

    /// What the next request is served under.
    pub(super) fn ask(&mut self) -> Result<Answer, String> {
        let request = &self.requests[self.sent % self.requests.len()];
        self.sent += 1;
        self.stream.write_all(request.as_bytes()).map_err(|error| format!("a request was not sent: {error}"))?;
        let answer =
            wire::read_response(&mut self.reader, false).map_err(|error| format!("a request failed: {error}"))?;
        match answer.status() {
            200 => {
                let rules_version =
                    answer.header("x-keyward-rules-version").ok_or("an answer has no version of the rules")?;
                Ok(Answer { rules_version: rules_version.to_owned(), versions: Versions::read(&answer.text())? })
            }
            _ => Err(format!("a request failed: {} {}", answer.start, answer.text())),
        }
    }

    /// What both kinds of rules are served under, asked one right after the other.
    pub(super) fn ask_both(&mut self) -> Result<Versions, String> {
        let first = self.ask()?.versions;
        Ok(self.ask()?.versions.with_rules_of(first))
    }

    /// Asks until told to stop; what was seen in each phase.
    pub(super) fn call(mut self, mut pace: Pace, phase: &AtomicUsize, stop: &AtomicBool) -> Result<[Seen; 3], String> {
        let mut seen = [Seen::default(), Seen::default(), Seen::default()];
        let mut last = Versions::FIRST;
        while !stop.load(Ordering::Relaxed) {
            let due = pace.due();
            let phase = phase.load(Ordering::Relaxed);
            let answer = self.ask()?;
            if !answer.versions.follows(last) {
                return Err(format!("after {last:?} an older version came back: {answer:?}"));
            }
            last = answer.versions.with_rules_of(last);
            seen[phase].note(answer, due.elapsed());
        }
        Ok(seen)
    }
}
