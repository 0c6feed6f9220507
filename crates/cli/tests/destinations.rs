//! Where a credential goes: to the host that the rule names, at an address that this host may have, and nowhere else.

#![allow(clippy::unwrap_used)]

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
";

/// One rule for each path, with the host its requests go to; each gives away a credential.
fn rules(upstreams: &[(&str, String)]) -> String {
    let rule = |(path, url): &(&str, String)| {
        format!(
            "- id: r-{path}\n  match: {{url: \"<https?>://<[^/]*>/{path}<(/.*)?>\", methods: [GET]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: header, config: {{headers: {{X-Key: the-secret}}}}}}]\n  upstream: {{url: \"{url}\"}}\n"
        )
    };
    upstreams.iter().map(rule).collect()
}

fn keyward(upstreams: &[(&str, String)]) -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules(upstreams))
}

fn status(running: &Running, path: &str) -> u16 {
    running.get(&format!("/{path}"), &[("Host", "h")]).status()
}

/// Spellings that this proxy does not read as addresses and the system's resolver does: to this machine by a name that
/// needs no name server and no file of hosts.
const SPELLINGS: &[&str] = &["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0x7f.1"];

#[test]
fn a_name_that_leads_to_this_machine_gets_no_credential() {
    let recorder = Recorder::start(true);
    let port = recorder.port;
    let paths: Vec<String> = (0..SPELLINGS.len()).map(|number| format!("n{number}")).collect();
    let mut upstreams: Vec<(&str, String)> =
        paths.iter().zip(SPELLINGS).map(|(path, host)| (path.as_str(), format!("http://{host}:{port}"))).collect();
    upstreams.push(("literal", format!("http://127.0.0.1:{port}")));
    upstreams.push(("localhost", format!("http://LocalHost:{port}")));
    let running = keyward(&upstreams).start();
    for (number, path) in paths.iter().enumerate() {
        let answer = running.get(&format!("/{path}"), &[("Host", "h")]);
        assert_eq!((answer.status(), answer.text()), (502, String::new()), "{path}");
        assert!(!format!("{:?}", answer.headers).contains("127."), "{answer:?}");
        assert_eq!(running.audit(number + 1)[number]["reason"], "upstream_address", "{path}");
        let said = format!("`{}` leads to ", SPELLINGS[number]);
        assert!(running.log().contains(&said), "{said}\n{}", running.log());
    }
    assert!(running.log().contains("`serve.proxy.upstream.addresses.allow`"), "{}", running.log());
    let refused = running.metric("keyward_upstream_errors_total{reason=\"upstream_address\"}");
    assert_eq!((refused, recorder.take()), (Some(6.0), Vec::new()));
    // Written so, it is meant.
    assert_eq!((status(&running, "literal"), status(&running, "localhost")), (200, 200), "{}", running.log());
    assert_eq!(recorder.take_header("x-key"), ["the-secret"; 2]);
}

/// Also over connections that are open already: they were made under other settings.
#[test]
fn what_may_be_reached_is_a_setting_that_a_reload_changes() {
    let recorder = Recorder::start(true);
    let port = recorder.port;
    let upstreams = [("name", format!("http://127.1:{port}")), ("literal", format!("http://127.0.0.1:{port}"))];
    let server = keyward(&upstreams);
    let more = server.write("more.yaml", "{}\n");
    let running = server.config(more).start();
    let addresses = |lists: &str| format!("serve: {{proxy: {{upstream: {{addresses: {{{lists}}}}}}}}}\n");
    let rows = [
        ("", [502, 200]),
        ("allow: [127.0.0.0/8]", [200, 200]),
        ("deny: [loopback]", [502, 502]),
        ("allow: [127.0.0.1], deny: [loopback]", [200, 200]),
        ("deny: [127.0.0.2]", [502, 200]),
    ];
    for (number, (lists, expected)) in rows.into_iter().enumerate().skip(1) {
        running.replace("more.yaml", &addresses(lists));
        running.signal("HUP");
        running.until("the reload", |running| {
            running
                .metric("keyward_reloads_total")
                .is_some_and(|count| count >= f64::from(u32::try_from(number).unwrap()))
                && [status(running, "name"), status(running, "literal")] == expected
        });
        recorder.take();
    }
    running.replace("more.yaml", &addresses("deny: [loopback, 127.0.0.0/33]"));
    running.signal("HUP");
    running.until("refusing it", |running| running.log().contains("`127.0.0.0/33` is no address"));
    assert_eq!([status(&running, "name"), status(&running, "literal")], [502, 200]);
}

