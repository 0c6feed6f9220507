//! Upstreams that answer in unusual ways, break off or close at bad moments, against the real binary.

#![allow(clippy::unwrap_used)]

mod early;
mod pieces;
mod resets;
mod reuse;

use std::io::BufReader;
use std::net::TcpStream;

use keyward_testkit::process::{Keyward, PATIENCE, Running};

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";

/// Keyward in front of an upstream, with one core: connections are pooled per core.
fn serve(port: u16) -> Running {
    let rules = format!(
        "- id: any\n  match: {{url: \"http://<[^/]*>/<.*>\", methods: [GET, POST, PUT, DELETE]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{port}\"}}\n"
    );
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules).env("SERVE_PROXY_WORKERS", "1").start()
}

/// A caller's connection, and what reads its answers.
fn connect(running: &Running) -> (TcpStream, BufReader<TcpStream>) {
    let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let reader = BufReader::new(stream.try_clone().unwrap());
    (stream, reader)
}
