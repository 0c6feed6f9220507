//! Services that take part in decisions: what they say counts for the very question, is bounded, and a service that
//! cannot be asked denies.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::{same_flaw, wire};
use serde_json::{Value, json};

const MOST_GROWTH_KIB: u64 = 32 * 1024;

/// What a server that judges tokens says of one.
type Verdict = Arc<dyn Fn(&str) -> Value + Send + Sync>;

/// A server that judges tokens, and how often it was asked.
fn judge(verdict: Verdict) -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let port = upstream(move |mut stream| {
        while let Some(form) = read_form(&mut stream) {
            count.fetch_add(1, Ordering::SeqCst);
            let token = form.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
            let body = verdict(token).to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all((head + &body).as_bytes()).is_err() {
                return;
            }
        }
    });
    (port, asked)
}

fn read_form(stream: &mut TcpStream) -> Option<String> {
    let head = read_head(stream).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

/// Rules for `/id/`, each with handlers of its own.
fn rule(id: &str, authenticator: &str, authorizer: &str, port: u16) -> String {
    format!(
        "- id: {id}\n  match: {{url: 'http://h/{id}/<.*>', methods: [GET, POST]}}\n  authenticators: [{authenticator}]\n  \
         authorizer: {authorizer}\n  mutators: [{{handler: header, config: {{headers: {{X-Subject: '{{{{ .Subject }}}}'}}}}}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{port}'}}\n"
    )
}

fn serve(rules: &str) -> Running {
    let config = "authenticators:\n  anonymous: {enabled: true}\n  \
                  oauth2_introspection: {enabled: true, config: {introspection_url: 'http://unset.example/'}}\n  \
                  cookie_session: {enabled: true, config: {check_session_url: 'http://unset.example/'}}\n\
                  authorizers:\n  allow: {enabled: true}\n  remote: {enabled: true, config: {remote: 'http://unset.example/'}}\n  \
                  remote_json: {enabled: true, config: {remote: 'http://unset.example/', payload: '{}'}}\n\
                  mutators: {header: {enabled: true, config: {headers: {}}}}\n";
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(config, rules).start()
}

const ALLOW: &str = "{handler: allow}";

/// An authenticator that asks this server, and remembers what it says.
fn asks(port: u16, settings: &str) -> String {
    format!(
        "{{handler: oauth2_introspection, config: {{introspection_url: 'http://127.0.0.1:{port}/', scope_strategy: exact, \
         cache: {{enabled: true, ttl: 1h}}{settings}}}}}"
    )
}

fn status(running: &Running, path: &str, token: &str) -> u16 {
    running.get(path, &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]).status()
}

/// Oathkeeper: an answer that was remembered let a token pass whose scopes it did not have. What a rule asks for is judged
/// with each request, so that it makes no difference whether the answer is remembered.
fn what_is_remembered_is_judged_by_the_rule_at_hand() {
    let (port, asked) =
        judge(Arc::new(|_| json!({"active": true, "sub": "ann", "scope": "read", "aud": ["a"], "iss": "i"})));
    let behind = Recorder::start(true);
    let rows = [
        ("read", ", required_scope: [read]", 200),
        ("write", ", required_scope: [write]", 403),
        ("both", ", required_scope: [read, write]", 403),
        ("audience", ", target_audience: [b]", 403),
        ("issuer", ", trusted_issuers: [j]", 403),
        ("none", "", 200),
    ];
    let rules: String = rows.iter().map(|(id, demand, _)| rule(id, &asks(port, demand), ALLOW, behind.port)).collect();
    // Each rule is the first to ask once: nothing is remembered yet.
    for first in 0..rows.len() {
        let running = serve(&rules);
        // What is granted is remembered, and nobody asks again; what is denied is asked for each time.
        let mut remembered = None;
        for (id, demand, expected) in rows.iter().cycle().skip(first).take(2 * rows.len()) {
            assert_eq!(status(&running, &format!("/{id}/"), "t"), *expected, "{first} {demand}");
            let asked = asked.load(Ordering::SeqCst);
            if *expected == 200 {
                remembered.get_or_insert(asked);
            }
            assert!(remembered.is_none_or(|before| before == asked), "{first} {demand}: it is asked again");
        }
    }
}

same_flaw!(what_is_remembered_is_judged_by_the_rule_at_hand:
    ghsa_qvp4_rpmr_xwrr_scopes,
    ghsa_vfvf_6gx5_mqv6_scopes,
    cve_2021_32701_scopes,
);