/// Services that take part in decisions, and key sets, are reached by the same addresses; what callers are told names none.
#[test]
fn side_services_and_key_sets_are_reached_by_the_same_addresses() {
    let (side, upstream) = (Recorder::start(true), Recorder::start(true));
    side.script(vec![json!({"path": "/keys", "body": {"keys": []}}), json!({"path": "/ok", "status": 200})]);
    let port = side.port;
    let serve = |host: &str| {
        let config = format!(
            "authenticators:\n  anonymous: {{enabled: true}}\n  noop: {{enabled: true}}\n  \
             jwt: {{enabled: true, config: {{jwks_urls: ['http://{host}:{port}/keys']}}}}\n\
             authorizers:\n  allow: {{enabled: true}}\n  \
             remote_json: {{enabled: true, config: {{remote: 'http://{host}:{port}/ok', payload: '{{}}'}}}}\n\
             mutators: {{noop: {{enabled: true}}}}\n"
        );
        let rule = |id: &str, authenticator: &str, authorizer: &str| {
            format!(
                "- id: {id}\n  match: {{url: 'http://h/{id}', methods: [GET]}}\n  \
                 authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: {authorizer}}}\n  \
                 mutators: [{{handler: noop}}]\n  upstream: {{url: 'http://127.0.0.1:{}'}}\n",
                upstream.port
            )
        };
        let rules = rule("asks", "anonymous", "remote_json") + &rule("keys", "jwt", "allow");
        Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).start()
    };
    let running = serve("0x7f000001");
    let answer = running.get("/asks", &[("Host", "h")]);
    assert!(answer.status() >= 400 && !answer.text().contains("127."), "{}", answer.text());
    running.until("the key set", |running| running.api("/health/ready?verbose").unwrap().text().contains("127.0.0.1"));
    let ready = running.api("/health/ready?verbose").unwrap().text();
    assert!(ready.contains("`0x7f000001` leads to 127.0.0.1, a loopback address"), "{ready}");
    assert_eq!((side.take(), upstream.take()), (Vec::new(), Vec::new()));
    for host in ["127.0.0.1", "localhost"] {
        let running = serve(host);
        assert_eq!(status(&running, "asks"), 200, "{host}: {}", running.log());
        running.until("the key set", |running| running.api("/health/ready").unwrap().status() == 200);
    }
}

/// Go's net/http CVE-2023-45289, CVE-2024-45336 and CVE-2025-4673 sent credentials to where a redirect led.
#[test]
fn cve_2024_45336_a_redirect_is_passed_on_and_never_followed() {
    let (upstream, elsewhere) = (Recorder::start(true), Recorder::start(true));
    let locations = [
        format!("http://127.0.0.1:{}/x", elsewhere.port),
        format!("//127.0.0.1:{}/x", elsewhere.port),
        "/a/again".to_owned(),
        "https://127.0.0.1/".to_owned(),
        "not a url".to_owned(),
    ];
    let running = keyward(&[("a", format!("http://127.0.0.1:{}", upstream.port))]).start();
    for location in &locations {
        for code in [300, 301, 302, 303, 305, 307, 308] {
            upstream
                .script(vec![json!({"path": "/a", "status": code, "headers": {"Location": location}, "body": "b"})]);
            let answer = running.get("/a", &[("Host", "h")]);
            let seen = (answer.status(), answer.header("location"), answer.text());
            assert_eq!(seen, (code, Some(location.as_str()), "b".to_owned()));
            assert_eq!(upstream.take_header("x-key"), ["the-secret"], "{code} {location}");
        }
    }
    assert_eq!(elsewhere.take(), Vec::<Value>::new());
}

