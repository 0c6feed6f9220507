//! Headers that stay behind because of their names, or because of what they would mean behind this proxy.

#![allow(clippy::unwrap_used)]

use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};

/// `/fixed` sets a header always, `/hydrated` what its service answers, `/remote` what its authorizer answers, and
/// `/own` one with `_` in its name; all but `/own` read a token from `X-Token`.
fn start(upstream: &Recorder, side: &Recorder, settings: &str) -> Running {
    let token = "{handler: bearer_token, config: {check_session_url: \"http://127.0.0.1:SIDE/session\", \
                 preserve_path: true, token_from: {header: X-Token}}}";
    let rule = |id: &str, authenticator: &str, authorizer: &str, mutator: &str| {
        format!(
            "- id: {id}\n  match: {{url: \"http://<[^/]*>/{id}\", methods: [GET]}}\n  \
             authenticators: [{authenticator}]\n  authorizer: {authorizer}\n  mutators: [{mutator}]\n  \
             upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
            upstream.port
        )
    };
    let allow = "{handler: allow}";
    let rules = [
        rule("fixed", token, allow, "{handler: header, config: {headers: {X-User: me}}}"),
        rule("hydrated", token, allow, "{handler: hydrator, config: {api: {url: \"http://127.0.0.1:SIDE/hydrate\"}}}"),
        rule(
            "remote",
            token,
            "{handler: remote, config: {remote: \"http://127.0.0.1:SIDE/remote\", forward_response_headers_to_upstream: [X-User]}}",
            "{handler: noop}",
        ),
        rule("own", "{handler: anonymous}", allow, "{handler: header, config: {headers: {X_Own: me}}}"),
    ];
    let rules = rules.concat().replace("SIDE", &side.port.to_string());
    let config = format!(
        "{settings}\nlog: {{level: debug}}\nauthenticators: {{anonymous: {{enabled: true}}, bearer_token: {{enabled: true}}}}\n\
         authorizers: {{allow: {{enabled: true}}, remote: {{enabled: true}}}}\n\
         mutators: {{header: {{enabled: true}}, hydrator: {{enabled: true}}, noop: {{enabled: true}}}}\n"
    );
    let session = "{\"subject\": \"s\", \"extra\": {}, \"header\": {\"X-User\": [\"me\"]}}";
    side.script(vec![
        serde_json::json!({"path": "/session", "body": "{\"sub\": \"s\"}"}),
        serde_json::json!({"path": "/hydrate", "body": session}),
        serde_json::json!({"path": "/remote", "headers": {"X-User": "me"}}),
    ]);
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).start()
}

/// The names and values of the fields that reached the upstream, without those that every request has.
fn forwarded(upstream: &Recorder) -> Vec<String> {
    let call = upstream.take().remove(0);
    let lines = call["headers"].as_array().unwrap().iter();
    lines
        .map(|line| format!("{}: {}", line[0].as_str().unwrap(), line[1].as_str().unwrap()).to_lowercase())
        .filter(|line| !line.starts_with("host:"))
        .collect()
}

/// Each request has `API_KEY` and look-alikes of `X-User`, of `X-Token` and of `X_Own`.
#[test]
fn cve_2025_64484_underscores_pass_when_told_but_no_look_alikes() {
    // What of them reaches the upstream, by setting and path.
    let rows: [(&str, &str, &[&str]); 8] = [
        ("", "/fixed", &["x-own: them", "x-user: me"]),
        ("serve: {proxy: {underscore_headers: drop}}", "/fixed", &["x-own: them", "x-user: me"]),
        ("serve: {proxy: {underscore_headers: pass}}", "/fixed", &["api_key: k", "x-own: them", "x-user: me"]),
        ("serve: {proxy: {underscore_headers: pass}}", "/hydrated", &["api_key: k", "x-own: them", "x-user: me"]),
        ("serve: {proxy: {underscore_headers: pass}}", "/remote", &["api_key: k", "x-own: them", "x-user: me"]),
        (
            "serve: {proxy: {underscore_headers: pass}}",
            "/own",
            &["api_key: k", "x-token: t", "x_own: me", "x_token: u", "x_user: them"],
        ),
        ("", "/own", &["x-token: t", "x_own: me"]),
        ("serve: {proxy: {underscore_headers: drop}}", "/own", &["x-token: t", "x_own: me"]),
    ];
    for (settings, path, expected) in rows {
        let (upstream, side) = (Recorder::start(true), Recorder::start(false));
        let running = start(&upstream, &side, settings);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nAPI_KEY: k\r\nX_User: them\r\nX_Token: u\r\nX-Token: t\r\nX-Own: them\r\n\r\n"
        );
        let answer = running.send(&request).unwrap();
        assert_eq!(answer.status(), 200, "{settings} {path}: {}", running.log());
        let mut found = forwarded(&upstream);
        found.sort();
        assert_eq!(found, expected, "{settings} {path}");
        let says = running.log().contains("headers with `_` in their names were dropped");
        assert_eq!(says, !settings.contains("pass"), "{}", running.log());
        // What looks like a field of this hop is refused whatever is set.
        let framed = "GET /own HTTP/1.1\r\nHost: h\r\nX_Forwarded_For: 1.1.1.1\r\n\r\n";
        assert_eq!(running.send(framed).unwrap().status(), 400, "{settings}");
    }
}

