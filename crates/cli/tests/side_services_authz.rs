//! Authorizers and mutators that ask other services, over real connections: what the API of `hydrator` is
//! shown and may answer, key sets that cannot sign, and who learns what when something fails.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;
use serde_json::{Value, json};

/// What handlers that never answer in time are allowed, so that the tests need not wait.
const IMPATIENT: &str = "{max_delay: 10ms, give_up_after: 300ms}";

/// A server whose rule names these handlers; side services are at `side`, the upstream at `upstream`.
fn serving(handlers: &str, rule: &str, upstream: u16) -> Running {
    let config = format!(
        "access_rules: {{matching_strategy: regexp}}\n\
         authenticators: {{anonymous: {{enabled: true}}, unauthorized: {{enabled: true}}}}\n\
         errors: {{handlers: {{json: {{enabled: true, config: {{verbose: true}}}}}}}}\n{handlers}"
    );
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let rules = format!(
        "- id: asks\n  match: {{url: 'http://127.0.0.1:{port}/<.*>', methods: [GET, POST]}}\n  \
         upstream: {{url: 'http://127.0.0.1:{upstream}'}}\n{rule}",
        port = server.proxy
    );
    server.with(&config, &rules).start()
}

fn remote(side: u16, upstream: u16) -> Running {
    let handlers = format!(
        "authorizers: {{remote: {{enabled: true, config: {{remote: 'http://127.0.0.1:{side}/az', retry: {IMPATIENT}}}}}}}\n\
         mutators: {{noop: {{enabled: true}}}}\n"
    );
    serving(
        &handlers,
        "  authenticators: [{handler: anonymous}]\n  authorizer: {handler: remote}\n  mutators: [{handler: noop}]\n",
        upstream,
    )
}

fn hydrator(side: u16, upstream: u16, cache: bool) -> Running {
    let handlers = format!(
        "authorizers: {{allow: {{enabled: true}}}}\n\
         mutators:\n  header: {{enabled: true, config: {{headers: {{X-Extra: '{{{{ .Extra.k }}}}'}}}}}}\n  \
         hydrator: {{enabled: true, config: {{api: {{url: 'http://127.0.0.1:{side}/hy', retry: {IMPATIENT}}}, cache: {{enabled: {cache}}}}}}}\n"
    );
    let rule = "  authenticators: [{handler: anonymous}]\n  authorizer: {handler: allow}\n  \
                mutators: [{handler: hydrator}, {handler: header}]\n";
    serving(&handlers, rule, upstream)
}

fn keto(side: u16, upstream: u16) -> Running {
    let handlers = format!(
        "authorizers: {{keto_engine_acp_ory: {{enabled: true, config: {{base_url: 'http://127.0.0.1:{side}', \
         required_action: a, required_resource: r}}}}}}\nmutators: {{noop: {{enabled: true}}}}\n"
    );
    let rule = "  authenticators: [{handler: anonymous}]\n  authorizer: {handler: keto_engine_acp_ory}\n  \
                mutators: [{handler: noop}]\n";
    serving(&handlers, rule, upstream)
}

#[test]
fn the_body_of_a_caller_who_is_not_known_is_never_read() {
    let (side, behind) = (Recorder::start(true), Recorder::start(true));
    let handlers = format!(
        "authorizers: {{remote: {{enabled: true, config: {{remote: 'http://127.0.0.1:{}/az'}}}}}}\n\
         mutators: {{noop: {{enabled: true}}}}\n",
        side.port
    );
    let rule = "  authenticators: [{handler: unauthorized}]\n  authorizer: {handler: remote}\n  \
                mutators: [{handler: noop}]\n";
    let running = serving(&handlers, rule, behind.port);
    // Nothing of the announced body is sent: whoever reads it would wait for ever.
    let head = format!("POST /x HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 5000\r\n\r\n", running.proxy);
    assert_eq!(running.send(&head).unwrap().status(), 401);
    assert_eq!((side.take().len(), behind.take().len()), (0, 0));
}

