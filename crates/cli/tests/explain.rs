//! `rules explain`: which rule takes a request or came nearest, what each step decides offline, what would be
//! sent or answered; and nothing of a secret.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

use keyward_testkit::process::Keyward;
use serde_json::Value;

const CONFIG: &str = r#"
serve: {proxy: {port: 4455}}
access_rules: {matching_strategy: glob}
authenticators:
  anonymous: {enabled: true}
  unauthorized: {enabled: true}
  cookie_session: {enabled: true, config: {check_session_url: "https://sessions.example/whoami", only: [sid]}}
  jwt:
    enabled: true
    config: {jwks_urls: ["https://issuer.example/keys"], trusted_issuers: [i], target_audience: [a]}
authorizers: {allow: {enabled: true}, deny: {enabled: true}}
mutators: {noop: {enabled: true}, header: {enabled: true}}
errors: {handlers: {redirect: {enabled: true, config: {to: /login}}}}
"#;

const RULES: &str = r#"
- id: jira
  match: {url: "http://oathkeeper:4455/jira/<**>", methods: [GET, HEAD]}
  authenticators: [{handler: jwt, config: {required_scope: ["jira:read"]}}]
  authorizer: {handler: allow}
  mutators: [{handler: header, config: {headers: {Authorization: "Bearer {{ env \"KEY\" }}", X-User: "{{ .Subject }}"}}}]
  upstream: {url: "https://jira.example/base", strip_path: /jira}
- id: closed
  match: {url: "http://h/closed/<*>", methods: [GET]}
  authenticators: [{handler: cookie_session}, {handler: anonymous}]
  authorizer: {handler: deny}
  mutators: [{handler: noop}]
  errors: [{handler: redirect, config: {when: [{error: [forbidden]}]}}]
- id: forward-auth
  match: {url: "http://h/decide", methods: [GET]}
  authenticators: [{handler: anonymous, config: {subject: guest}}]
  authorizer: {handler: allow}
  mutators: [{handler: header, config: {headers: {X-User: "{{ .Subject }}"}}}]
- id: users
  match: {url: "http://h/users/<{a,b}>/profile", methods: [GET]}
  authenticators: [{handler: anonymous}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
  upstream: {url: "http://u"}
"#;

/// The server with its rules, a key set and a token that it checks.
fn scene() -> (Keyward, String, String) {
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, RULES).env("KEY", "s3cr3t");
    let server = server.env("SERVE_PROXY_PORT", "4455");
    let maker = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let (_, keys, _) = maker.run(&["credentials", "generate", "--alg", "RS256"]);
    let path = server.write("keys.json", &keys).display().to_string();
    let arguments =
        ["token", "--key", &path, "--sub", "me", "--scope", "jira:read", "--issuer", "i", "--audience", "a"];
    let (code, token, err) = maker.run(&arguments);
    assert_eq!(code, 0, "{err}");
    (server, path, token.trim().to_owned())
}

#[test]
fn every_way_a_request_can_go_is_explained() {
    let (server, keys, token) = scene();
    let bearer = format!("Authorization: Bearer {token}");
    // (arguments, exit code, what must be said)
    let rows: [(&[&str], i32, &[&str]); 12] = [
        (
            &["http://localhost:4455/jira/x?q=s3cr3t", "-H", &bearer, "--jwks", &keys],
            0,
            &[
                "rule `jira` takes it",
                "under another name of this proxy",
                "jwt                        establishes `me`",
                "sets authorization, x-user",
                "GET https://jira.example/base/x?…",
                "authorization: [redacted]",
            ],
        ),
        (
            &["http://localhost:4455/jira/x", "-H", &bearer],
            1,
            &["not known offline", "https://issuer.example/keys is not at hand", "--jwks FILE"],
        ),
        (
            &["http://localhost:4455/jira/x"],
            1,
            &["leaves it to the next one", "not reached", "denied: credential_missing", "error handler `json`", "401"],
        ),
        (
            &["-X", "POST", "http://localhost:4455/jira/x"],
            1,
            &["no rule takes it", "rule `jira`", "POST is not one of GET, HEAD", "denied: no_rule", "404"],
        ),
        (&["http://localhost:4455/jir"], 1, &["^ path: the pattern wants `a/`"]),
        (&["http://other.example/closed/x"], 1, &["^ host or port: the pattern wants `h/closed/`"]),
        (&["http://h/users/c/profile"], 1, &["rule `users`", "^ path: the pattern wants `<{a,b}>`"]),
        (&["http://h/users/a/profile/x"], 1, &["^ path: the pattern ends here"]),
        (
            &["http://h/closed/x"],
            1,
            &[
                "cookie_session             leaves it",
                "anonymous                  establishes `anonymous`",
                "denied: denied",
                "error handler `redirect`",
                "location: /login",
            ],
        ),
        (
            &["http://h/closed/x", "-H", "Cookie: sid=1"],
            1,
            &[
                "would ask GET https://sessions.example/closed/x",
                "not known offline",
                "it depends on what GET https://sessions.example/closed/x answers",
            ],
        ),
        (
            &["http://h/decide"],
            0,
            &["permitted; the rule has no upstream", "establishes `guest`", "x-user: [redacted]"],
        ),
        (&["http://h/a%00b"], 1, &["refused at the gate: 400 path"]),
    ];
    for (arguments, code, expected) in rows {
        let (ended, out, err) = server.run(&[&["rules", "explain"], arguments].concat());
        assert_eq!(ended, code, "{arguments:?}\n{out}{err}");
        for part in expected {
            assert!(out.contains(part), "{arguments:?}: `{part}` is missing in\n{out}{err}");
        }
        assert!(!out.contains("s3cr3t") && !out.contains(&token), "{out}");
    }
}

