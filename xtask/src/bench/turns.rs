//! Load over connections that are all open and take turns, however many there are. wrk would have a request under way on
//! each of them, and open them anew for each sample.

use std::cell::RefCell;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::wire;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::callers::ISSUE;
use super::rounds::Load;
use super::setup::{OTHER_CORE, Spoken};

/// Requests under way at a time.
const UNDER_WAY: usize = 32;
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections to one port.
pub(super) struct Turns {
    request: Vec<u8>,
    /// The connections, and the one whose turn it is.
    state: RefCell<(Vec<TcpStream>, usize)>,
    /// Every answer is as long as the first.
    answer_bytes: usize,
}

impl Turns {
    /// Opens so many, each with a first request that shows this header line.
    pub(super) fn open(port: u16, count: usize, header: &str) -> Result<Self, String> {
        let request = format!("GET {ISSUE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{header}\r\n\r\n").into_bytes();
        let open = || {
            let mut connections = Vec::with_capacity(count);
            let mut answer_bytes = 0;
            for _ in 0..count {
                let mut connection = TcpStream::connect(("127.0.0.1", port))?;
                connection.set_nodelay(true)?;
                connection.set_read_timeout(Some(PATIENCE))?;
                connection.write_all(&request)?;
                answer_bytes = first_answer(&mut connection)?;
                connections.push(connection);
            }
            Ok((connections, answer_bytes))
        };
        let (connections, answer_bytes) =
            open().map_err(|error: io::Error| format!("{count} connections to port {port}: {error}"))?;
        Ok(Self { request, state: RefCell::new((connections, 0)), answer_bytes })
    }
}

impl Load for Turns {
    fn spoken(&self) -> Spoken {
        Spoken::Http1
    }

    fn drive(&self, port: u16, seconds: u32, _: u32) -> Result<u64, String> {
        let mut state = self.state.borrow_mut();
        let (connections, next) = &mut *state;
        let until = Instant::now() + Duration::from_secs(seconds.into());
        let turns = thread::scope(|scope| {
            let (request, answer_bytes) = (&self.request, self.answer_bytes);
            let caller = scope.spawn(move || {
                stay_away_from_the_proxy()?;
                take_turns(connections, next, request, answer_bytes, until)
            });
            caller.join().map_err(|_| "a caller panicked".to_owned())
        })?;
        turns.map_err(|error| format!("port {port} answered badly: {error}"))
    }
}

/// Goes on with the next connections until it is time; how many requests were answered.
fn take_turns(
    connections: &mut [TcpStream],
    next: &mut usize,
    request: &[u8],
    answer_bytes: usize,
    until: Instant,
) -> io::Result<u64> {
    let mut answered = 0;
    let mut answer = vec![0; answer_bytes];
    while Instant::now() < until {
        let turn = *next..(*next + UNDER_WAY).min(connections.len());
        *next = if turn.end == connections.len() { 0 } else { turn.end };
        for connection in &mut connections[turn.clone()] {
            connection.write_all(request)?;
        }
        for connection in &mut connections[turn] {
            connection.read_exact(&mut answer)?;
            if !answer.starts_with(b"HTTP/1.1 200 ") || !answer.ends_with(b"}") {
                return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
            }
            answered += 1;
        }
    }
    Ok(answered)
}

/// Reads an answer whose length is not known yet; how long it was.
fn first_answer(connection: &mut TcpStream) -> io::Result<usize> {
    let mut copy = Vec::new();
    let answer = wire::read_response(&mut BufReader::new(Copying { connection, copy: &mut copy }), false)?;
    match answer.status() {
        200 => Ok(copy.len()),
        status => Err(io::Error::other(format!("it answers {status}"))),
    }
}

/// Keeps what is read.
struct Copying<'a> {
    connection: &'a mut TcpStream,
    copy: &'a mut Vec<u8>,
}

impl Read for Copying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.connection.read(buffer)?;
        self.copy.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

/// On the core of the other generators.
fn stay_away_from_the_proxy() -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(OTHER_CORE.parse().map_err(io::Error::other)?);
    Ok(sched_setaffinity(None, &cores)?)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use keyward_testkit::scripted;

    use super::*;

    /// Answers every request of a connection alike, but one of a number with an error; how many there were is sent on
    /// when the connection ends.
    fn upstream(bad: Option<usize>) -> (u16, mpsc::Receiver<usize>) {
        let (counts, received) = mpsc::channel();
        let port = scripted::upstream(move |mut stream| {
            let mut count = 0;
            while !scripted::read_head(&mut stream).is_empty() {
                let status = if bad == Some(count) { "503 Service Unavailable" } else { "200 OK" };
                count += 1;
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
            let _ = counts.send(count);
        });
        (port, received)
    }

    fn turns(turns: &Turns) -> io::Result<u64> {
        let (connections, next) = &mut *turns.state.borrow_mut();
        let until = Instant::now() + Duration::from_millis(100);
        take_turns(connections, next, &turns.request, turns.answer_bytes, until)
    }

    #[test]
    fn no_connection_has_two_turns_more_than_another() {
        for connections in [1, 7, UNDER_WAY, 2 * UNDER_WAY + 1] {
            let (port, counts) = upstream(None);
            let open = Turns::open(port, connections, "Authorization: Bearer x").unwrap();
            let answered = turns(&open).unwrap() as usize;
            drop(open);
            let counts: Vec<usize> = counts.iter().take(connections).collect();
            // The first request of each belongs to no turn.
            assert_eq!(counts.iter().sum::<usize>(), answered + connections);
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }

    #[test]
    fn a_bad_answer_is_an_error() {
        for bad in [0, 1] {
            let (port, _counts) = upstream(Some(bad));
            let outcome = Turns::open(port, 2, "Authorization: Bearer x").map(|open| turns(&open).is_ok());
            assert_ne!(outcome, Ok(true), "request {bad}");
        }
    }
}
