//! Upstreams that give back what was put into the request to them, against the real binary.

#![allow(clippy::unwrap_used)]

mod bodies;
mod heads;
mod other_ways;

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

/// Not the same when it is written for a URL, JSON or HTML.
const SECRET: &str = "s3cr3t/value+0123";
const PASSWORD: &str = "passw0rd&more";
/// `ci:` and the password.
const BASIC: &str = "Y2k6cGFzc3cwcmQmbW9yZQ==";

/// Rules by what they put in: `/bearer`, `/key`, `/basic`, `/cookie`, `/short`, `/own`, which gives the caller's own
/// credential on, `/written` and `/named`, which have the value itself in the rule, and `/none`.
fn keyward(upstream: &str, settings: &str) -> Keyward {
    let rule = |id: &str, mutator: &str| {
        format!(
            "- id: {id}\n  match: {{url: \"http://<[^/]*>/{id}\", methods: [GET, HEAD, POST]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{mutator}]\n  \
             upstream: {{url: \"{upstream}\"}}\n"
        )
    };
    let header = |name: &str, value: &str| format!("{{handler: header, config: {{headers: {{{name}: '{value}'}}}}}}");
    let rules = [
        rule("bearer", &header("Authorization", "Bearer {{ env \"TOKEN\" }}")),
        rule("key", &header("X-Api-Key", "{{ env \"TOKEN\" }}")),
        rule("basic", &header("Authorization", "Basic {{ env \"BASIC\" }}")),
        rule("cookie", "{handler: cookie, config: {cookies: {session: '{{ env \"TOKEN\" }}'}}}"),
        rule("short", &header("X-Api-Key", "{{ env \"SHORT\" }}")),
        rule("own", &header("Authorization", "Bearer {{ .MatchContext.Header.Get \"X-Own\" }}")),
        rule("written", &header("Authorization", &format!("Bearer {SECRET}"))),
        rule("named", &header("X-Named", SECRET)),
        rule("none", "{handler: noop}"),
    ];
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
        .with(&config(settings), &rules.concat())
        .env("SERVE_PROXY_WORKERS", "1")
        .env("TOKEN", SECRET)
        .env("BASIC", BASIC)
        .env("SHORT", "short")
}

fn config(settings: &str) -> String {
    format!(
        "serve: {{proxy: {{echoed_credentials: {{{settings}}}}}}}\nauthenticators: {{anonymous: {{enabled: true}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\n\
         mutators: {{header: {{enabled: true}}, cookie: {{enabled: true}}, noop: {{enabled: true}}}}\n"
    )
}

/// An upstream that answers everything with these pieces, each in a write of its own; counts its connections.
fn answering(pieces: &[&str]) -> (String, Arc<AtomicUsize>) {
    let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let port = upstream(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        stream.set_nodelay(true).unwrap();
        while !read_head(&mut stream).is_empty() {
            for piece in &pieces {
                if stream.write_all(piece.as_bytes()).is_err() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    });
    (format!("http://127.0.0.1:{port}"), connections)
}

/// What a caller gets, byte for byte.
fn raw(running: &Running, method: &str, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    String::from_utf8_lossy(&wire::drain(&mut stream, 4 * 1024 * 1024)).into_owned()
}

/// The caller's answer is Keyward's own, in the reference's form, and the record says why.
fn assert_refused(running: &Running, seen: &str, what: &str) {
    assert!(seen.starts_with("HTTP/1.1 502 "), "{what}: {seen}");
    let body: serde_json::Value = serde_json::from_str(seen.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!((&body["error"]["code"], &body["error"]["status"]), (&502.into(), &"Bad Gateway".into()), "{what}");
    let record = running.audit(1).remove(0);
    assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"credential_echoed".into()), "{what}");
    assert_eq!((&record["status"], &record["upstream_status"]), (&502.into(), &200.into()), "{what}");
}
