//! Side services that fail, and what is asked of those that do not, against the real binary.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted::upstream;
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

/// What makes every one of them allow.
const GOOD: &[u8] = br#"{"subject":"anonymous","sub":"anonymous","active":true,"access_token":"at","allowed":true}"#;
/// The same, compressed.
const GOOD_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabV*.M\xcaJM.Q\xb2RJ\xcc\xcb\xcf\xab\xcc\xcd/-V\xd2\x01\
    \x89\xa2\x89$&\x97d\x96\xa5*Y\x95\x14\x95\xa6\x82x\xc9\xa9\xc5\xc5\xf1%\xf9\xd9\xa9y \x85% \x1599\
    \xf9\xe5\xa9)\x10%\xb5\x00G\xddKxZ\x00\x00\x00";

/// And the same in pieces.
const SLOW: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-",
    b"Length: 90\r\n\r\n",
    GOOD.split_at(20).0,
    GOOD.split_at(20).1,
];

/// Answers every request with these pieces, some time apart, and closes.
fn in_pieces(pieces: &'static [&'static [u8]]) -> u16 {
    upstream(move |stream| {
        let mut reader = BufReader::new(stream);
        if !matches!(wire::read_request(&mut reader), Ok(Some(_))) {
            return;
        }
        for piece in pieces {
            if reader.get_mut().write_all(piece).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    })
}

#[test]
fn a_side_service_that_fails_denies() {
    let (origin, reached) = canned(answer("200 OK", "", b""));
    let elsewhere = format!("Location: http://127.0.0.1:{}/\r\n", canned(answer("200 OK", "", GOOD)).0);
    let canned = |bytes: Vec<u8>| canned(bytes).0;
    let wrong_types = br#"{"subject":7,"sub":[],"active":"yes","access_token":{},"allowed":"true"}"#;
    let mut huge = GOOD.to_vec();
    huge.resize(3 << 20, b' ');
    // What `remote` and `remote_json` are told in a body does not matter to them.
    let rows: [(&str, u16, [u16; 8]); 14] = [
        ("is good", canned(answer("200 OK", "", GOOD)), [200; 8]),
        ("is slow", in_pieces(SLOW), [200; 8]),
        ("closes at once", in_pieces(&[]), [403, 403, 500, 503, 500, 500, 500, 500]),
        ("speaks something else", in_pieces(&[b"220 mail ready\r\n"]), [403, 403, 500, 503, 500, 500, 500, 500]),
        (
            "breaks off in the head",
            in_pieces(&[b"HTTP/1.1 200 OK\r\nContent-"]),
            [403, 403, 500, 503, 500, 500, 500, 500],
        ),
        (
            "breaks off in the body",
            in_pieces(&[b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", GOOD]),
            [500, 500, 500, 503, 500, 500, 500, 500],
        ),
        ("answers no JSON", canned(answer("200 OK", "", b"<p>")), [403, 403, 500, 503, 200, 200, 500, 500]),
        ("answers wrong types", canned(answer("200 OK", "", wrong_types)), [403, 403, 500, 503, 200, 200, 500, 500]),
        ("answers null", canned(answer("200 OK", "", b"null")), [200, 200, 500, 503, 200, 200, 403, 500]),
        (
            "compresses",
            canned(answer("200 OK", "Content-Encoding: gzip\r\n", GOOD_GZIP)),
            [403, 403, 500, 503, 200, 200, 500, 500],
        ),
        ("answers too much", canned(answer("200 OK", "", &huge)), [403, 403, 500, 503, 500, 500, 500, 500]),
        ("sends elsewhere", canned(answer("302 Found", &elsewhere, GOOD)), [401, 401, 500, 503, 500, 500, 500, 500]),
        (
            "sends elsewhere with the body",
            canned(answer("307 Temporary Redirect", &elsewhere, GOOD)),
            [401, 401, 500, 503, 500, 500, 500, 500],
        ),
        (
            "limits",
            canned(answer("429 Too Many", "Retry-After: 9\r\n", GOOD)),
            [429, 429, 429, 429, 500, 500, 500, 500],
        ),
    ];
    for (fault, side, expected) in rows {
        let running = keyward(side, origin);
        for ((path, headers), status) in CALLS.iter().zip(expected) {
            let before = reached.1.load(Ordering::SeqCst);
            let seen = running.get(&format!("/{path}"), headers);
            assert_eq!(seen.status(), status, "{path}: a service that {fault}: {}", seen.text());
            let forwarded = reached.1.load(Ordering::SeqCst) - before;
            assert_eq!(forwarded, usize::from(status == 200), "{path}: a service that {fault}");
            if status == 429 {
                assert_eq!(seen.header("retry-after"), Some("9"), "{path}");
            }
        }
    }
}

/// The first call is never answered, the next one is: whoever asks once denies when its time is over, and whoever
/// tries again is answered.
#[test]
fn a_side_service_that_stalls_holds_nobody_up_for_ever() {
    let (origin, _) = canned(answer("200 OK", "", b""));
    std::thread::scope(|scope| {
        for ((path, headers), status) in CALLS.iter().zip([403, 403, 500, 503, 200, 200, 200, 200]) {
            scope.spawn(move || {
                let calls = Arc::new(AtomicUsize::new(0));
                let side = upstream(move |stream| {
                    let mut reader = BufReader::new(stream);
                    while let Ok(Some(_)) = wire::read_request(&mut reader) {
                        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                            std::thread::park_timeout(Duration::from_secs(60));
                        }
                        if reader.get_mut().write_all(&answer("200 OK", "", GOOD)).is_err() {
                            return;
                        }
                    }
                });
                let running = keyward(side, origin);
                let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let request = format!("GET /{path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
                // Longer than one call may take.
                let seen = wire::exchange(running.proxy, request.as_bytes(), Duration::from_secs(30)).unwrap();
                assert_eq!(seen.status(), status, "{path}: {}", seen.text());
            });
        }
    });
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

/// RFC 9112 section 9.3.1: a service may end a kept connection just when it is used again.
#[test]
fn a_call_that_met_the_end_of_a_kept_connection_is_repeated_if_it_changes_nothing() {
    let (origin, _) = canned(answer("200 OK", "", b""));
    // Every connection brings one answer and is closed by the next request.
    let side = upstream(|stream| {
        let mut reader = BufReader::new(stream);
        if let Ok(Some(_)) = wire::read_request(&mut reader) {
            // Whoever gave up has closed the connection.
            let _ = reader.get_mut().write_all(&answer("200 OK", "", GOOD));
            let _ = wire::read_request(&mut reader);
        }
    });
    let running = keyward(side, origin);
    for _ in 0..4 {
        assert_eq!(running.get("/cookie", &[("Cookie", "sid=1")]).status(), 200);
    }
    // A token endpoint is not asked twice for one token.
    let client = [("Authorization", "Basic aWQ6c2U=")];
    assert_eq!([running.get("/client", &client).status(), running.get("/client", &client).status()], [503, 200]);
}

/// What has begun to answer has had the call, which is then not made again.
#[test]
fn a_call_that_was_answered_badly_on_a_kept_connection_is_not_repeated() {
    let (origin, _) = canned(answer("200 OK", "", b""));
    for last in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le", "H"] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let side = upstream(move |stream| {
            let mut reader = BufReader::new(stream);
            for words in [answer("200 OK", "", GOOD), last.into()] {
                if !matches!(wire::read_request(&mut reader), Ok(Some(_))) {
                    return;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                // Whoever gave up has closed the connection.
                let _ = reader.get_mut().write_all(&words);
            }
        });
        let running = keyward(side, origin);
        for (path, credential) in &CALLS[..2] {
            let statuses = [(); 2].map(|()| running.get(&format!("/{path}"), credential).status());
            assert_eq!(statuses, [200, 403], "{path}, {last:?}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 4, "{last:?}");
    }
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
