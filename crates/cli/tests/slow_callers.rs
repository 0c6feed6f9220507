//! Callers that hold connections and hardly use them: what ends them, what they cost, and that others are served.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::slow::{KINDS, Slow, SlowCaller};
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::wire::drain;
use tokio_rustls::rustls::ClientConfig;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";
/// Of every kind, so many.
const EACH: usize = 40;
const MOST_GROWTH_KIB: u64 = 32 * 1024;

/// A server, over TLS or not, and what its callers trust.
fn start(tls: bool, variables: &[(&str, &str)]) -> (Running, Option<Arc<ClientConfig>>) {
    let upstream = Recorder::start(true).port;
    let rules = format!(
        "- id: any\n  match: {{url: \"<https?>://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    );
    let mut keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules);
    for (name, value) in variables {
        keyward = keyward.env(name, value);
    }
    if !tls {
        return (keyward.start(), None);
    }
    let authority = Authority::new();
    (keyward.with_tls(&authority).start(), Some(authority.client(&[b"http/1.1"])))
}

fn honest(running: &Running, tls: Option<&Arc<ClientConfig>>) -> u16 {
    match tls {
        None => running.get("/honest", &[]).status(),
        Some(config) => {
            let mut client = TlsClient::connect(running.proxy, config, PATIENCE).unwrap();
            client.get("/honest", "h").unwrap().status()
        }
    }
}

/// However slowly they drip, heads end with the limit on heads, bodies with that on pauses, silence with that on idle
/// connections.
#[test]
fn each_kind_of_slowness_has_its_end() {
    let limits =
        [("SERVE_PROXY_TIMEOUT_HEADER", "1s"), ("SERVE_PROXY_TIMEOUT_READ", "1s"), ("SERVE_PROXY_TIMEOUT_IDLE", "2s")];
    for tls in [false, true] {
        let (running, config) = start(tls, &limits);
        for slow in KINDS {
            let mut caller = SlowCaller::connect(running.proxy, config.as_ref(), slow, PATIENCE).unwrap();
            caller.drip().unwrap();
            let said = String::from_utf8(caller.end().expect("an end")).unwrap();
            let first = said.lines().next().unwrap_or_default();
            // Who has asked for nothing is told nothing (RFC 9110 section 15.5.9).
            assert_eq!(
                first,
                if slow == Slow::Silence { "" } else { "HTTP/1.1 408 Request Timeout" },
                "{slow:?} {tls}"
            );
        }
        running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
    }
}

/// In the form of other refusals, on a fresh connection and on one that was used, and when so little came that it could
/// have become HTTP/2; with a record.
#[test]
fn a_head_that_is_late_is_answered_408_counted_and_recorded() {
    for tls in [false, true] {
        let limits = [("SERVE_PROXY_TIMEOUT_HEADER", "500ms"), ("SERVE_PROXY_WORKERS", "1")];
        let (running, config) = start(tls, &limits);
        let served = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
        let begun = ["P".to_owned(), "GET /x".to_owned(), format!("{served}GET /secret HTTP/1.1\r\nX-Secret: 1")];
        for begun in &begun {
            let mut caller = SlowCaller::connect(running.proxy, config.as_ref(), Slow::Silence, PATIENCE).unwrap();
            caller.say(begun.as_bytes()).unwrap();
            let said = String::from_utf8(caller.end().expect("an end")).unwrap();
            let last = &said[said.rfind("HTTP/1.1 ").unwrap()..];
            let (head, body) = last.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{begun}: {said}");
            assert!(head.contains("connection: close") && head.contains("content-type: application/json"), "{head}");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!((&body["error"]["code"], &body["error"]["message"]), (&408.into(), &"Request Timeout".into()));
        }
        let records = running.audit(4);
        let late: Vec<_> = records.iter().filter(|record| record["status"] == 408).collect();
        assert_eq!(late.len(), 3, "{records:?}");
        assert!(late.iter().all(|record| record["reason"] == "request_refused" && record["path"].is_null()));
        let counted = running.metric("keyward_gate_refusals_total{reason=\"header_timeout\"}");
        assert_eq!(counted, Some(3.0));
        assert!(!running.log().to_lowercase().contains("secret"), "{}", running.log());
    }
}

