//! Load on a server, and how it stands up to it: over many connections, either as much as it answers or so many
//! requests a second, whatever becomes of those before.

mod connection;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use self::connection::{Answer, Connection};
use crate::soak::Latencies;

/// A mutator that takes a core some milliseconds, whoever built the server: what is hashed depends on the request.
pub const COSTLY: &str = "{handler: header, config: {headers: {X-Costly: \
                          \"{{ $url := print .MatchContext.URL }}{{ range until 6 }}{{ sha512sum (repeat 8000 $url) }}{{ end }}\"}}}";
/// How long an answer may take. Far longer than any should: one that never comes is to be told from one that is late.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of the load.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that were due.
    pub offered: u64,
    /// Those of them that were not sent, since their connection still waited for an earlier answer.
    pub held_back: u64,
    /// Answered 200; how long each took from when it was sent.
    pub served: Latencies,
    /// Answered 503 with `Retry-After`.
    pub shed: Latencies,
    /// Whatever else happened, with how often it did.
    pub others: BTreeMap<String, u64>,
}

/// Connections that are kept, and who calls over them.
pub struct Callers {
    runtime: Runtime,
    port: u16,
    request: Arc<str>,
    connections: Vec<Connection>,
}

impl Callers {
    /// Connects so many times to a port on 127.0.0.1, and asks for nothing yet. They will GET `target`.
    ///
    /// # Errors
    /// When there is no connection to be had.
    pub fn connect(port: u16, target: &str, count: u32) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").into();
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..count {
                connections.push(Connection::open(port).await?);
            }
            io::Result::Ok(connections)
        })?;
        Ok(Self { runtime, port, request, connections })
    }

    /// Calls for so long: so many requests a second over all connections, or without a rate one after the other on
    /// each, at least once. Every answer is waited for.
    pub fn call(&mut self, rate: Option<f64>, length: Duration) -> Outcome {
        let connections = std::mem::take(&mut self.connections);
        let count = connections.len() as f64;
        let interval = rate.map(|rate| Duration::from_secs_f64(count / rate));
        let outcomes = self.runtime.block_on(async {
            let begun = Instant::now();
            let mut callers = JoinSet::new();
            for (number, connection) in connections.into_iter().enumerate() {
                // Evenly spread from the first one on.
                let first = begun + interval.unwrap_or_default().mul_f64(number as f64 / count);
                let caller = Caller { port: self.port, request: self.request.clone(), connection };
                callers.spawn(caller.call(first, interval, begun + length));
            }
            callers.join_all().await
        });
        let mut all = Outcome::default();
        for (connection, outcome) in outcomes {
            self.connections.push(connection);
            all.add(outcome);
        }
        all
    }

    /// One request on each connection, all at once.
    pub fn call_once(&mut self) -> Outcome {
        self.call(None, Duration::ZERO)
    }
}

/// One of them.
struct Caller {
    port: u16,
    request: Arc<str>,
    connection: Connection,
}

impl Caller {
    async fn call(mut self, mut due: Instant, interval: Option<Duration>, end: Instant) -> (Connection, Outcome) {
        let mut outcome = Outcome::default();
        loop {
            sleep_until(due).await;
            outcome.offered += 1;
            let sent = Instant::now();
            let answer = timeout(PATIENCE, self.connection.ask(self.port, &self.request)).await;
            outcome.note(answer.unwrap_or(Err(io::ErrorKind::TimedOut.into())), sent.elapsed());
            let now = Instant::now();
            match interval {
                None => due = now,
                Some(interval) => {
                    due += interval;
                    while due < now && due < end {
                        outcome.offered += 1;
                        outcome.held_back += 1;
                        due += interval;
                    }
                }
            }
            if due >= end {
                return (self.connection, outcome);
            }
        }
    }
}

impl Outcome {
    fn note(&mut self, answer: io::Result<Answer>, took: Duration) {
        let other = match answer {
            Ok(Answer { status: 200, .. }) => return self.served.note(took),
            Ok(Answer { status: 503, has_retry_after: true }) => return self.shed.note(took),
            Ok(Answer { status: 503, .. }) => "503 without Retry-After".to_owned(),
            Ok(Answer { status, .. }) => status.to_string(),
            Err(error) => format!("no answer: {error}"),
        };
        *self.others.entry(other).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.held_back += other.held_back;
        self.served.add(other.served);
        self.shed.add(other.shed);
        for (what, count) in other.others {
            *self.others.entry(what).or_default() += count;
        }
    }
}
