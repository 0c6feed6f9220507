//! Side services that fail, and what is asked of those that do not, against the real binary.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

/// Everything that calls a side service, at the same address.
fn keyward(side: u16, origin: u16) -> Running {
    let config = format!(
        "
access_rules: {{matching_strategy: regexp}}
authenticators:
  anonymous: {{enabled: true}}
  unauthorized: {{enabled: true}}
  cookie_session: {{enabled: true, config: {{check_session_url: 'http://127.0.0.1:{side}/s', preserve_path: true}}}}
  bearer_token: {{enabled: true, config: {{check_session_url: 'http://127.0.0.1:{side}/s', preserve_path: true}}}}
  oauth2_introspection:
    enabled: true
    config: {{introspection_url: 'http://127.0.0.1:{side}/i', scope_strategy: exact, cache: {{enabled: true}}}}
  oauth2_client_credentials: {{enabled: true, config: {{token_url: 'http://127.0.0.1:{side}/t'}}}}
authorizers:
  allow: {{enabled: true}}
  remote: {{enabled: true, config: {{remote: 'http://127.0.0.1:{side}/r', retry: {{give_up_after: 10ms}}}}}}
  remote_json:
    enabled: true
    config: {{remote: 'http://127.0.0.1:{side}/r', payload: '{{}}', retry: {{give_up_after: 10ms}}}}
  keto_engine_acp_ory:
    enabled: true
    config: {{base_url: 'http://127.0.0.1:{side}', required_action: a, required_resource: r}}
mutators:
  noop: {{enabled: true}}
  hydrator: {{enabled: true, config: {{api: {{url: 'http://127.0.0.1:{side}/h', retry: {{max_delay: 10ms}}}}}}}}
"
    );
    let rule = |id: &str, authenticator: &str, authorizer: &str, mutator: &str| {
        format!(
            "- id: {id}\n  match: {{url: 'http://<[^/]*>/{id}', methods: [GET, POST]}}\n  \
             authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: {authorizer}}}\n  \
             mutators: [{{handler: {mutator}}}]\n  upstream: {{url: 'http://127.0.0.1:{origin}'}}\n"
        )
    };
    let rules = [
        rule("cookie", "cookie_session", "allow", "noop"),
        rule("bearer", "bearer_token", "allow", "noop"),
        rule("introspection", "oauth2_introspection", "allow", "noop"),
        rule("scoped", "{handler: oauth2_introspection, config: {required_scope: [admin]}", "allow", "noop")
            .replace("{handler: {handler", "{handler"),
        rule("client", "oauth2_client_credentials", "allow", "noop"),
        rule("remote", "anonymous", "remote", "noop"),
        rule("closed", "unauthorized", "remote", "noop"),
        rule("remote-json", "anonymous", "remote_json", "noop"),
        rule("keto", "anonymous", "keto_engine_acp_ory", "noop"),
        rule("hydrator", "anonymous", "allow", "hydrator"),
    ];
    // Connections are kept per core.
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules.concat()).env("SERVE_PROXY_WORKERS", "1").start()
}