#[test]
fn a_request_can_be_written_out() {
    let (server, ..) = scene();
    let raw = "GET /users/a/profile HTTP/1.1\nHost: h\nX-Debug: 1\n";
    let path = server.write("request.http", raw).display().to_string();
    let (code, out, err) = server.run(&["rules", "explain", "--request", &path]);
    assert!(code == 0 && out.contains("GET http://u/users/a/profile") && out.contains("x-debug: 1"), "{out}{err}");
    let ambiguous =
        "POST /users/a/profile HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let path = server.write("request.http", ambiguous).display().to_string();
    let (code, out, _) = server.run(&["rules", "explain", "-r", &path]);
    assert!(code == 1 && out.contains("refused at the gate: 400 framing"), "{out}");
    for (arguments, expected) in [
        (&["--request", "/nonexistent"][..], "/nonexistent"),
        (&["h/a"], "no scheme"),
        (&["http://h/a", "--jwks", "/dev/zero"], "not a regular file"),
        (&["http://h/a", "-H", "nothing"], "Name: value"),
    ] {
        let (code, out, err) = server.run(&[&["rules", "explain"], arguments].concat());
        assert!(code == 255 && err.contains(expected), "{arguments:?}: {code} {out}{err}");
    }
}

#[test]
fn a_request_can_come_from_standard_input() {
    let (server, ..) = scene();
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["rules", "explain", "--request", "-", "-c"])
        .arg(server.path("config.yaml"))
        .env("ACCESS_RULES_REPOSITORIES", format!("file://{}", server.path("rules.yaml").display()))
        .env("KEY", "x")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"GET /decide HTTP/1.1\nHost: h\n\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn programs_get_the_same_as_json() {
    let (server, keys, token) = scene();
    let bearer = format!("Authorization: Bearer {token}");
    let explain = |arguments: &[&str]| -> Value {
        let (_, out, err) = server.run(&[&["rules", "explain", "--format", "json"], arguments].concat());
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
    };
    let allowed = explain(&["http://localhost:4455/jira/x", "-H", &bearer, "--jwks", &keys]);
    assert_eq!((&allowed["outcome"], &allowed["rule"]["id"]), (&"allowed".into(), &"jira".into()));
    assert_eq!(allowed["upstream"]["url"], "https://jira.example/base/x");
    assert_eq!(allowed["upstream"]["headers"]["authorization"], "[redacted]");
    assert_eq!((&allowed["steps"][0]["handler"], &allowed["steps"][0]["subject"]), (&"jwt".into(), &"me".into()));
    let none = explain(&["http://h/users/c/profile"]);
    assert_eq!(
        (&none["outcome"], &none["reason"], &none["status"]),
        (&"denied".into(), &"no_rule".into(), &404.into())
    );
    assert_eq!((&none["nearest"][0]["id"], &none["nearest"][0]["wanted"]), (&"users".into(), &"<{a,b}>".into()));
    let unknown = explain(&["http://h/closed/x", "-H", "Cookie: sid=1"]);
    assert_eq!((&unknown["known"], &unknown["steps"][0]["calls"][0]["answered"]), (&false.into(), &false.into()));
}