/// A gateway let a header choose the upstream, and sent the credential there. Here nothing in a request does.
#[test]
fn ghsa_g53w_w6mj_hrpp_nothing_in_a_request_changes_where_it_goes() {
    let (upstream, elsewhere) = (Recorder::start(true), Recorder::start(true));
    let (own, other) = (format!("127.0.0.1:{}", upstream.port), format!("127.0.0.1:{}", elsewhere.port));
    let o = &other;
    let mut requests: Vec<String> = [
        format!("GET /a HTTP/1.1\r\nHost: {o}\r\n"),
        format!("GET http://{o}/a HTTP/1.1\r\nHost: {o}\r\n"),
        format!("GET http://{o}/a HTTP/1.1\r\nHost: h\r\n"),
        format!("GET http://h/a HTTP/1.1\r\nHost: {o}\r\n"),
        format!("GET http://h@{o}/a HTTP/1.1\r\nHost: {o}\r\n"),
        format!("GET http://{o}@h/a HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: h@{o}\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: {own}@{o}\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: h\r\nHost: {o}\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: h, {o}\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: h:{}\r\n", elsewhere.port),
        format!("GET /a HTTP/1.1\r\nHost: h#@{o}\r\n"),
        format!("GET //{o}/a HTTP/1.1\r\nHost: h\r\n"),
        format!("GET //{o}/../a HTTP/1.1\r\nHost: h\r\n"),
        format!("GET @{o}/a HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a@{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a/@{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a/http://{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a//{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a/..//{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a\\@{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a/%2f%2f{o}/ HTTP/1.1\r\nHost: h\r\n"),
        format!("GET /a?url=http://{o}/&host={o} HTTP/1.1\r\nHost: h\r\n"),
        format!("GET http:{o}/a HTTP/1.1\r\nHost: h\r\n"),
        format!("GET https://{o}/a HTTP/1.1\r\nHost: {o}\r\n"),
        format!("CONNECT {o} HTTP/1.1\r\nHost: {o}\r\n"),
        format!("GET {o} HTTP/1.1\r\nHost: {o}\r\n"),
    ]
    .into();
    let names = [
        "X-Forwarded-Host",
        "X-Forwarded-Server",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Original-URL",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Host",
        "X-HTTP-Host-Override",
        "X-Real-Host",
        "X-Upstream",
        "X-Upstream-Host",
        "X-Target-URL",
        "X-Target-Host",
        "X-Backend",
        "X-Backend-Url",
        "X-Base-Url",
        "X-Proxy-Url",
        "X-Mcp-Host",
        "X-Envoy-Original-Dst-Host",
        "X-Envoy-Original-Path",
        "Destination",
        "Base-Url",
        "Location",
        "Refresh",
        "Referer",
        "Origin",
        "Alt-Used",
        "Proxy-Host",
        ":authority",
    ];
    for value in [o.clone(), format!("http://{o}/")] {
        requests.extend(names.map(|name| format!("GET /a HTTP/1.1\r\nHost: h\r\n{name}: {value}\r\n")));
        requests.push(format!("GET /a HTTP/1.1\r\nHost: h\r\nForwarded: host=\"{value}\";proto=http\r\n"));
        requests
            .push(format!("GET /a HTTP/1.1\r\nHost: h\r\nConnection: X-Key, Host\r\nX-Forwarded-Host: {value}\r\n"));
    }
    for trusts in ["false", "true"] {
        let server = keyward(&[("a", format!("http://{own}"))]).env("SERVE_PROXY_TRUST_FORWARDED_HEADERS", trusts);
        let running = server.start();
        let mut forwarded = 0;
        for request in &requests {
            let answer = running.send(&format!("{request}Connection: close\r\n\r\n")).unwrap();
            let reached = upstream.take();
            assert!(elsewhere.take().is_empty(), "{request}");
            assert_eq!(reached.len(), usize::from(answer.status() == 200), "{request}: {answer:?}");
            assert!(matches!(answer.status(), 200 | 400 | 404 | 405), "{request}: {answer:?}");
            for seen in reached {
                forwarded += 1;
                let lines = seen["headers"].as_array().unwrap();
                let values = |name: &str| {
                    let named = lines.iter().filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
                    named.map(|line| line[1].clone()).collect::<Vec<_>>()
                };
                assert_eq!(
                    (values("host"), values("x-key")),
                    (vec![json!(own)], vec![json!("the-secret")]),
                    "{request}"
                );
                assert!(seen["target"].as_str().unwrap().starts_with("/a"), "{request}: {seen}");
            }
        }
        assert!(forwarded > names.len(), "{forwarded} of {}", requests.len());
    }
}
