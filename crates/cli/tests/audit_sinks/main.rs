//! Where audit records go, with the real binary: files that are rotated, collectors that come and go.

#![allow(clippy::unwrap_used)]

mod away;
mod collector;
mod dribbling;
mod frames;
mod leftovers;
mod rotation;
mod rotation_disk;
mod rotation_faults;
mod settings;
mod stalled;
mod talkative;

use std::collections::BTreeSet;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpStream;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire::{self, Message};
use serde_json::Value;

const CONFIG: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                      mutators: {noop: {enabled: true}, header: {enabled: true}}\n";

/// One rule for everything, and settings for audit records, which the environment does not name.
fn keyward(upstream: &Recorder, audit: &str) -> Keyward {
    let rules = format!(
        "- id: any\n  match: {{url: \"http://<[^/]*>/<.*>\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
        upstream.port
    );
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).without_env("AUDIT_SINK").without_env("AUDIT_PATH");
    keyward.with(&config(audit), &rules)
}

/// A configuration with these settings below `audit`.
fn config(audit: &str) -> String {
    format!("{CONFIG}audit: {{{audit}}}\n")
}

/// A caller that keeps its connection.
struct Caller {
    reader: BufReader<TcpStream>,
}

impl Caller {
    fn connect(running: &Running) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    fn ask(&mut self, path: &str) -> Message {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
        wire::read_response(&mut self.reader, false).unwrap()
    }
}

/// Asks for `/<first>`, `/<first + 1>` and so on over one connection; each must be served. Their paths.
fn ask(running: &Running, numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    let mut caller = Caller::connect(running);
    let paths: BTreeSet<String> = numbers.map(|number| format!("/{number}")).collect();
    for path in &paths {
        assert_eq!(caller.ask(path).status(), 200, "{path}\n{}", running.log());
    }
    paths
}

/// The paths of records of what was served, each of which is there once, and the number of records that others tell are lost.
fn served(records: &[Value]) -> (BTreeSet<String>, u64) {
    let (mut paths, mut lost) = (BTreeSet::new(), 0);
    for record in records {
        if record["audit"] == "gap" {
            lost += record["lost"].as_u64().unwrap();
        } else if record["outcome"] == "allowed" {
            assert!(paths.insert(record["path"].as_str().unwrap().to_owned()), "twice: {record}");
        }
    }
    (paths, lost)
}

/// What reached the upstream since the last call.
fn forwarded(upstream: &Recorder) -> BTreeSet<String> {
    upstream.take().iter().map(|request| request["target"].as_str().unwrap().to_owned()).collect()
}

/// Requests, at most, until nothing more is taken.
const MANY: usize = 30_000;
/// Long, so that few records fill much.
const PATH_LENGTH: usize = 3000;

fn long_path(number: usize) -> String {
    format!("/{number:0>PATH_LENGTH$}")
}

/// Asks until an answer is 503. The paths of what was served.
fn fill(running: &Running) -> BTreeSet<String> {
    let (mut caller, mut served) = (Caller::connect(running), BTreeSet::new());
    for number in 0..MANY {
        let path = long_path(number);
        let answer = caller.ask(&path);
        if answer.status() != 200 {
            assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")), "{number}");
            return served;
        }
        served.insert(path);
    }
    panic!("{MANY} requests were served")
}

fn serves_again(running: &Running, path: &str) {
    running.until("serving again", |running| running.get(path, &[]).status() == 200);
}