/// A head that has begun has the time of a head, also where a connection without one has less: on a fresh connection, and
/// on one that was used and had been quiet for a while.
#[test]
fn a_head_has_its_time_however_short_that_of_idle_connections_is() {
    for tls in [false, true] {
        let limits =
            [("SERVE_PROXY_TIMEOUT_HEADER", "2s"), ("SERVE_PROXY_TIMEOUT_IDLE", "400ms"), ("SERVE_PROXY_WORKERS", "1")];
        let (running, config) = start(tls, &limits);
        let connect = || SlowCaller::connect(running.proxy, config.as_ref(), Slow::Silence, PATIENCE).unwrap();
        // Requests that are served before, and how long nothing comes after them.
        for (served, pause) in [(0, 0), (1, 0), (1, 250)] {
            let (mut silent, mut caller) = (connect(), connect());
            for caller in [&mut silent, &mut caller] {
                caller.say("GET /x HTTP/1.1\r\nHost: h\r\n\r\n".repeat(served).as_bytes()).unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(pause));
            caller.say(b"GET /x HTTP/1.1\r\nX-Se").unwrap();
            let said = |caller: SlowCaller| String::from_utf8(caller.end().expect("an end")).unwrap();
            let counts = |said: String| ["1.1 200 OK", "1.1 408 Request"].map(|status| said.matches(status).count());
            assert_eq!(counts(said(silent)), [served, 0], "{tls}, {pause}");
            assert_eq!(counts(said(caller)), [served, 1], "{tls}, {pause}");
        }
        let counted = running.metric("keyward_gate_refusals_total{reason=\"header_timeout\"}");
        assert_eq!(counted, Some(3.0), "{tls}");
        let late = running.audit(7).into_iter().filter(|record| record["status"] == 408).count();
        assert_eq!(late, 3, "{tls}");
    }
}

