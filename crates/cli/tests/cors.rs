//! Other origins, against the real binary: preflights, the API port, an upstream with a policy of its own, and
//! a policy that changes while it is served.

#![allow(clippy::unwrap_used)]

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire::{self, Message};
use serde_json::json;

fn config(proxy: &str) -> String {
    format!(
        "serve: {{proxy: {{cors: {proxy}}}, api: {{cors: {{enabled: true, allowed_origins: [\"https://a.example\"]}}}}}}\n\
         authenticators: {{unauthorized: {{enabled: true}}, anonymous: {{enabled: true}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n"
    )
}

/// `/open` for everybody, `/closed` for nobody.
fn start(proxy: &str, upstream: u16) -> Running {
    let rule = |path: &str, authenticator: &str| {
        format!(
            "- id: {path}\n  match: {{url: \"http://<[^/]*>/{path}<.*>\", methods: [GET, OPTIONS]}}\n  \
             authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: noop}}]\n  upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
        )
    };
    let rules = rule("open", "anonymous") + &rule("closed", "unauthorized");
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(proxy), &rules).start()
}

const FROM_A: (&str, &str) = ("Origin", "https://a.example");
const ASKS_FOR_GET: (&str, &str) = ("Access-Control-Request-Method", "GET");
const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

fn all<'m>(message: &'m Message, name: &str) -> Vec<&'m str> {
    let same = message.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    same.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn preflights_need_no_rule_and_no_credential_and_are_recorded() {
    let upstream = Recorder::start(true);
    let running =
        start("{enabled: true, allowed_origins: [\"https://*.example.com\", \"https://a.example\"]}", upstream.port);
    for target in ["/open", "/closed", "/no-rule"] {
        let answer = running.request("OPTIONS", target, &[FROM_A, ASKS_FOR_GET], "");
        assert_eq!((answer.status(), answer.header(ALLOW_ORIGIN)), (204, Some("https://a.example")), "{target}");
        assert_eq!(answer.text(), "");
    }
    assert!(upstream.take().is_empty());
    // A denial can be read by the page, and passes nothing else.
    let denied = running.get("/closed", &[FROM_A]);
    assert_eq!((denied.status(), denied.header(ALLOW_ORIGIN)), (401, Some("https://a.example")));
    // What the gate refuses is refused here too.
    assert_eq!(running.request("OPTIONS", "/open/%00", &[FROM_A, ASKS_FOR_GET], "").status(), 400);
    let records = running.audit(5);
    let record = |path: &str| records.iter().find(|record| record["path"] == path).unwrap();
    for path in ["/open", "/no-rule"] {
        let record = record(path);
        assert_eq!((&record["outcome"], &record["reason"]), (&json!("allowed"), &json!("cors_preflight")));
        assert_eq!((&record["status"], &record["rule_id"]), (&json!(204), &json!(null)));
    }
    let counted = "ory_oathkeeper_requests_total{service=\"oathkeeper-proxy\",method=\"OPTIONS\",request=\"/open\",status_code=\"204\"";
    running.until("counting", |running| running.metric(counted) == Some(1.0));
}

#[test]
fn an_upstreams_own_policy_gives_way() {
    let upstream = Recorder::start(true);
    upstream.script(vec![json!({
        "path": "/open",
        "headers": {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Vary": "Accept"},
        "body": "x",
    })]);
    let running = start("{enabled: true, allowed_origins: [\"https://a.example\"]}", upstream.port);
    let answer = running.get("/open", &[FROM_A]);
    assert_eq!(all(&answer, ALLOW_ORIGIN), ["https://a.example"]);
    assert_eq!(all(&answer, "Access-Control-Allow-Credentials"), Vec::<&str>::new());
    assert_eq!(all(&answer, "Vary"), ["Accept", "Origin"]);
    let other = running.get("/open", &[("Origin", "https://evil.test")]);
    assert_eq!(all(&other, ALLOW_ORIGIN), Vec::<&str>::new());
    // Without a policy here the upstream's is passed on.
    running.replace("config.yaml", &config("{enabled: false}"));
    running.until("the end of the policy", |running| all(&running.get("/open", &[FROM_A]), ALLOW_ORIGIN) == ["*"]);
}

#[test]
fn the_policy_changes_with_the_configuration() {
    let upstream = Recorder::start(true);
    let running = start("{enabled: true, allowed_origins: [\"https://b.example\"]}", upstream.port);
    assert_eq!(running.get("/open", &[FROM_A]).header(ALLOW_ORIGIN), None);
    running.replace("config.yaml", &config("{enabled: true, allowed_origins: [\"https://a.example\"]}"));
    running.until("the change", |running| running.get("/open", &[FROM_A]).header(ALLOW_ORIGIN).is_some());
    // A policy that cannot be read changes nothing.
    running.replace("config.yaml", &config("{enabled: true, allowed_methods: [FETCH]}"));
    running.until("refusing it", |running| running.log().contains("the reload failed"));
    assert!(running.log().contains("`serve.proxy.cors.allowed_methods[0]` must be one of"), "{}", running.log());
    assert_eq!(running.get("/open", &[FROM_A]).header(ALLOW_ORIGIN), Some("https://a.example"));
}

#[test]
fn the_api_port_has_a_policy_of_its_own() {
    let running = start("{enabled: false}", Recorder::start(true).port);
    let ask = |request: &str| wire::exchange(running.api, request.as_bytes(), PATIENCE).unwrap();
    for target in ["/rules", "/decisions/open"] {
        let answer = ask(&format!(
            "OPTIONS {target} HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n"
        ));
        assert_eq!((answer.status(), answer.header(ALLOW_ORIGIN)), (204, Some("https://a.example")));
    }
    let answer = ask("GET /rules HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n");
    assert_eq!((answer.status(), answer.header(ALLOW_ORIGIN)), (200, Some("https://a.example")));
    let answer = ask("GET /rules HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.test\r\n\r\n");
    assert_eq!((answer.status(), answer.header(ALLOW_ORIGIN)), (200, None));
}

#[test]
fn what_admits_nobody_or_everybody_is_said_when_the_configuration_is_checked() {
    let check = |cors: &str| {
        let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let path = keyward.write("config.yaml", &config(cors));
        let (_, out, err) = keyward.config(path).run(&["config", "check"]);
        out + &err
    };
    let rows = [
        ("{enabled: true, allowed_origins: [\"https://*foo.com\"]}", "`https://*foo.com` admits nobody"),
        ("{enabled: true, allow_credentials: true}", "`serve.proxy.cors.allow_credentials` is not granted"),
        ("{enabled: true, allowed_origins: [\"https://a\", \"https://a\"]}", "is empty or written twice"),
        ("{enabled: true, allowed_headers: [\"a b\"]}", "`a b` is not a header name"),
    ];
    for (cors, expected) in rows {
        let said = check(cors);
        assert!(said.contains(expected), "{cors}: {said}");
    }
}