/// An upstream that takes one of these for the request's method would do what the rule does not allow.
#[test]
fn requests_for_another_method_are_refused_unless_the_setting_lets_them_pass() {
    let rows = [
        ("", 400),
        ("serve: {proxy: {method_override_headers: refuse}}", 400),
        ("serve: {proxy: {method_override_headers: pass}}", 200),
    ];
    for (settings, status) in rows {
        let (upstream, side) = (Recorder::start(true), Recorder::start(false));
        let running = start(&upstream, &side, settings);
        for name in ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"] {
            let answer = running.get("/own", &[("Host", "h"), (name, "DELETE")]);
            assert_eq!(answer.status(), status, "{settings} {name}: {}", running.log());
            let decision = running.decision("GET", "/own", &[("Host", "h"), (name, "DELETE")]);
            assert_eq!(decision.status(), status, "{settings} {name}: {}", running.log());
            if status == 200 {
                let expected = [format!("{}: delete", name.to_lowercase()), "x_own: me".to_owned()];
                let mut found = forwarded(&upstream);
                found.sort();
                assert_eq!(found, expected);
            }
        }
        assert!(upstream.take().is_empty(), "{settings}");
        let refused = running.metric("keyward_gate_refusals_total{reason=\"method_override\"}");
        assert_eq!(refused.is_some(), status == 400, "{settings}");
    }
}

#[test]
fn decisions_repeat_no_look_alikes() {
    let (upstream, side) = (Recorder::start(true), Recorder::start(false));
    let running = start(&upstream, &side, "serve: {proxy: {underscore_headers: pass}}");
    let answer = running.decision("GET", "/remote", &[("X-Token", "t"), ("X_User", "them"), ("API_KEY", "k")]);
    assert_eq!(answer.status(), 200, "{}", running.log());
    let found = ["x-user", "x_user", "api_key"].map(|name| answer.header(name));
    assert_eq!(found, [Some("me"), None, Some("k")]);
}

#[test]
fn an_empty_user_agent_stays_behind() {
    let (upstream, side) = (Recorder::start(true), Recorder::start(false));
    let running = start(&upstream, &side, "");
    for (sent, expected) in [("", false), ("curl/8", true)] {
        let request = format!("GET /own HTTP/1.1\r\nHost: h\r\nUser-Agent: {sent}\r\n\r\n");
        assert_eq!(running.send(&request).unwrap().status(), 200);
        let found = forwarded(&upstream);
        assert_eq!(found.iter().any(|line| line.starts_with("user-agent:")), expected, "{sent}: {found:?}");
    }
}

/// The caller of HTTP/2 gets no 100, so nothing is left for the upstream to say.
#[test]
fn over_http2_an_expectation_ends_here() {
    let (upstream, side) = (Recorder::start(true), Recorder::start(false));
    let running = start(&upstream, &side, "");
    let port = running.proxy;
    let status = |expectation: &'static str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
            let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = http::Request::get(format!("http://h:{port}/own")).header("expect", expectation);
            let body = Full::new(bytes::Bytes::from_static(b"body"));
            sender.send_request(request.body(body).unwrap()).await.unwrap().status().as_u16()
        })
    };
    assert_eq!(status("100-continue"), 200, "{}", running.log());
    let found = forwarded(&upstream);
    assert!(!found.iter().any(|line| line.starts_with("expect:")), "{found:?}");
    assert_eq!(status("200-ok"), 417);
}