/// The other ports too.
#[test]
fn a_head_that_is_late_is_answered_408_on_the_api_port() {
    for (idle, served) in [("120s", 0), ("200ms", 0), ("200ms", 1)] {
        let (running, _) = start(false, &[("SERVE_API_TIMEOUT_HEADER", "1s"), ("SERVE_API_TIMEOUT_IDLE", idle)]);
        let mut caller = SlowCaller::connect(running.api, None, Slow::Silence, PATIENCE).unwrap();
        let before = "GET /health/alive HTTP/1.1\r\nHost: h\r\n\r\n".repeat(served);
        caller.say(format!("{before}GET /health/alive HTTP/1.1\r\nX-Slow: x").as_bytes()).unwrap();
        let said = String::from_utf8(caller.end().expect("an end")).unwrap();
        let last = said.rfind("HTTP/1.1 ").map_or("", |start| &said[start..]);
        assert!(last.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{idle}, {served}: {said}");
    }
}

/// With a request before, or none.
#[test]
fn connections_of_the_api_port_that_ask_for_nothing_end() {
    let (running, _) = start(false, &[("SERVE_API_TIMEOUT_IDLE", "200ms")]);
    for served in [0, 2] {
        let mut caller = SlowCaller::connect(running.api, None, Slow::Silence, PATIENCE).unwrap();
        caller.say("GET /health/alive HTTP/1.1\r\nHost: h\r\n\r\n".repeat(served).as_bytes()).unwrap();
        let said = String::from_utf8(caller.end().expect("an end")).unwrap();
        assert_eq!(
            (said.matches("HTTP/1.1 200").count(), said.matches("HTTP/1.1 ").count()),
            (served, served),
            "{said}"
        );
    }
}

/// Many heads on one connection, each of them in time: that one of them is unfinished whenever there is nothing to read
/// makes none of them late.
#[test]
fn a_pipeline_of_heads_each_in_time_goes_on() {
    let (running, _) = start(false, &[("SERVE_PROXY_TIMEOUT_HEADER", "1s")]);
    let mut caller = SlowCaller::connect(running.proxy, None, Slow::Silence, PATIENCE).unwrap();
    caller.say(b"GET /x HTTP/1.1\r\nHo").unwrap();
    for _ in 0..8 {
        std::thread::sleep(std::time::Duration::from_millis(250));
        caller.say(b"st: h\r\n\r\nGET /x HTTP/1.1\r\nHo").unwrap();
    }
    let said = String::from_utf8(caller.end().expect("an end")).unwrap();
    assert_eq!((said.matches("HTTP/1.1 200").count(), said.matches("HTTP/1.1 408").count()), (8, 1), "{said}");
}

/// A head that drips is as late as one that stops: it is its whole that is limited.
#[test]
fn dripping_does_not_lengthen_a_head() {
    let (running, _) = start(false, &[("SERVE_PROXY_TIMEOUT_HEADER", "1s")]);
    let caller = RefCell::new(SlowCaller::connect(running.proxy, None, Slow::Head, PATIENCE).unwrap());
    running.until("the end of the connection", |_| caller.borrow_mut().drip().is_err());
}

#[test]
fn handshakes_that_stop_end() {
    let (running, config) = start(true, &[("SERVE_PROXY_TIMEOUT_HANDSHAKE", "500ms")]);
    // Nothing; a record that never comes whole; and one of another kind.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00", b"\x17\x03\x03\x00\x01"] {
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(begun).unwrap();
        drain(&mut stream, 1024);
    }
    running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
    assert_eq!(honest(&running, config.as_ref()), 200);
}

#[test]
fn many_slow_callers_cost_little_and_keep_nobody_out() {
    for tls in [false, true] {
        let (running, config) = start(tls, &[]);
        assert_eq!(honest(&running, config.as_ref()), 200);
        let before = running.resident_kib();
        let mut callers: Vec<SlowCaller> = Vec::new();
        for number in 0..EACH * KINDS.len() {
            let slow = KINDS[number % KINDS.len()];
            callers.push(SlowCaller::connect(running.proxy, config.as_ref(), slow, PATIENCE).unwrap());
        }
        let open = callers.len() as f64;
        running.until("all connections", |running| running.metric("keyward_connections ") >= Some(open));
        for _ in 0..3 {
            callers.iter_mut().for_each(|caller| caller.drip().unwrap());
            assert_eq!(honest(&running, config.as_ref()), 200);
        }
        let growth = running.resident_kib().saturating_sub(before);
        assert!(growth <= MOST_GROWTH_KIB, "memory grew by {growth} KiB");
    }
}

/// Where they have taken every place, others are told so, and let in once a limit has ended the slow ones.
#[test]
fn who_finds_every_place_taken_is_told_and_let_in_later() {
    let limits = [("SERVE_PROXY_LIMITS_CONNECTIONS", "10"), ("SERVE_PROXY_TIMEOUT_HEADER", "2s")];
    let (running, _) = start(false, &limits);
    running.until("nobody's being connected", |running| running.metric("keyward_connections ") == Some(0.0));
    let connect = || SlowCaller::connect(running.proxy, None, Slow::Head, PATIENCE).unwrap();
    let callers: Vec<SlowCaller> = (0..10).map(|_| connect()).collect();
    running.until("taking every place", |running| running.metric("keyward_connections ") == Some(10.0));
    let refused = running.get("/honest", &[]);
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("1")));
    running.until("a place", |running| running.get("/honest", &[]).status() == 200);
    assert!(callers.into_iter().all(|caller| caller.end().is_some()));
}
