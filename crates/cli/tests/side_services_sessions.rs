//! Session stores of `cookie_session` and `bearer_token`: what they are asked, what is made of their answers,
//! and what never leaves, against the real binary.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;
use serde_json::{Value, json};

const CONFIG: &str = "
access_rules: {matching_strategy: regexp}
authenticators:
  cookie_session: {enabled: true, config: {check_session_url: 'http://unset.example/'}}
  bearer_token: {enabled: true, config: {check_session_url: 'http://unset.example/'}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}, header: {enabled: true, config: {headers: {}}}}
errors: {handlers: {json: {config: {verbose: true}}}}
";

const COOKIE: &[(&str, &str)] = &[("Cookie", "sessionid=zyx")];
const BEARER: &[(&str, &str)] = &[("Authorization", "bearer zyx")];
/// What a store gets only part of.
const MORE: &[(&str, &str)] =
    &[("Cookie", "sessionid=zyx"), ("X-UsEr", "123"), ("Accept-Encoding", "gzip"), ("Authorization", "bearer zyx")];
/// An answer of the store that most rows do not look at.
const ANY: &str = r#"{"subject":"123","sub":"123"}"#;

/// One rule for everything: its authenticator's settings, and where it sends.
fn rule(handler: &str, settings: &str, origin: u16, more: &str) -> String {
    format!(
        "- id: one\n  match: {{url: 'http://<[^/]*>/<.*>', methods: [GET, HEAD, POST, PUT]}}\n  \
         authenticators: [{{handler: {handler}, config: {settings}}}]\n  authorizer: {{handler: allow}}\n  \
         mutators: [{{handler: header, config: {{headers: {{X-Subject: '{{{{ print .Subject }}}}', \
         X-Extra: '{{{{ printf `%v` .Extra }}}}'}}}}}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{origin}'{more}}}\n"
    )
}

fn serve(handler: &str, settings: &str, origin: u16, more: &str) -> Running {
    let rules = rule(handler, settings, origin, more);
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules).env("SERVE_PROXY_WORKERS", "1").start()
}

/// The one call that a recorder saw: `METHOD target`, and its headers besides `Host`, sorted.
fn only_call(recorder: &Recorder) -> Option<(String, Vec<String>)> {
    let calls = recorder.take();
    assert!(calls.len() <= 1, "{calls:?}");
    let call = calls.first()?;
    assert_eq!(call["body"], "", "a session store gets no body");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |pair: &Value| format!("{}: {}", text(&pair[0]).to_lowercase(), text(&pair[1]));
    let mut headers: Vec<String> = call["headers"].as_array().unwrap().iter().map(line).collect();
    headers.retain(|header| !header.starts_with("host:"));
    headers.sort();
    Some((format!("{} {}", text(&call["method"]), text(&call["target"])), headers))
}

/// A request, and what the store is asked because of it: nothing, or a call with headers.
struct Asked {
    handler: &'static str,
    /// `STORE` stands for the store's address.
    settings: &'static str,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    asks: Option<(&'static str, &'static [&'static str])>,
}

const fn cookie(settings: &'static str, call: &'static str) -> Asked {
    let asks = Some((call, ["cookie: sessionid=zyx"].as_slice()));
    Asked {
        handler: "cookie_session",
        settings,
        method: "GET",
        target: "/users/123?query=string",
        headers: COOKIE,
        asks,
    }
}

const fn bearer(settings: &'static str, call: &'static str) -> Asked {
    let asks = Some((call, ["authorization: bearer zyx"].as_slice()));
    Asked { handler: "bearer_token", headers: BEARER, asks, ..cookie(settings, call) }
}