/// Oathkeeper: what one server had said of a token counted for a rule that trusts another.
fn what_is_remembered_counts_for_the_same_server_only() {
    let (lax, _) = judge(Arc::new(|_| json!({"active": true, "sub": "ann"})));
    let (strict, _) = judge(Arc::new(|_| json!({"active": false})));
    let behind = Recorder::start(true);
    let rules =
        rule("lax", &asks(lax, ""), ALLOW, behind.port) + &rule("strict", &asks(strict, ""), ALLOW, behind.port);
    let running = serve(&rules);
    for _ in 0..3 {
        assert_eq!([status(&running, "/lax/", "t"), status(&running, "/strict/", "t")], [200, 401]);
        assert_eq!(behind.take().len(), 1);
    }
}

same_flaw!(what_is_remembered_counts_for_the_same_server_only: ghsa_4mq7_pvjg_xp2r_servers, cve_2026_33496_servers);

/// Pomerium: claims that were known before an update counted after it.
#[test]
fn cve_2021_41230_what_was_remembered_ends_with_the_rules() {
    let active = Arc::new(Mutex::new(true));
    let verdict = active.clone();
    let (port, _) =
        judge(Arc::new(move |_| json!({"active": *verdict.lock().unwrap(), "sub": "ann", "scope": "read"})));
    let behind = Recorder::start(true);
    let rules = |demand: &str| rule("a", &asks(port, demand), ALLOW, behind.port);
    let running = serve(&rules(""));
    assert_eq!(status(&running, "/a/", "t"), 200);
    *active.lock().unwrap() = false;
    assert_eq!(status(&running, "/a/", "t"), 200, "it is remembered, as the rule says");
    // Another version of the rule asks anew, and is told what is so now.
    running.replace("rules.yaml", &rules(", required_scope: [write]"));
    running.until("the rules", |running| status(running, "/a/", "t") == 401);
    *active.lock().unwrap() = true;
    assert_eq!(status(&running, "/a/", "t"), 403);
    running.replace("rules.yaml", &rules(", required_scope: [read]"));
    running.until("the rules", |running| status(running, "/a/", "t") == 200);
}

/// Traefik: of callers who asked at once, one got what was meant for another.
#[test]
fn cve_2026_71326_who_asks_at_once_gets_an_answer_of_their_own() {
    let (port, asked) = judge(Arc::new(|token| {
        // Long enough for all to be waiting.
        thread::sleep(Duration::from_millis(200));
        json!({"active": !token.ends_with('9'), "sub": format!("owner-of-{token}")})
    }));
    let behind = Recorder::start(true);
    let rules = rule("a", &asks(port, ""), ALLOW, behind.port)
        + &rule("b", &asks(port, ", preserve_host: true"), ALLOW, behind.port);
    let running = serve(&rules);
    let tokens: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    thread::scope(|scope| {
        for token in tokens.iter().flat_map(|token| [token; 3]) {
            for path in ["a", "b"] {
                let running = &running;
                scope.spawn(move || {
                    let expected = if token.ends_with('9') { 401 } else { 200 };
                    assert_eq!(status(running, &format!("/{path}/{token}"), token), expected, "{path} {token}");
                });
            }
        }
    });
    let seen = behind.take();
    assert_eq!(seen.len(), 18 * 3 * 2);
    for request in seen {
        let token = request["target"].as_str().unwrap().rsplit('/').next().unwrap();
        let fields = request["headers"].as_array().unwrap();
        let subject = fields.iter().find(|line| line[0].as_str().unwrap().eq_ignore_ascii_case("x-subject")).unwrap();
        assert_eq!(subject[1], format!("owner-of-{token}"));
    }
    // Refusals are not remembered, but shared by those who wait.
    assert!(asked.load(Ordering::SeqCst) >= 2 * 20);
}

