//! What must not take requests along, with the real binary and real faults: docs/reliability.md says what is promised.

#![allow(clippy::unwrap_used)]

mod audit_sinks;
mod bad_rules;
mod bodies;
mod descriptors;
mod drain;
mod key_outage;
mod kill;
mod memory;
mod restarts;
mod rolling;
mod slow_upstreams;
mod storm;
mod vanishing;

use std::fs;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire::{self, Message};
use serde_json::Value;

const CONFIG: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                      mutators: {noop: {enabled: true}}\n";
const CALLERS: usize = 4;

/// A rule for one path.
fn rules(path: &str, upstream: &Recorder) -> String {
    format!(
        "- id: r\n  match: {{url: \"http://<[^/]*>/<({path}|always)>\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
         mutators: [{{handler: noop}}]\n  upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
        upstream.port
    )
}

/// One rule for everything.
fn keyward(upstream: u16) -> Keyward {
    let rules = format!(
        "- id: any\n  match: {{url: \"http://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    );
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules)
}

/// A caller that keeps its connection.
struct Caller {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Caller {
    fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    fn send(&mut self, target: &str) -> io::Result<()> {
        self.stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
    }

    fn answer(&mut self) -> io::Result<Message> {
        wire::read_response(&mut self.reader, false)
    }

    fn ask(&mut self, target: &str) -> io::Result<Message> {
        self.send(target)?;
        self.answer()
    }
}

/// Whether an answer says that its connection is about to end.
fn says_close(answer: &Message) -> bool {
    answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn start(upstream: &Recorder) -> Running {
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules("first", upstream)).start()
}

/// Asks over kept connections, as fast as it is answered, while something is done. Every request must be answered
/// well; how many there were.
fn under_load(running: &Running, act: impl FnOnce()) -> usize {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let call = || {
            let mut caller = Caller::connect(running.proxy).unwrap();
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = caller.ask("/always").unwrap();
                assert_eq!(answer.status(), 200, "request {count}: {}\n{}", answer.text(), running.log());
                count += 1;
                thread::sleep(Duration::from_millis(2));
            }
            count
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        // The callers end also when this fails.
        let acted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        stop.store(true, Ordering::Relaxed);
        let count = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
        acted.unwrap_or_else(|problem| std::panic::resume_unwind(problem));
        count
    })
}

fn status(running: &Running, path: &str) -> u16 {
    running.get(&format!("/{path}"), &[("Host", "h")]).status()
}

fn metric(running: &Running, name: &str) -> f64 {
    running.metric(name).unwrap()
}

/// Audit records that can be read, and lines that cannot.
fn records(running: &Running) -> (usize, usize) {
    let text = fs::read_to_string(running.path("audit.log")).unwrap_or_default();
    let readable = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    (readable, text.lines().count() - readable)
}
