//! Both OAuth 2.0 authenticators against servers on real sockets that lie or break.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted;

const CONFIG: &str = "\
authenticators:
  oauth2_introspection:
    enabled: true
    config: {introspection_url: 'http://127.0.0.1:PORT/introspect', cache: {enabled: true, ttl: 1h}}
  oauth2_client_credentials: {enabled: true, config: {token_url: 'http://127.0.0.1:PORT/token'}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
errors: {handlers: {json: {enabled: true, config: {verbose: true}}}}
";

const RULES: &str = "\
- id: introspected
  match: {url: 'http://127.0.0.1:<[0-9]+>/i', methods: [GET]}
  authenticators: [{handler: oauth2_introspection}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
  upstream: {url: 'http://127.0.0.1:UPSTREAM'}
- id: client
  match: {url: 'http://127.0.0.1:<[0-9]+>/c', methods: [GET]}
  authenticators: [{handler: oauth2_client_credentials}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
  upstream: {url: 'http://127.0.0.1:UPSTREAM'}
";

/// A server that gives the same bytes to every request, and counts requests and connections.
fn service(answer: Vec<u8>) -> (u16, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (requests, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (requests.clone(), connections.clone());
    let port = scripted::upstream(move |mut stream| {
        counted.1.fetch_add(1, Ordering::Relaxed);
        while read_form(&mut stream) {
            counted.0.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(&answer).is_err() || !answer.windows(14).any(|part| part == b"Content-Length") {
                return;
            }
        }
    });
    (port, requests, connections)
}

fn read_form(stream: &mut TcpStream) -> bool {
    let head = scripted::read_head(stream).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let Some(length) = length else { return !head.is_empty() };
    stream.read_exact(&mut vec![0; length]).is_ok()
}

fn start(side: u16) -> Running {
    let (upstream, ..) = service(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n".to_vec());
    let config = CONFIG.replace("PORT", &side.to_string());
    let rules = RULES.replace("UPSTREAM", &upstream.to_string());
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).start()
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";

/// Whatever a service does wrong denies, with the status of the specification, and tells the caller nothing.
#[test]
fn faults_deny() {
    let active = br#"{"active":true,"sub":"ann","access_token":"at"}"#;
    let huge = format!(r#"{{"active":true,"access_token":"at","pad":"{}"}}"#, "x".repeat(1024 * 1024));
    let elsewhere = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\n", service(active.to_vec()).0);
    let redirect = format!("{elsewhere}Content-Length: 0\r\n\r\n").into_bytes();
    let rows: [(&str, Vec<u8>, u16, u16); 7] = [
        ("closes at once", Vec::new(), 500, 503),
        ("closes early", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"active\":true".to_vec(), 500, 503),
        ("no HTTP", b"s3cr3t\r\n\r\n".to_vec(), 500, 503),
        ("huge", answer("200 OK", huge.as_bytes()), 500, 503),
        ("wrong types", answer("200 OK", br#"{"active":"s3cr3t","access_token":[]}"#), 500, 503),
        ("gzip", answer("200 OK\r\nContent-Encoding: gzip", GZIP), 500, 503),
        ("redirect", redirect, 500, 503),
    ];
    for (fault, bytes, introspected, client) in rows {
        let (side, ..) = service(bytes);
        let keyward = start(side);
        let asked = [
            keyward.get("/i", &[("Authorization", "Bearer t0ken")]),
            keyward.get("/c", &[("Authorization", "Basic aWQ6c2U=")]),
        ];
        assert_eq!([asked[0].status(), asked[1].status()], [introspected, client], "{fault}");
        for told in asked.iter().map(|answer| answer.text()) {
            assert!(!told.contains("s3cr3t") && !told.contains(&side.to_string()), "{fault}: {told}");
        }
        let records = keyward.audit(2);
        assert!(records.iter().all(|record| record["reason"] == "side_service_failed"), "{fault}: {records:?}");
        assert!(!keyward.log().contains("t0ken"), "{fault}");
    }
}

/// Connections are kept, and a remembered answer needs none.
#[test]
fn calls_share_a_connection_and_answers_are_remembered() {
    let (side, requests, connections) = service(answer("200 OK", br#"{"active":true,"sub":"ann","iss":"i"}"#));
    let keyward = start(side);
    for _ in 0..5 {
        assert_eq!(keyward.get("/i", &[("Authorization", "Bearer one")]).status(), 204);
    }
    assert_eq!(requests.load(Ordering::Relaxed), 1);
    for other in 0..20 {
        assert_eq!(keyward.get("/i", &[("Authorization", &format!("Bearer {other}"))]).status(), 204);
    }
    assert_eq!(requests.load(Ordering::Relaxed), 21);
    // One connection for each core that served at least one of them.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(connections.load(Ordering::Relaxed) <= cores, "{connections:?}");
    let records = keyward.audit(25);
    assert!(records.iter().all(|record| record["subject"] == "ann" && record["issuer"] == "i"), "{records:?}");
}

/// What works as in the reference and may let through more than is meant is said where it is written.
#[test]
fn what_is_left_open_is_warned_about() {
    const CLOSED: &str = "trusted_issuers: [i], target_audience: [a]";
    // Settings, and what is said of them; nothing when the text is empty.
    let rows = [
        (format!("{CLOSED}, scope_strategy: exact, required_scope: [s]"), ""),
        (format!("{CLOSED}, scope_strategy: none, required_scope: [s]"), ""),
        (format!("{CLOSED}, required_scope: [s]"), "`required_scope` without `scope_strategy` is only sent along"),
        (format!("{CLOSED}, cache: {{enabled: true, ttl: 1m}}"), ""),
        (format!("{CLOSED}, cache: {{enabled: true}}"), "`cache.enabled` without `cache.ttl`"),
        (format!("{CLOSED}, cache: {{enabled: true, ttl: 0s}}"), "`cache.enabled` without `cache.ttl`"),
        ("target_audience: [a]".to_owned(), "`trusted_issuers` is empty"),
        ("trusted_issuers: [i], target_audience: []".to_owned(), "`target_audience` is empty"),
        (format!("{CLOSED}, introspection_request_headers: {{X-A: b}}"), ""),
        (format!("{CLOSED}, introspection_request_headers: {{Host: h}}"), "`host` belongs to the connection"),
        (format!("{CLOSED}, introspection_request_headers: {{TE: trailers}}"), "`te` belongs to the connection"),
    ];
    let config = CONFIG.replace(", cache: {enabled: true, ttl: 1h}", "").replace("PORT", "1");
    for (settings, text) in rows {
        let authenticator = format!("[{{handler: oauth2_introspection, config: {{{settings}}}}}]");
        let rule = RULES.split("- id: client").next().unwrap_or_default().replace("UPSTREAM", "1");
        let rule = rule.replace("[{handler: oauth2_introspection}]", &authenticator);
        let rule = rule.replace("upstream: {", "upstream: {forward_caller_credential: true, ");
        let (code, out, err) = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rule).run(&["rules", "lint"]);
        let said = out + &err;
        assert_eq!(code, 0, "{settings}: {said}");
        assert_eq!(said.contains(" 0 warnings"), text.is_empty(), "{settings}: {said}");
        assert!(said.contains(text) && (text.is_empty() || said.contains("rules.yaml:3:")), "{settings}: {said}");
    }
}