/// Traefik: what an authorization server said was read without an end.
#[test]
fn cve_2026_26998_answers_without_an_end_are_not_read() {
    for begin in [
        "Content-Length: 9000000000000000000\r\n\r\n{\"active\": true, \"sub\": \"",
        "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n{\"active\": true, \"sub\": \"",
        "\r\n{\"active\": true, \"sub\": \"",
        "X-Long: ",
    ] {
        let port = upstream(move |mut stream| {
            read_head(&mut stream);
            let mut sent = stream.write_all(format!("HTTP/1.1 200 OK\r\n{begin}").as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 64 * 1024]);
            }
        });
        let behind = Recorder::start(true);
        let session = format!("{{handler: cookie_session, config: {{check_session_url: 'http://127.0.0.1:{port}/'}}}}");
        let remote = format!(
            "{{handler: remote, config: {{remote: 'http://127.0.0.1:{port}/', retry: {{give_up_after: 100ms}}}}}}"
        );
        let json = format!(
            "{{handler: remote_json, config: {{remote: 'http://127.0.0.1:{port}/', payload: '{{}}', retry: {{give_up_after: 100ms}}}}}}"
        );
        let anybody = "{handler: anonymous}";
        let rules = [
            rule("token", &asks(port, ""), ALLOW, behind.port),
            rule("session", &session, ALLOW, behind.port),
            rule("remote", anybody, &remote, behind.port),
            rule("json", anybody, &json, behind.port),
            rule("free", anybody, ALLOW, behind.port),
        ];
        let running = serve(&rules.concat());
        assert_eq!(running.get("/free/", &[("Host", "h")]).status(), 200);
        behind.take();
        let before = running.resident_kib();
        for path in ["/token/", "/session/"] {
            let answer = running.get(path, &[("Host", "h"), ("Authorization", "Bearer t"), ("Cookie", "s=t")]);
            assert!(answer.status() >= 400, "{begin:?} {path}: {answer:?}");
            assert!(behind.take().is_empty(), "{begin:?} {path}");
        }
        // Of these the status is the answer: what follows it is not waited for, or the call has failed.
        for path in ["/remote/", "/json/"] {
            running.get(path, &[("Host", "h")]);
        }
        let growth = running.resident_kib().saturating_sub(before);
        assert!(growth <= MOST_GROWTH_KIB, "{begin:?}: memory grew by {growth} KiB");
        assert_eq!(running.get("/free/", &[("Host", "h")]).status(), 200);
    }
}

/// Envoy: a caller who made the authorization server fail was let through. Nothing but its permission lets anybody
/// through, and there is no setting that says otherwise.
#[test]
fn cve_2024_23324_who_makes_the_check_fail_is_denied() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    // What the authorizer does when it is sent `X-Fault` with the number of the row.
    let rows: [(&str, u16); 13] = [
        (OK, 200),
        ("", 500),
        ("HTTP/1.1 ", 500),
        ("no HTTP\r\n\r\n", 500),
        ("HTTP/1.1 100 Continue\r\n\r\n", 500),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 500),
        ("HTTP/1.1 204 No Content\r\n\r\n", 500),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 500),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 500),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 500),
        ("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", 500),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 500),
    ];
    let port = upstream(move |mut stream| {
        loop {
            let head = read_head(&mut stream).to_ascii_lowercase();
            let Some(fault) =
                head.split("x-fault: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok())
            else {
                return;
            };
            let answer = rows[fault].0;
            if stream.write_all(answer.as_bytes()).is_err() || !answer.contains("Content-Length") {
                return;
            }
        }
    });
    let behind = Recorder::start(true);
    let fields = "headers: {X-Fault: '{{ .MatchContext.Header.Get \"X-Fault\" }}'}";
    let handler = |name: &str, more: &str| {
        format!(
            "{{handler: {name}, config: {{remote: 'http://127.0.0.1:{port}/', retry: {{give_up_after: 50ms}}, \
             {fields}{more}}}}}"
        )
    };
    let anybody = "{handler: anonymous}";
    let rules = rule("remote", anybody, &handler("remote", ""), behind.port)
        + &rule("json", anybody, &handler("remote_json", ", payload: '{}'"), behind.port);
    let running = serve(&rules);
    for (number, (answer, expected)) in rows.iter().enumerate() {
        for path in ["/remote/", "/json/"] {
            let got = running.get(path, &[("Host", "h"), ("X-Fault", &number.to_string())]).status();
            assert_eq!(got, *expected, "{answer:?} {path}: {}", running.log());
            assert_eq!(behind.take().len(), usize::from(*expected == 200), "{answer:?} {path}");
        }
    }
    // A body that cannot be shown to the authorizer as a whole: it is not asked about a part of it.
    let cut = format!(
        "POST /remote/ HTTP/1.1\r\nHost: h\r\nX-Fault: 0\r\nContent-Length: {}\r\n\r\n{}",
        64 << 20,
        "x".repeat(4096)
    );
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(keyward_testkit::process::PATIENCE)).unwrap();
    stream.write_all(cut.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let said = String::from_utf8_lossy(&wire::drain(&mut stream, 4096)).into_owned();
    assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    assert!(behind.take().is_empty());
}
