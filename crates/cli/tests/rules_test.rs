//! `rules test`: a rule author's table of requests, run against the real pipeline without a network.

#![allow(clippy::unwrap_used)]

use keyward_testkit::process::Keyward;
use serde_json::Value;

const CONFIG: &str = r#"
access_rules: {matching_strategy: glob}
authenticators:
  anonymous: {enabled: true}
  jwt:
    enabled: true
    config: {jwks_urls: ["https://issuer.example/keys"], trusted_issuers: [i], target_audience: [a]}
  oauth2_introspection: {enabled: true, config: {introspection_url: "https://auth.example/introspect"}}
authorizers: {allow: {enabled: true}, deny: {enabled: true}}
mutators: {noop: {enabled: true}, header: {enabled: true}}
"#;

const RULES: &str = r#"
- id: jira
  match: {url: "http://h/jira/<**>", methods: [GET]}
  authenticators: [{handler: jwt, config: {required_scope: ["jira:read"]}}]
  authorizer: {handler: allow}
  mutators: [{handler: header, config: {headers: {Authorization: "Basic {{ env \"KEY\" | b64enc }}", X-User: "{{ .Subject }}"}}}]
  upstream: {url: "https://jira.example", strip_path: /jira}
- id: introspected
  match: {url: "http://h/i", methods: [GET]}
  authenticators: [{handler: oauth2_introspection}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
  upstream: {url: "http://u"}
"#;

const PASSING: &str = r#"
env: {KEY: "user:pass"}
now: 2026-01-31T12:00:00Z
tests:
  - name: readers may read
    request:
      url: http://h/jira/issue/1?x=1
      headers: {X-User: forged, Connection: X-Debug, X-Debug: "1"}
      token: {claims: {iss: i, aud: a, sub: ci, scope: "jira:read"}}
    expect:
      outcome: allowed
      status: 200
      rule: jira
      subject: ci
      upstream:
        method: GET
        url: https://jira.example/issue/1?x=1
        headers: {Authorization: "Basic dXNlcjpwYXNz", X-User: ci, Host: jira.example}
        present: [authorization]
        absent: [X-Debug]
  - name: others may not
    request: {url: http://h/jira/x, token: {claims: {iss: i, aud: a, sub: ci, scope: "jira:write"}}}
    expect: {outcome: denied, status: 401, reason: insufficient_scope, handler: jwt, subject: ci}
  - name: old tokens do not count
    request: {url: http://h/jira/x, token: {claims: {iss: i, aud: a, sub: ci, scope: "jira:read", iat: -2h, exp: -1h}}}
    expect: {reason: token_expired}
  - name: nor do tokens without an end
    request: {url: http://h/jira/x, token: {claims: {iss: i, aud: a, scope: "jira:read", exp: null}}}
    expect: {reason: token_lifetime}
  - name: nor tampered ones
    request: {url: http://h/jira/x, token: {tampered: true, claims: {iss: i, aud: a, scope: "jira:read"}}}
    expect: {reason: signature_invalid}
  - name: nobody may do without
    request: {url: http://h/jira/x}
    expect: {reason: credential_missing, headers: {Content-Type: application/json}}
  - name: nothing else is served
    request: {method: DELETE, url: http://h/jira/x}
    expect: {status: 404, rule: "", reason: no_rule}
  - name: active tokens pass
    request: {url: http://h/i, headers: {Authorization: Bearer opaque}}
    services: [{method: POST, url: https://auth.example/introspect, body: {active: true, sub: svc}}]
    expect: {outcome: allowed, subject: svc, calls: [POST https://auth.example/introspect]}
  - name: the same token, no longer active
    request: {url: http://h/i, headers: {Authorization: Bearer opaque}}
    services: [{url: https://auth.example/introspect, body: {active: false}}]
    expect: {outcome: denied, status: 401}
"#;

fn test(tests: &str, more: &[&str]) -> (i32, String, String) {
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, RULES).env("KEY", "from-the-environment");
    let path = server.write("tests.yaml", tests).display().to_string();
    server.run(&[&["rules", "test", &path], more].concat())
}

#[test]
fn what_is_as_expected_passes() {
    let (code, out, err) = test(PASSING, &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("9 tests, 9 passed, 0 failed"), "{out}");
}

#[test]
fn what_is_not_as_expected_is_shown_beside_it() {
    // (expectation, what the report must say)
    let rows = [
        ("{outcome: denied}", vec!["outcome", "expected  denied", "found     allowed"]),
        ("{status: 403}", vec!["expected  403", "found     200"]),
        ("{rule: other}", vec!["expected  other", "found     jira"]),
        ("{subject: you}", vec!["found     ci"]),
        (
            "{upstream: {method: POST, url: http://x/}}",
            vec!["upstream.method", "upstream.url", "https://jira.example/x"],
        ),
        ("{upstream: {headers: {X-User: you}}}", vec!["upstream.headers.X-User", "expected  you", "found     ci"]),
        ("{upstream: {headers: {X-None: x}}}", vec!["it is not there"]),
        ("{upstream: {present: [X-None], absent: [X-User]}}", vec!["it is not sent", "it is sent"]),
        ("{upstream: {headers: {Authorization: x}}}", vec!["upstream.headers.Authorization", "[redacted"]),
        ("{calls: [GET http://x/]}", vec!["calls", "expected  GET http://x/"]),
    ];
    for (expectation, expected) in rows {
        let tests = format!(
            "tests:\n  - name: it\n    request: {{url: http://h/jira/x, token: {{claims: {{iss: i, aud: a, sub: ci, scope: \"jira:read\"}}}}}}\n    expect: {expectation}\n"
        );
        let (code, out, err) = test(&tests, &[]);
        assert_eq!(code, 1, "{expectation}: {out}{err}");
        for part in expected {
            assert!(out.contains(part), "{expectation}: `{part}` is missing in\n{out}{err}");
        }
        assert!(!out.contains("ZnJvbS10aGU"), "{out}");
    }
    let unanswered = "tests:\n  - {name: n, request: {url: http://h/i, headers: {Authorization: Bearer x}}, expect: {outcome: allowed}}\n";
    let (code, out, _) = test(unanswered, &[]);
    assert!(code == 1 && out.contains("`services` has no answer to POST https://auth.example/introspect"), "{out}");
}

#[test]
fn build_servers_get_json_or_junit() {
    let tests = "tests:\n  - {name: 'a < b', request: {url: http://h/none}, expect: {status: 200}}\n  - {name: c, request: {url: http://h/none}, expect: {status: 404}}\n";
    let (code, out, _) = test(tests, &["--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["tests"][0]["passed"], &report["tests"][1]["passed"]), (1, &false.into(), &true.into()));
    assert_eq!(report["tests"][0]["mismatches"][0]["key"], "status");
    let (_, out, _) = test(tests, &["--format", "junit"]);
    for part in [
        "tests=\"2\" failures=\"1\"",
        "tests.yaml\" name=\"a &lt; b\">",
        "  <testcase classname=\"/",
        "<failure message=\"status\">",
        "tests.yaml\" name=\"c\"/>",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

/// A file that tests nothing, or not what its author thinks, is no success.
#[test]
fn files_that_cannot_be_used_are_refused_with_their_place() {
    let request = "{url: http://h/jira/x}";
    let rows = [
        ("tests: []\n".to_owned(), "`tests` is empty"),
        (format!("tests: [{{name: n, request: {request}, expect: {{}}}}]\n"), "the test `n` expects nothing"),
        (format!("tests: [{{name: n, request: {request}, expect: {{statuss: 401}}}}]\n"), "did you mean `status`?"),
        (
            format!("tests: [{{name: n, request: {request}, expect: {{reason: token_expird}}}}]\n"),
            "there is no reason `token_expird`\n",
        ),
        (
            format!("tests: [{{name: n, request: {request}, expect: {{reason: x}}}}]\n"),
            "`token_expired`, `token_inactive`",
        ),
        (format!("tests: [{{name: n, request: {request}, expcet: {{status: 401}}}}]\n"), "did you mean `expect`?"),
        (
            format!("now: soon\ntests: [{{name: n, request: {request}, expect: {{status: 401}}}}]\n"),
            "`soon` is no time",
        ),
        ("tests: [{name: n, request: {url: /x}, expect: {status: 401}}]\n".to_owned(), "no scheme"),
        (
            "tests: [{name: n, request: {url: http://h/, token: {alg: none}}, expect: {status: 401}}]\n".to_owned(),
            "`none`",
        ),
    ];
    for (tests, expected) in rows {
        let (code, out, err) = test(&tests, &[]);
        assert!(code == 255 && err.contains(expected), "{tests}: {code} {out}{err}");
    }
}

/// The example of the reference, against the rules of the README.
#[test]
fn the_documented_example_passes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let block = |text: &str, fence: &str, index: usize| {
        text.split(fence).nth(index + 1).unwrap().split("```").next().unwrap().to_owned()
    };
    let (readme, reference) = (read("README.md"), read("docs/reference.md"));
    let (config, rules) = (block(&readme, "```yaml\n", 0), block(&readme, "```yaml\n", 1));
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).env("SERVE_PROXY_PORT", "4455");
    let path = server.write("tests.yaml", &block(&reference, "```yaml test\n", 0)).display().to_string();
    let (code, out, err) = server.run(&["rules", "test", &path]);
    assert!(code == 0 && out.contains("2 passed"), "{out}{err}");
}

/// A rule that takes a request under another name of this proxy has its capture groups all the same: an
/// authorizer that is asked about an empty resource might say yes.
#[test]
fn capture_groups_are_there_under_another_name_of_this_proxy() {
    let config = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\nmutators: {header: {enabled: true}}\n";
    let rules = "- id: r\n  match: {url: \"http://oathkeeper:4455/u/<[0-9]+>\", methods: [GET]}\n  authenticators: [{handler: anonymous}]\n  authorizer: {handler: allow}\n  mutators:\n    - {handler: header, config: {headers: {X-Id: \"{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}\"}}}\n  upstream: {url: \"http://u\"}\n";
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(config, rules).env("SERVE_PROXY_PORT", "4455");
    let tests: String = ["oathkeeper", "localhost", "127.0.0.1"]
        .map(|host| format!("  - {{name: {host}, request: {{url: \"http://{host}:4455/u/7\"}}, expect: {{upstream: {{headers: {{X-Id: \"7\"}}}}}}}}\n"))
        .concat();
    let path = server.write("tests.yaml", &format!("tests:\n{tests}")).display().to_string();
    let (code, out, err) = server.run(&["rules", "test", &path]);
    assert!(code == 0 && out.contains("3 passed"), "{out}{err}");
}
