//! Audit records of the real binary: one for each request and decision however it ends, also with a full
//! disk; and what the API shows and counts.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use keyward_testkit::process::{Keyward, PATIENCE};
use keyward_testkit::wire;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}, jwt: {enabled: true, config: {jwks_urls: ['file:///nonexistent']}}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true, config: {headers: {}}}}
";

const RULES: &str = "
- id: open
  match: {url: 'http://h/open', methods: [GET]}
  authenticators: [{handler: anonymous}]
  authorizer: {handler: allow}
  mutators: [{handler: header, config: {headers: {X-Key: s3cr3t}}}]
  upstream: {url: 'http://127.0.0.1:1'}
- id: token
  match: {url: 'http://h/token', methods: [GET]}
  authenticators: [{handler: jwt, config: {jwks_urls: ['http://127.0.0.1:1/jwks.json?key=s3cr3t']}}]
  authorizer: {handler: allow}
  mutators: [{handler: header}]
";

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, RULES)
}

#[test]
fn every_decision_has_a_record_with_an_id() {
    let running = keyward().start();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let long = format!("X-Request-Id: {}\r\n", "x".repeat(500));
    let parent = format!("X-Request-Id: r-1\r\nTraceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
    let rows = [
        ("/open", parent.as_str(), 200, "allowed", None),
        ("/none", long.as_str(), 404, "denied", Some("no_rule")),
        ("/token", "", 401, "denied", Some("credential_missing")),
        ("/open\\x", "", 400, "denied", Some("request_refused")),
    ];
    for (path, headers, status, _, _) in rows {
        let request = format!("GET /decisions{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n");
        assert_eq!(wire::exchange(running.api, request.as_bytes(), PATIENCE).unwrap().status(), status, "{path}");
    }
    let records = running.audit(rows.len());
    for ((path, _, status, outcome, reason), record) in rows.into_iter().zip(&records) {
        assert_eq!(record["status"], status, "{path}");
        assert_eq!((record["outcome"].as_str(), record["reason"].as_str()), (Some(outcome), reason), "{path}");
        assert!((1..=128).contains(&record["request_id"].as_str().unwrap().len()), "{record}");
    }
    assert_eq!((&records[0]["request_id"], &records[0]["trace_id"]), (&"r-1".into(), &trace.into()));
}

/// What the reference's log lines say of a request within a trace (serving spec 8.3, [T]).
#[test]
fn log_lines_of_denials_name_the_trace_and_the_rule() {
    let running = keyward().start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    assert_eq!(running.get("/token", &[("Host", "h"), ("Traceparent", &parent)]).status(), 401);
    let decision =
        format!("GET /decisions/token HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTraceparent: {parent}\r\n\r\n");
    assert_eq!(wire::exchange(running.api, decision.as_bytes(), PATIENCE).unwrap().status(), 401);
    for what in ["request denied", "decision: denied"] {
        running.until(what, |running| running.log().contains(what));
        let log = running.log();
        let line = log.lines().find(|line| line.contains(what)).unwrap();
        assert!(line.contains(trace) && line.contains("token"), "{line}");
    }
}

#[test]
fn a_request_that_cannot_be_read_has_a_record_too() {
    let running = keyward().start();
    let rows = [
        ("GET\r\n\r\n".to_owned(), 400),
        ("GET /open HTTP/1.1\r\nHost: h\r\nFoo Bar: x\r\n\r\n".to_owned(), 400),
        (format!("GET /open HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(200)), 431),
    ];
    for (request, status) in &rows {
        assert_eq!(wire::exchange(running.proxy, request.as_bytes(), PATIENCE).unwrap().status(), *status, "{request}");
    }
    // Connections on different cores write their records in any order.
    let mut statuses = Vec::new();
    for record in running.audit(rows.len()) {
        assert_eq!((&record["outcome"], &record["reason"]), (&"denied".into(), &"request_refused".into()), "{record}");
        statuses.push(record["status"].as_u64());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [Some(400), Some(400), Some(431)]);
}

/// hyper answers a target of more than 65,534 bytes with 414, where the whole head is there before it has read more than a
/// head may have.
#[test]
fn a_target_that_cannot_be_read_is_recorded_as_it_is_answered() {
    let running = keyward().env("SERVE_PROXY_WORKERS", "1").start();
    for (length, status) in [(65_500, 414), (65_534, 414), (65_535, 414), (140_000, 431)] {
        let request = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(length - 1));
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // All but the end of it has been read before that comes.
        let (first, last) = request.split_at(65_400);
        for part in [first, last] {
            stream.write_all(part.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(wire::read_response(&mut BufReader::new(stream), false).unwrap().status(), status, "{length}");
    }
    let recorded: Vec<_> = running.audit(4).iter().map(|record| record["status"].as_u64().unwrap()).collect();
    assert_eq!(recorded, [414, 414, 414, 431]);
    let unreadable = running.metric("keyward_gate_refusals_total{reason=\"unreadable\"}");
    let long = running.metric("keyward_gate_refusals_total{reason=\"target_size\"}");
    assert_eq!((unreadable, long), (Some(2.0), Some(2.0)), "hyper reads the first two");
}

#[test]
fn a_full_disk_stops_requests_but_not_the_end() {
    let mut running = keyward().env("AUDIT_PATH", "/dev/full").start();
    running.get("/open", &[("Host", "h")]);
    running.until("a refusal", |running| running.get("/open", &[("Host", "h")]).status() == 503);
    assert_eq!(running.metric("keyward_requests_shed_total{reason=\"audit\"}"), Some(1.0));
    running.signal("TERM");
    assert!(running.wait().success());
}

#[test]
fn rules_are_shown_without_headers_and_queries() {
    let running = keyward().start();
    let shown = running.api("/rules").unwrap().text();
    assert!(shown.contains("jwks.json?[redacted]") && shown.contains("X-Key"), "{shown}");
    let ready = running.api("/health/ready").unwrap().text();
    assert!(ready.contains("jwks.json?[redacted]"), "{ready}");
    for text in [shown, ready, running.api("/metrics").unwrap().text(), running.log()] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

/// As the reference counts: each but the probes, by the first segment of its path.
#[test]
fn requests_to_the_api_are_counted() {
    let running = keyward().start();
    for path in
        ["/rules", "/rules/open", "/rules/none?key=s3cr3t", "/nope/x", "/.well-known/jwks.json", "/health/alive"]
    {
        running.api(path).unwrap();
    }
    let counted = |path: &str, status: u16| {
        let labels = format!("service=\"oathkeeper-api\",method=\"GET\",request=\"{path}\",status_code=\"{status}\"");
        running.metric(&format!("ory_oathkeeper_requests_total{{{labels}"))
    };
    let rows = [("/rules", 200, Some(2.0)), ("/rules", 404, Some(1.0)), ("/nope", 404, Some(1.0))];
    let rows = rows.into_iter().chain([("/.well-known", 200, Some(1.0)), ("/health", 200, None)]);
    for (path, status, expected) in rows {
        assert_eq!(counted(path, status), expected, "{path} {status}");
    }
}