/// Answers every request with these bytes and keeps its connections; counts connections and requests.
fn canned(answer: Vec<u8>) -> (u16, Arc<(AtomicUsize, AtomicUsize)>) {
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counted = counts.clone();
    let port = upstream(move |stream| {
        counted.0.fetch_add(1, Ordering::SeqCst);
        let mut reader = BufReader::new(stream);
        while let Ok(Some(_)) = wire::read_request(&mut reader) {
            counted.1.fetch_add(1, Ordering::SeqCst);
            if reader.get_mut().write_all(&answer).is_err() {
                return;
            }
        }
    });
    (port, counts)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const CALLS: [(&str, &[(&str, &str)]); 8] = [
    ("cookie", &[("Cookie", "sid=1")]),
    ("bearer", &[("Authorization", "Bearer t")]),
    ("introspection", &[("Authorization", "Bearer t")]),
    ("client", &[("Authorization", "Basic aWQ6c2U=")]),
    ("remote", &[]),
    ("remote-json", &[]),
    ("keto", &[]),
    ("hydrator", &[]),
];

#[test]
fn a_side_service_that_fails_denies() {
    let (origin, reached) = canned(answer("200 OK", "", b""));
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
    let faults = [
        ("closes", Vec::new(), [403, 403, 500, 503, 500, 500, 500, 500]),
        ("no JSON", answer("200 OK", "", b"<p>"), [403, 403, 500, 503, 200, 200, 500, 500]),
        ("gzip", answer("200 OK", "Content-Encoding: gzip\r\n", &gzip), [403, 403, 500, 503, 200, 200, 500, 500]),
        ("huge", answer("200 OK", "", &vec![b' '; 3 << 20]), [403, 403, 500, 503, 500, 500, 500, 500]),
        ("null", answer("200 OK", "", b"null"), [200, 200, 500, 503, 200, 200, 403, 500]),
        ("redirect", answer("302 Found", "Location: /ok\r\n", b""), [401, 401, 500, 503, 500, 500, 500, 500]),
        ("limits", answer("429 Too Many", "Retry-After: 9\r\n", b""), [429, 429, 429, 429, 500, 500, 500, 500]),
    ];
    for (fault, bytes, expected) in faults {
        let side = if bytes.is_empty() {
            upstream(|mut stream: TcpStream| drop(read_head(&mut stream)))
        } else {
            canned(bytes).0
        };
        let running = keyward(side, origin);
        for ((path, headers), status) in CALLS.iter().zip(expected) {
            let before = reached.1.load(Ordering::SeqCst);
            let seen = running.get(&format!("/{path}"), headers);
            assert_eq!(seen.status(), status, "{fault}: {path}: {}", seen.text());
            let forwarded = reached.1.load(Ordering::SeqCst) - before;
            assert_eq!(forwarded, usize::from(status == 200), "{fault}: {path}");
            if status == 429 {
                assert_eq!(seen.header("retry-after"), Some("9"), "{path}");
            }
        }
    }
}

#[test]
fn connections_to_side_services_are_kept() {
    let (origin, _) = canned(answer("200 OK", "", b""));
    let (side, counts) = canned(answer("200 OK", "", b"{\"subject\":\"s\",\"sub\":\"s\"}"));
    let running = keyward(side, origin);
    for _ in 0..50 {
        assert_eq!(running.get("/cookie", &[("Cookie", "sid=1")]).status(), 200);
    }
    assert_eq!(counts.1.load(Ordering::SeqCst), 50);
    assert_eq!(counts.0.load(Ordering::SeqCst), 1);
}

/// GHSA-qvp4-rpmr-xwrr: a remembered answer is judged again by every rule.
#[test]
fn an_introspected_token_is_asked_about_once_and_judged_each_time() {
    let (origin, _) = canned(answer("200 OK", "", b""));
    let (side, counts) = canned(answer("200 OK", "", b"{\"active\":true,\"sub\":\"s\",\"scope\":\"read\"}"));
    let running = keyward(side, origin);
    let token = [("Authorization", "Bearer t")];
    for _ in 0..3 {
        assert_eq!(running.get("/introspection", &token).status(), 200);
        assert_eq!(running.get("/scoped", &token).status(), 403);
    }
    assert_eq!(counts.1.load(Ordering::SeqCst), 1);
    assert_eq!(running.get("/introspection", &[("Authorization", "Bearer u")]).status(), 200);
    assert_eq!(counts.1.load(Ordering::SeqCst), 2);
}

#[test]
fn a_body_reaches_the_authorizer_and_the_upstream_whole_or_nobody() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let recorder = |bodies: &Arc<Mutex<Vec<usize>>>| {
        let bodies = bodies.clone();
        upstream(move |stream| {
            let mut reader = BufReader::new(stream);
            while let Ok(Some(request)) = wire::read_request(&mut reader) {
                bodies.lock().unwrap().push(request.text().len());
                reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        })
    };
    let running = keyward(recorder(&bodies), recorder(&bodies));
    let whole = "1".repeat(1 << 20);
    assert_eq!(running.request("POST", "/remote", &[], &whole).status(), 200);
    assert_eq!(*bodies.lock().unwrap(), [1 << 20, 1 << 20]);
    let too_long = "1".repeat((1 << 20) + 1);
    assert_eq!(running.request("POST", "/remote", &[], &too_long).status(), 413);
    // The body of a caller who is not authenticated is never read into memory.
    assert_eq!(running.request("POST", "/closed", &[], &whole).status(), 401);
    assert_eq!(bodies.lock().unwrap().len(), 2);
}