/// A side service that does the same to every connection.
fn faulty(answer: &'static [u8], pause: Duration) -> u16 {
    upstream(move |mut stream: TcpStream| {
        let head = read_head(&mut stream);
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().unwrap())
        });
        let mut body = Vec::new();
        Read::by_ref(&mut stream).take(length.unwrap_or(0)).read_to_end(&mut body).unwrap();
        std::thread::sleep(pause);
        // Whoever gave up has closed the connection.
        let _ = stream.write_all(answer);
    })
}

#[test]
fn a_failure_is_explained_to_the_operator_and_to_nobody_else() {
    let faults: [(&str, &'static [u8], Duration); 4] = [
        ("breaks off", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Duration::ZERO),
        ("is no HTTP", b"SSH-2.0-x\r\n\r\n", Duration::ZERO),
        ("is broken", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", Duration::ZERO),
        ("refuses", b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\ns3cr3t.", Duration::ZERO),
    ];
    let slow = ("is slow", &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], Duration::from_secs(60));
    let behind = Recorder::start(true);
    std::thread::scope(|scope| {
        for (name, bytes, pause) in faults.into_iter().chain([slow]) {
            let behind = behind.port;
            scope.spawn(move || {
                let side = faulty(bytes, pause);
                let mut all = vec![("hydrator", hydrator(side, behind, true))];
                // Only the API's time limit can be set.
                if pause.is_zero() {
                    all.push(("remote", remote(side, behind)));
                    all.push(("keto_engine_acp_ory", keto(side, behind)));
                }
                for (handler, running) in all {
                    let answer = running.get("/x?secret=s3cr3t", &[("X-Api-Key", "t0k3n")]);
                    assert_eq!(answer.status(), 500, "{handler}: {name}");
                    running.until("the log line", |running| running.log().contains("side_service_failed"));
                    let log = running.log();
                    for text in ["asks", handler, &format!("127.0.0.1:{side}")] {
                        assert!(log.contains(text), "{handler}: {name}: {log}");
                    }
                    for text in [log, answer.text()] {
                        assert!(!text.contains("t0k3n") && !text.contains("s3cr3t"), "{handler}: {name}: {text}");
                    }
                    assert!(!answer.text().contains(&side.to_string()), "{handler}: {name}: {}", answer.text());
                }
            });
        }
    });
    assert_eq!(behind.take(), Vec::<Value>::new());
}

/// [T] of pipeline spec 5.5: what the API sees of the query; and 8.5: a header or a query makes another session.
#[test]
fn an_api_is_asked_once_for_one_session_and_again_for_another() {
    let (side, behind) = (Recorder::start(false), Recorder::start(true));
    side.script(vec![json!({"path": "/hy", "body": {"subject": "anonymous", "extra": {"k": "v"},
        "header": {"Content-Length": ["1"], "Transfer-Encoding": ["chunked"], "X-Set": ["s"]}}})]);
    let running = hydrator(side.port, behind.port, true);
    for (target, header, calls) in
        [("/x?c=%2612&a=b", "1", 1), ("/x?c=%2612&a=b", "1", 0), ("/x?c=%2612&a=b", "2", 1), ("/x?a=b", "1", 1)]
    {
        assert_eq!(running.get(target, &[("X-Trace", header), ("Accept-Encoding", "gzip")]).status(), 200);
        let asked = side.take();
        assert_eq!(asked.len(), calls, "{target} {header}");
        let sent = &behind.take()[0];
        assert_eq!(values(sent, "x-extra"), ["v"]);
        assert_eq!(values(sent, "x-set"), ["s"]);
        assert_eq!(values(sent, "transfer-encoding").len() + values(sent, "content-length").len(), 0, "{sent}");
        if let Some(asked) = asked.first() {
            assert_eq!(asked["target"], if target.contains('c') { "/hy?a=b&c=%2612" } else { "/hy?a=b" });
            assert_eq!(values(asked, "accept-encoding").len(), 0);
            assert_eq!(values(asked, "x-trace"), [header]);
        }
    }
}

/// An API that knows one password, and says which `X-Who` it was shown.
fn api_with_password() -> (u16, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let port = upstream(move |stream| {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(request)) = wire::read_request(&mut reader) {
            counted.fetch_add(1, Ordering::SeqCst);
            // `user:right`
            let knows = request.header("authorization") == Some("Basic dXNlcjpyaWdodA==");
            let who = request.header("x-who").unwrap_or_default();
            let extra = if request.start.contains("/silent") { json!(null) } else { json!({"k": who}) };
            let body = json!({"subject": "anonymous", "extra": extra}).to_string();
            let status = if knows { "200 OK" } else { "401 Unauthorized" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    (port, calls)
}

/// GHSA-4mq7-pvjg-xp2r, for hydrators: an answer that one rule's credentials were given is not another's, and
/// what a caller sends decides even where an earlier hydrator hid it from the session.
#[test]
fn ghsa_4mq7_pvjg_xp2r_an_answer_counts_for_the_same_call_only() {
    let (behind, (side, calls)) = (Recorder::start(true), api_with_password());
    let hydrator = |path: &str, password: &str| {
        format!(
            "{{handler: hydrator, config: {{api: {{url: 'http://127.0.0.1:{side}/{path}', \
             auth: {{basic: {{username: user, password: {password}}}}}, retry: {IMPATIENT}}}, cache: {{enabled: true}}}}}}"
        )
    };
    let rule = |id: &str, hydrators: &str| {
        format!(
            "- id: {id}\n  match: {{url: 'http://<[^/]*>/{id}', methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{hydrators}, {{handler: header}}]\n  \
             upstream: {{url: 'http://127.0.0.1:{}'}}\n",
            behind.port
        )
    };
    let (right, wrong) = (hydrator("hy", "right"), hydrator("hy", "wrong"));
    let twice = format!("{}, {right}", hydrator("silent", "right"));
    let rules = [rule("right", &right), rule("wrong", &wrong), rule("twice", &twice)].concat();
    let config = "access_rules: {matching_strategy: regexp}\n\
        authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
        mutators:\n  hydrator: {enabled: true, config: {api: {url: 'http://unset.example/'}}}\n  \
        header: {enabled: true, config: {headers: {X-Extra: '{{ .Extra.k }}'}}}\n";
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(config, &rules).start();
    // The path, what the caller sends, our status, how often the API is asked for it.
    let rows = [
        ("/right", "a", 200, 1),
        ("/wrong", "a", 500, 1),
        ("/right", "a", 200, 0),
        ("/wrong", "a", 500, 1),
        ("/right", "b", 200, 1),
        ("/twice", "a", 200, 2),
        ("/twice", "b", 200, 2),
        ("/twice", "a", 200, 0),
    ];
    for (path, who, status, asked) in rows {
        let before = calls.load(Ordering::SeqCst);
        assert_eq!(running.get(path, &[("X-Who", who)]).status(), status, "{path} {who}");
        assert_eq!(calls.load(Ordering::SeqCst) - before, asked, "{path} {who}");
        let sent = behind.take();
        assert_eq!(sent.len(), usize::from(status == 200), "{path} {who}");
        assert!(sent.iter().all(|sent| values(sent, "x-extra") == [who]), "{path} {who}: {sent:?}");
    }
}

/// What the API of a hydrator was shown of earlier mutators' work, and what its answer makes of it. The caller's
/// credential stays away from the upstream even when the API gives it back.
#[test]
fn an_answer_replaces_what_earlier_mutators_set_and_revives_no_credential() {
    const CALLER: &[(&str, &str)] =
        &[("Cookie", "sid=s3cr3t; user=admin; theme=dark"), ("Authorization", "Bearer s3cr3t"), ("X-User", "admin")];
    let (side, behind) = (Recorder::start(false), Recorder::start(true));
    let config = format!(
        "access_rules: {{matching_strategy: regexp}}\nauthorizers: {{allow: {{enabled: true}}}}\nauthenticators:\n  \
         cookie_session: {{enabled: true, config: {{check_session_url: 'http://127.0.0.1:{port}/session', \
         preserve_path: true, only: [sid], forward_http_headers: [Authorization]}}}}\nmutators:\n  noop: {{enabled: true}}\n  \
         header: {{enabled: true, config: {{headers: {{X-User: '{{{{ .Subject }}}}'}}}}}}\n  \
         cookie: {{enabled: true, config: {{cookies: {{user: '{{{{ .Subject }}}}'}}}}}}\n  \
         hydrator: {{enabled: true, config: {{api: {{url: 'http://127.0.0.1:{port}/hy'}}}}}}\n",
        port = side.port
    );
    let rule = |first: &str| {
        format!(
            "- id: {first}\n  match: {{url: 'http://<[^/]*>/{first}', methods: [GET]}}\n  \
             authenticators: [{{handler: cookie_session}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: {first}}}, {{handler: hydrator}}]\n  upstream: {{url: 'http://127.0.0.1:{}'}}\n",
            behind.port
        )
    };
    let rules = ["noop", "header", "cookie"].map(rule).concat();
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).start();
    let whole = "sid=s3cr3t; user=admin; theme=dark";
    let ours = "user=ann; sid=s3cr3t; theme=dark";
    let echo = json!({"Cookie": [whole], "Authorization": ["Bearer s3cr3t"], "X-User": ["admin"]});
    // The mutator before; the `Cookie` and `X-User` that the API is shown; its `header`; what the upstream gets
    // as `Cookie`, `Authorization` and `X-User`.
    let rows = [
        ("noop", (whole, "admin"), json!(null), ("user=admin; theme=dark", "", "admin")),
        ("noop", (whole, "admin"), echo, ("user=admin; theme=dark", "", "admin")),
        (
            "noop",
            (whole, "admin"),
            json!({"Authorization": ["Basic new"]}),
            ("user=admin; theme=dark", "Basic new", "admin"),
        ),
        ("header", ("", "ann"), json!(null), ("user=admin; theme=dark", "", "ann")),
        ("header", ("", "ann"), json!({"X-User": ["bob"]}), ("user=admin; theme=dark", "", "bob")),
        ("cookie", (ours, ""), json!(null), ("user=ann; theme=dark", "", "admin")),
        ("cookie", (ours, ""), json!({"Cookie": [ours]}), ("user=ann; theme=dark", "", "admin")),
        ("cookie", (ours, ""), json!({"Cookie": ["new=1"]}), ("new=1", "", "admin")),
        ("cookie", (ours, ""), json!({}), ("user=admin; theme=dark", "", "admin")),
    ];
    for (first, shown, given, upstream) in rows {
        side.script(vec![
            json!({"path": "/session", "body": {"subject": "ann"}}),
            json!({"path": "/hy", "body": {"subject": "ann", "header": given}}),
        ]);
        assert_eq!(running.get(&format!("/{first}"), CALLER).status(), 200, "{first} {given}");
        let asked: Value = serde_json::from_str(side.take()[1]["body"].as_str().unwrap()).unwrap();
        let told = |name: &str| asked["header"][name][0].as_str().unwrap_or_default().to_owned();
        assert_eq!((told("Cookie").as_str(), told("X-User").as_str()), shown, "{first} {given}");
        let sent = &behind.take()[0];
        let sent = |name: &str| values(sent, name).join("|");
        let got = (sent("cookie"), sent("authorization"), sent("x-user"));
        assert_eq!((got.0.as_str(), got.1.as_str(), got.2.as_str()), upstream, "{first} {given}");
    }
}

#[test]
fn settings_that_cannot_work_are_found_where_they_are_written() {
    let rows = [
        ("authorizer", "remote_json", "payload: '{'", "error", "unexpected end of JSON input"),
        ("authorizer", "remote_json", "payload: '{\"a\":1,}'", "error", "not a JSON text"),
        ("authorizer", "remote_json", "payload: '{{ print 1 }}}'", "error", "after top-level value"),
        ("authorizer", "remote_json", "headers: {X-A: \"a\\nb\"}", "error", "the value of `X-A` holds characters"),
        ("authorizer", "remote", "headers: {X-A: \"a\\nb\"}", "error", "the value of `X-A` holds characters"),
        ("authorizer", "remote", "headers: {Host: h}", "warning", "belongs to the connection"),
        (
            "authorizer",
            "remote",
            "forward_response_headers_to_upstream: [Connection]",
            "warning",
            "belongs to the connection",
        ),
        ("mutators", "header", "headers: {TE: trailers}", "warning", "belongs to the connection"),
        ("mutators", "header", "headers: {a b: c}", "error", "is not a header name"),
        ("mutators", "cookie", "cookies: {a b: c}", "error", "is not a cookie name"),
        ("mutators", "id_token", "claims: '{'", "error", "unexpected end of JSON input"),
        ("mutators", "id_token", "claims: '[]'", "error", "cannot unmarshal array"),
        ("authorizer", "remote", "remote: 'http://h/', retry: {give_up_after: 31s}", "warning", "counts as 30 s"),
        (
            "authorizer",
            "remote",
            "remote: 'http://h/', retry: {max_delay: 1s}",
            "warning",
            "`retry.max_delay` has no effect",
        ),
        ("mutators", "hydrator", "api: {url: 'http://h/?a=1'}", "warning", "the query of `api.url` has no effect"),
        ("mutators", "hydrator", "api: {url: 'http://h/', retry: {max_delay: 1h}}", "warning", "counts as 30 s"),
        ("mutators", "hydrator", "api: {url: 'http://h/', retry: {give_up_after: 2m}}", "warning", "counts as 60 s"),
    ];
    for (kind, handler, settings, severity, text) in rows {
        let config = "access_rules: {matching_strategy: regexp}\nauthenticators: {anonymous: {enabled: true}}\n\
            authorizers:\n  allow: {enabled: true}\n  remote: {enabled: true, config: {remote: 'http://unset.example/'}}\n  \
            remote_json: {enabled: true, config: {remote: 'http://unset.example/', payload: '{}'}}\n\
            mutators:\n  noop: {enabled: true}\n  \
            header: {enabled: true, config: {headers: {X-A: b}}}\n  cookie: {enabled: true, config: {cookies: {a: b}}}\n  \
            hydrator: {enabled: true, config: {api: {url: 'http://unset.example/'}}}\n  \
            id_token: {enabled: true, config: {issuer_url: i, jwks_url: 'http://unset.example/'}}\n";
        let mut handlers =
            [("authorizer", "{handler: allow}".to_owned()), ("mutators", "[{handler: noop}]".to_owned())];
        let written = format!("{{handler: {handler}, config: {{{settings}}}}}");
        let entry = handlers.iter_mut().find(|(name, _)| *name == kind).unwrap();
        entry.1 = if kind == "mutators" { format!("[{written}]") } else { written };
        let rules = format!(
            "- id: r\n  match: {{url: 'http://h/', methods: [GET]}}\n  upstream: {{url: 'http://h/'}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {}\n  mutators: {}\n",
            handlers[0].1, handlers[1].1
        );
        let (code, out, err) = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(config, &rules).run(&["rules", "lint"]);
        let (said, line) = (out + &err, if kind == "mutators" { 6 } else { 5 });
        assert!(said.contains(text) && said.contains(severity), "{settings}: {said}");
        assert!(said.contains(&format!("rules.yaml:{line}:")), "{settings}: {said}");
        assert_eq!(code != 0, severity == "error", "{settings}: {said}");
    }
}

#[test]
fn a_key_set_without_a_private_key_is_published_and_signs_nothing() {
    let (side, behind) = (Recorder::start(false), Recorder::start(true));
    let public = json!({"kty": "EC", "crv": "P-256", "kid": "p", "alg": "ES256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "o"});
    side.script(vec![json!({"path": "/keys", "body": {"keys": [public, secret]}})]);
    let handlers = format!(
        "authorizers: {{allow: {{enabled: true}}}}\nmutators: {{id_token: {{enabled: true, config: \
         {{issuer_url: 'https://i/', jwks_url: 'http://127.0.0.1:{}/keys'}}}}}}\n",
        side.port
    );
    let rule = "  authenticators: [{handler: anonymous}]\n  authorizer: {handler: allow}\n  \
                mutators: [{handler: id_token}]\n";
    let running = serving(&handlers, rule, behind.port);
    running.until("readiness", |running| running.api("/health/ready").unwrap().status() == 200);
    assert_eq!(running.get("/x", &[]).status(), 500);
    assert_eq!(behind.take().len(), 0);
    let published: Value = serde_json::from_str(&running.api("/.well-known/jwks.json").unwrap().text()).unwrap();
    assert_eq!(published, json!({"keys": [public]}));
    assert!(running.log().contains("has no `alg`"), "{}", running.log());
}

/// All values of a header in a recorded request.
fn values<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = seen["headers"].as_array().unwrap().iter();
    lines
        .filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name))
        .map(|line| line[1].as_str().unwrap())
        .collect()
}