/// Rows marked [T] in pipeline spec 2.4 and 2.5, and further ones beside them.
#[test]
fn a_session_store_is_asked_what_the_settings_say() {
    let rows = [
        Asked {
            method: "PUT",
            asks: Some(("PUT /users/123?query=string", &["content-length: 0", "cookie: sessionid=zyx"])),
            ..cookie("{check_session_url: STORE, preserve_query: false}", "")
        },
        Asked {
            method: "PUT",
            asks: Some(("PUT /", &["content-length: 0", "cookie: sessionid=zyx"])),
            ..cookie("{check_session_url: STORE, preserve_path: true, preserve_query: true}", "")
        },
        cookie("{check_session_url: STORE}", "GET /users/123"),
        cookie("{check_session_url: 'STORE/whoami/', preserve_path: true}", "GET /whoami/"),
        Asked {
            method: "PUT",
            target: "/client/request/path?q=client-request-query",
            asks: Some(("PUT /configured/path?q=configured-query", &["content-length: 0", "cookie: sessionid=zyx"])),
            ..cookie("{check_session_url: 'STORE/configured/path?q=configured-query', preserve_path: true}", "")
        },
        Asked { method: "PUT", ..cookie("{check_session_url: STORE, force_method: GET}", "GET /users/123") },
        Asked {
            method: "POST",
            asks: Some(("POST /users/123", &["content-length: 0", "cookie: sessionid=zyx"])),
            ..cookie("{check_session_url: STORE}", "")
        },
        Asked {
            headers: &[("Host", "some-host"), ("Cookie", "sessionid=zyx"), ("X-Forwarded-Host", "forged")],
            asks: Some(("GET /users/123", &["cookie: sessionid=zyx", "x-forwarded-host: some-host"])),
            ..cookie("{check_session_url: STORE, preserve_host: true}", "")
        },
        Asked {
            asks: Some(("POST /users/123", &["content-length: 0", "cookie: sessionid=zyx"])),
            ..cookie("{check_session_url: STORE, force_method: POST}", "")
        },
        Asked {
            headers: &[("Host", "some-host"), ("Cookie", "sessionid=zyx")],
            asks: Some(("GET /users/123", &["cookie: sessionid=zyx", "x-foo: bar", "x-forwarded-host: some-host"])),
            ..cookie(
                "{check_session_url: STORE, preserve_host: true, additional_headers: \
                 {X-Forwarded-Host: not-some-host, X-Foo: bar, Host: other, Content-Length: '7'}}",
                "",
            )
        },
        Asked { headers: &[], asks: None, ..cookie("{check_session_url: STORE}", "") },
        Asked { headers: &[("Cookie", "s id=1; a=\\")], asks: None, ..cookie("{check_session_url: STORE}", "") },
        Asked { asks: None, ..cookie("{check_session_url: STORE, only: [session, sid]}", "") },
        Asked {
            headers: &[("Cookie", "a=b; sid=1")],
            asks: Some(("GET /users/123", &["cookie: a=b; sid=1"])),
            ..cookie("{check_session_url: STORE, only: [session, sid]}", "")
        },
        Asked { headers: MORE, ..cookie("{check_session_url: STORE}", "GET /users/123") },
        Asked {
            headers: MORE,
            asks: Some(("GET /users/123", &["accept-encoding: gzip", "cookie: sessionid=zyx", "x-user: 123"])),
            ..cookie("{check_session_url: STORE, forward_http_headers: [acCept-enCodinG, X-User, Host]}", "")
        },
        Asked {
            method: "PUT",
            asks: Some(("PUT /users/123", &["authorization: bearer zyx", "content-length: 0"])),
            ..bearer("{check_session_url: STORE, preserve_query: true}", "")
        },
        Asked {
            method: "PUT",
            asks: Some(("PUT /?query=string", &["authorization: bearer zyx", "content-length: 0"])),
            ..bearer("{check_session_url: STORE, preserve_path: true, preserve_query: false}", "")
        },
        Asked {
            headers: MORE,
            asks: Some(("GET /users/123", &["authorization: bearer zyx", "x-user: 123"])),
            ..bearer("{check_session_url: STORE, forward_http_headers: [X-UsEr]}", "")
        },
        bearer("{check_session_url: STORE, preserve_path: true, prefix: zy}", "GET /"),
        Asked {
            method: "PUT",
            ..bearer("{check_session_url: STORE, preserve_path: true, force_method: GET, prefix: zy}", "GET /")
        },
        Asked {
            headers: &[("Host", "some-host"), ("Authorization", "bearer zyx")],
            asks: Some(("GET /users/123", &["authorization: bearer zyx", "x-forwarded-host: some-host"])),
            ..bearer("{check_session_url: STORE, preserve_host: true}", "")
        },
        Asked {
            headers: &[("Host", "some-host"), ("Authorization", "bearer zyx")],
            asks: Some((
                "GET /users/123",
                &[
                    "authorization: bearer zyx",
                    "x-foo: bar",
                    "x-forwarded-for: not-some-host",
                    "x-forwarded-host: some-host",
                ],
            )),
            ..bearer(
                "{check_session_url: STORE, preserve_host: true, \
                 additional_headers: {X-Foo: bar, X-Forwarded-For: not-some-host}}",
                "",
            )
        },
        Asked { headers: &[], asks: None, ..bearer("{check_session_url: STORE}", "") },
        Asked { headers: &[("Foobar", "bearer zyx")], asks: None, ..bearer("{check_session_url: STORE}", "") },
        Asked { asks: None, ..bearer("{check_session_url: STORE, token_from: {header: X-Custom-Header}}", "") },
        Asked { asks: None, ..bearer("{check_session_url: STORE, prefix: not_secret}", "") },
        Asked {
            method: "POST",
            target: "/test?token=token",
            headers: &[],
            asks: Some(("GET /?token=token", &[])),
            ..bearer(
                "{check_session_url: STORE, preserve_path: true, preserve_query: false, force_method: GET, \
                 token_from: {query_parameter: token}}",
                "",
            )
        },
    ];
    let (store, origin) = (Recorder::start(false), Recorder::start(true));
    for row in rows {
        let path = row.asks.map_or("/", |(call, _)| call.split([' ', '?']).nth(1).unwrap());
        store.script(vec![json!({"path": path, "body": ANY})]);
        let settings = row.settings.replace("STORE", &format!("http://127.0.0.1:{}", store.port));
        let running = serve(row.handler, &settings, origin.port, "");
        let body = if matches!(row.method, "GET") { "" } else { "hello" };
        let seen = running.request(row.method, row.target, row.headers, body);
        let expected = row.asks.map(|(call, headers)| {
            (call.to_owned(), headers.iter().map(|header| (*header).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(only_call(&store), expected, "{} {settings}", row.handler);
        assert_eq!(seen.status(), if row.asks.is_some() { 200 } else { 401 }, "{settings}: {}", seen.text());
        let reached = origin.take();
        assert_eq!(reached.len(), usize::from(row.asks.is_some()), "{settings}");
        if let Some(reached) = reached.first() {
            // [T] of pipeline spec 1.6: nothing of the request changes, but for the credential, which ends here.
            assert_eq!((&reached["method"], &reached["body"]), (&row.method.into(), &body.into()), "{settings}");
            let name_of = |line: &Value| line[0].as_str().unwrap().to_lowercase();
            let names: Vec<String> = reached["headers"].as_array().unwrap().iter().map(name_of).collect();
            let credential = if row.handler == "cookie_session" { "cookie" } else { "authorization" };
            for name in row.headers.iter().map(|(name, _)| name.to_lowercase()) {
                // What the store is told may be a credential, too; what claims to be forwarded is not believed.
                let may_end = [credential, "x-forwarded-host"].contains(&&*name);
                let stays = names.contains(&name) || row.settings.to_lowercase().contains(&name);
                assert!(stays || may_end, "{name}: {settings}");
            }
        }
    }
}

/// Rows marked [T] in pipeline spec 2.4 and 2.5, and those of 2.0.2. The subject of `bearer_token` is `sub` by default.
#[test]
fn an_answer_becomes_a_session_or_a_denial() {
    for (handler, credential, subject) in [("cookie_session", COOKIE, "subject"), ("bearer_token", BEARER, "sub")] {
        answers_of_a_store(handler, credential, subject);
    }
}

fn answers_of_a_store(handler: &str, credential: &[(&str, &str)], member: &str) {
    const SESSION: &str = r#"{"SUBJECT":"123","session":{"foo":"bar"},"identity":{"id":"i"},"extra":{"a":1}}"#;
    // Settings, the store's status and body; our status, subject and extra.
    let rows = [
        ("", 200, r#"{"SUBJECT":"123","extra":{"foo":"bar"}}"#, 200, "123", "map[foo:bar]"),
        ("", 200, r#"{"SUBJECT":"123"}"#, 200, "123", "map[]"),
        ("", 200, "{}", 200, "", "map[]"),
        ("", 200, r#"{"SUBJECT":null,"extra":null}"#, 200, "", "map[]"),
        (", extra_from: session", 200, SESSION, 200, "123", "map[foo:bar]"),
        (", subject_from: identity.id", 200, SESSION, 200, "i", "map[a:1]"),
        (
            ", subject_from: identity.id, extra_from: '@this'",
            200,
            r#"{"identity":{"id":"123"},"session":{"foo":"bar"}}"#,
            200,
            "123",
            "map[identity:map[id:123] session:map[foo:bar]]",
        ),
        (", subject_from: '', extra_from: ''", 200, SESSION, 200, "123", "map[a:1]"),
        (
            ", subject_from: SUBJECT, extra_from: '@this'",
            200,
            r#"{"SUBJECT":"123","session":{"foo":"bar"}}"#,
            200,
            "123",
            "map[session:map[foo:bar] SUBJECT:123]",
        ),
        ("", 200, r#"{"SUBJECT":7}"#, 403, "", ""),
        ("", 200, r#"{"SUBJECT":{"a":"b"}}"#, 403, "", ""),
        ("", 200, r#"{"SUBJECT":"s","extra":"x"}"#, 403, "", ""),
        ("", 200, r#"{"SUBJECT":"s","extra":[]}"#, 403, "", ""),
        ("", 200, r#"{"SUBJECT":"s""#, 403, "", ""),
        ("", 200, "", 403, "", ""),
        ("", 201, ANY, 401, "", ""),
        ("", 204, "", 401, "", ""),
        ("", 302, ANY, 401, "", ""),
        ("", 400, "", 401, "", ""),
        ("", 401, ANY, 401, "", ""),
        ("", 403, ANY, 401, "", ""),
        ("", 404, ANY, 401, "", ""),
        ("", 500, ANY, 401, "", ""),
        ("", 503, ANY, 401, "", ""),
    ];
    let (store, origin) = (Recorder::start(false), Recorder::start(true));
    for (more, status, body, expected, subject, extra) in rows {
        let named = |text: &str| text.replace("SUBJECT", member);
        let (more, body, extra) = (named(more), named(body), named(extra));
        store.script(vec![json!({"path": "/s", "status": status, "body": body})]);
        let settings = format!("{{check_session_url: 'http://127.0.0.1:{}/s', preserve_path: true{more}}}", store.port);
        let running = serve(handler, &settings, origin.port, "");
        let seen = running.get("/x", credential);
        assert_eq!(seen.status(), expected, "{more} {status} {body}: {}", seen.text());
        assert_eq!(store.take().len(), 1, "one call, whatever is answered");
        let forwarded = origin.take();
        let header = |name: &str| {
            let lines = forwarded[0]["headers"].as_array().unwrap();
            let line = lines.iter().find(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            line.unwrap()[1].as_str().unwrap().to_owned()
        };
        if expected == 200 {
            assert_eq!(
                (header("x-subject").as_str(), header("x-extra").as_str()),
                (subject, extra.as_str()),
                "{more} {body}"
            );
        } else {
            assert!(forwarded.is_empty(), "{more} {status} {body}");
        }
    }
}

/// [T] of pipeline spec 1.7 and 2.4: a 429 is passed on with what it says about limits, and with nothing else.
#[test]
fn a_store_that_limits_is_repeated() {
    const LIMITS: [(&str, &str); 5] = [
        ("retry-after", "60"),
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "30"),
        ("x-ratelimit-type", "burst"),
    ];
    let (store, origin) = (Recorder::start(false), Recorder::start(true));
    let settings = format!("{{check_session_url: 'http://127.0.0.1:{}/s', preserve_path: true}}", store.port);
    for (handler, credential, said) in [
        ("cookie_session", COOKIE, &LIMITS[..]),
        ("cookie_session", COOKIE, &LIMITS[..1]),
        ("bearer_token", BEARER, &LIMITS[..]),
    ] {
        let running = serve(handler, &settings, origin.port, "");
        let mut headers: serde_json::Map<String, Value> =
            said.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        headers.insert("Set-Cookie".to_owned(), json!("a=b"));
        store.script(vec![json!({"path": "/s", "status": 429, "headers": headers})]);
        let seen = running.get("/x", credential);
        assert_eq!(seen.status(), 429);
        for (name, value) in LIMITS {
            assert_eq!(seen.header(name), said.contains(&(name, value)).then_some(value), "{name}");
        }
        assert_eq!(seen.header("set-cookie"), None);
    }
    assert!(origin.take().is_empty());
}

#[test]
fn the_callers_session_does_not_reach_the_upstream() {
    // Handler, settings, what the rule says besides; the request; what the upstream gets of `Cookie`,
    // `Authorization` and the query.
    type Given = &'static [(&'static str, &'static str)];
    type Rest = (Option<&'static str>, Option<&'static str>, &'static str);
    const BOTH: Given = &[("Cookie", "sid=s3cr3t; theme=dark"), ("Authorization", "Bearer s3cr3t")];
    const RESTORED: &str = ", forward_caller_credential: true";
    const KEPT: &str = "sid=s3cr3t; theme=dark";
    let rows: [(&str, &str, &str, Given, Rest); 7] = [
        ("cookie_session", "", "", BOTH, (None, Some("Bearer s3cr3t"), "/x?t=s3cr3t")),
        ("cookie_session", ", only: [sid]", "", BOTH, (Some("theme=dark"), Some("Bearer s3cr3t"), "/x?t=s3cr3t")),
        // What the store gets may be what it tells callers by.
        ("cookie_session", ", forward_http_headers: [authorization]", "", BOTH, (None, None, "/x?t=s3cr3t")),
        ("cookie_session", "", RESTORED, BOTH, (Some(KEPT), Some("Bearer s3cr3t"), "/x?t=s3cr3t")),
        ("bearer_token", "", "", BOTH, (Some(KEPT), None, "/x?t=s3cr3t")),
        ("bearer_token", ", token_from: {query_parameter: t}", "", BOTH, (Some(KEPT), None, "/x")),
        ("bearer_token", ", token_from: {cookie: sid}", "", BOTH, (Some("theme=dark"), None, "/x?t=s3cr3t")),
    ];
    let (store, origin) = (Recorder::start(false), Recorder::start(true));
    store.script(vec![json!({"path": "/s", "body": ANY})]);
    for (handler, more, restored, given, (cookie, authorization, target)) in rows {
        let settings = format!("{{check_session_url: 'http://127.0.0.1:{}/s', preserve_path: true{more}}}", store.port);
        let running = serve(handler, &settings, origin.port, restored);
        assert_eq!(running.get("/x?t=s3cr3t", given).status(), 200, "{handler}{more}");
        let calls = origin.take();
        let header = |name: &str| {
            let lines = calls[0]["headers"].as_array().unwrap();
            let line = lines.iter().find(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            line.map(|line| line[1].as_str().unwrap())
        };
        let seen = (header("cookie"), header("authorization"), calls[0]["target"].as_str().unwrap());
        assert_eq!(seen, (cookie, authorization, target), "{handler}{more}{restored}");
    }
}

/// A store that reads a request, sends some bytes in pieces, and closes.
fn in_pieces(pieces: &'static [&'static str]) -> u16 {
    upstream(move |mut stream| {
        if read_head(&mut stream).is_empty() {
            return;
        }
        for piece in pieces {
            if stream.write_all(piece.as_bytes()).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    })
}

#[test]
fn a_store_that_breaks_denies_and_gives_nothing_away() {
    let silent = upstream(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_secs(60));
    });
    let rows = [
        ("nobody listens", free_port(), 403),
        ("it closes", in_pieces(&[]), 403),
        ("it speaks something else", in_pieces(&["220 mail ready\r\n"]), 403),
        ("its head breaks off", in_pieces(&["HTTP/1.1 200 OK\r\nContent-"]), 403),
        (
            "its body breaks off",
            in_pieces(&["HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "{\"subject\":\"1\"}"]),
            500,
        ),
        ("it is slow", in_pieces(&["HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n", "{\"subject\"", ":\"1\"}"]), 200),
        ("it never answers", silent, 403),
    ];
    let origin = Recorder::start(true);
    thread::scope(|scope| {
        for (fault, port, expected) in rows {
            let origin = &origin;
            scope.spawn(move || {
                let settings = format!(
                    "{{check_session_url: 'http://s3cr3t:s3cr3t@127.0.0.1:{port}/s?k=s3cr3t', preserve_path: true}}"
                );
                let running = serve("cookie_session", &settings, origin.port, "");
                let request = "GET /x?q=s3cr3t HTTP/1.1\r\nHost: h\r\nCookie: sid=s3cr3t\r\n\r\n";
                // Longer than a store may take.
                let seen = wire::exchange(running.proxy, request.as_bytes(), Duration::from_secs(30)).unwrap();
                assert_eq!(seen.status(), expected, "{fault}: {}", seen.text());
                let told = seen.text();
                assert!(!told.contains("s3cr3t") || expected == 200, "{fault}: {told}");
                assert!(!told.contains(&port.to_string()), "{fault}: {told}");
                let log = running.log();
                assert!(!log.contains("s3cr3t"), "{fault}: {log}");
                if expected != 200 {
                    for part in ["one", "cookie_session", &format!("http://127.0.0.1:{port}/s")] {
                        assert!(log.contains(part), "{fault}: `{part}` is not in the log: {log}");
                    }
                }
            });
        }
    });
    assert_eq!(origin.take().len(), 1);
}

#[test]
fn settings_that_cannot_work_are_found_where_they_are_written() {
    let rows = [
        ("cookie_session", "check_session_url: /relative", "error", "`check_session_url` is not usable"),
        ("cookie_session", "check_session_url: 'ftp://h/'", "error", "`check_session_url` is not usable"),
        ("cookie_session", "check_session_url: 'ftp://u:s3cr3t@h/?s3cr3t#s3cr3t'", "error", "is not usable"),
        ("cookie_session", "check_session_url: 'http://u:s3cr3t@h/?s3cr3t#s3cr3t'", "warning", "fragment"),
        ("cookie_session", "subject_from: '{a'", "error", "no closing bracket"),
        ("cookie_session", "extra_from: 'a|!nan'", "error", "no JSON literal"),
        ("cookie_session", "force_method: 'A B'", "error", "not a method"),
        ("cookie_session", "force_method: CONNECT", "error", "not a method"),
        ("cookie_session", "forward_http_headers: ['a b']", "error", "not a header name"),
        ("cookie_session", "additional_headers: {'a b': c}", "error", "not a header name"),
        ("cookie_session", "additional_headers: {a: \"b\\nc\"}", "error", "not usable"),
        ("cookie_session", "token_from: {header: X}", "error", "token_from"),
        ("cookie_session", "additional_headers: {Host: h}", "warning", "belongs to the connection"),
        ("cookie_session", "additional_headers: {Upgrade: h2c}", "warning", "belongs to the connection"),
        ("cookie_session", "forward_http_headers: [Accept-Encoding]", "warning", "may compress"),
        ("bearer_token", "only: [sid]", "error", "only"),
        ("bearer_token", "token_from: {}", "error", "exactly one of"),
        ("bearer_token", "token_from: {header: X-T}", "warning", "list `x-t` in `forward_http_headers`"),
        ("bearer_token", "token_from: {cookie: t}", "warning", "list `Cookie`"),
        ("bearer_token", "token_from: {query_parameter: t}", "warning", "`preserve_query: false`"),
    ];
    for (handler, settings, severity, text) in rows {
        let given = if settings.contains("check_session_url") { "" } else { "check_session_url: 'http://h/', " };
        let rules = rule(handler, &format!("{{{given}{settings}}}"), 1, "");
        let (code, out, err) = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules).run(&["rules", "lint"]);
        let said = out + &err;
        assert!(said.contains(text) && said.contains(severity) && said.contains("rules.yaml:3:"), "{settings}: {said}");
        assert_eq!(code != 0, severity == "error", "{settings}: {said}");
        assert!(!said.contains("s3cr3t"), "{settings}: {said}");
    }
}
