//! Where a credential goes is the rule's to say, whatever `:authority`, `host`, `:path` or any other field names. The same
//! for HTTP/1.1 is in `destinations.rs`.

use keyward_testkit::conformance::recorder::Recorder;
use serde_json::json;

use super::caller::Outcome;
use super::frames::{END_STREAM, headers};
use super::stage::{CREDENTIAL, Stage};

/// Fields in which somebody else's proxy, gateway or application looks for a host.
const NAMES: [&str; 24] = [
    "x-forwarded-host",
    "x-forwarded-server",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-host",
    "x-http-host-override",
    "x-upstream",
    "x-upstream-host",
    "x-target-url",
    "x-backend",
    "x-proxy-url",
    "x-mcp-host",
    "x-envoy-original-dst-host",
    "x-envoy-original-path",
    "destination",
    "location",
    "refresh",
    "referer",
    "alt-used",
    "proxy-host",
];

/// What pseudo-fields and `host` say: authority, path, host.
type Named = (Option<String>, String, Option<String>);

fn named(own: &str, other: &str) -> Vec<Named> {
    let to = |authority: &str| (Some(authority.to_owned()), "/open/x".to_owned(), None);
    let path = |path: String| (Some("h".to_owned()), path, None);
    let host = |authority: Option<&str>, host: &str| {
        (authority.map(str::to_owned), "/open/x".to_owned(), Some(host.to_owned()))
    };
    let port = other.rsplit(':').next().unwrap_or_default();
    vec![
        to("h"),
        to(other),
        to(&format!("h@{other}")),
        to(&format!("{other}@h")),
        to(&format!("{own}@{other}")),
        to(&format!("h:{port}")),
        to(&format!("h,{other}")),
        to(&format!("{other}/")),
        to(&format!("{other}?")),
        to(&format!("{other}#h")),
        to(&format!("h#@{other}")),
        to(&format!("http://{other}")),
        to(&format!("//{other}")),
        to(""),
        host(None, other),
        host(None, &format!("h@{other}")),
        host(None, &format!("h, {other}")),
        host(Some("h"), other),
        host(Some("h"), "h"),
        host(Some(other), "h"),
        host(Some(other), other),
        host(Some("h"), &format!("h:{port}")),
        host(Some("h"), &format!("h@{other}")),
        host(Some("h"), ""),
        path(format!("http://{other}/open/x")),
        path(format!("https://{other}/open/x")),
        path(format!("//{other}/open/x")),
        path(format!("//{other}/../open/x")),
        path(format!("/..//{other}/open/x")),
        path(format!("@{other}/open/x")),
        path(format!("/open/@{other}/")),
        path(format!("/open/http://{other}/")),
        path(format!("/open//{other}/")),
        path(format!("/open/x\\@{other}/")),
        path(format!("/open/%2f%2f{other}/")),
        path(format!("/open/x?url=http://{other}/&host={other}")),
        path(format!("/open/x#@{other}/")),
        path(other.to_owned()),
    ]
}

/// Plays all of them and says how many were forwarded. None may reach `elsewhere`.
fn play(stage: &Stage, elsewhere: &Recorder) -> usize {
    let (own, other) = (format!("127.0.0.1:{}", stage.upstream.port), format!("127.0.0.1:{}", elsewhere.port));
    let forwarded_field = format!("host=\"{other}\";proto=http");
    let url = format!("http://{other}/");
    let mut rows: Vec<(Named, Vec<(&str, &str)>)> =
        named(&own, &other).into_iter().map(|named| (named, Vec::new())).collect();
    let plain = || (Some("h".to_owned()), "/open/x".to_owned(), None);
    for value in [&other, &url] {
        rows.extend(NAMES.map(|name| (plain(), vec![(name, value.as_str())])));
    }
    rows.push((plain(), vec![("forwarded", &forwarded_field)]));
    let mut forwarded = 0;
    for ((authority, path, host), more) in &rows {
        let mut fields = vec![(":method", "GET"), (":scheme", stage.scheme)];
        fields.extend(authority.iter().map(|authority| (":authority", authority.as_str())));
        fields.push((":path", path));
        fields.extend(host.iter().map(|host| ("host", host.as_str())));
        fields.extend(more);
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &fields));
        assert!(elsewhere.take().is_empty(), "{fields:?}");
        assert_eq!(seen.len(), usize::from(outcome == Outcome::Status(200)), "{fields:?}: {outcome:?}");
        for request in seen {
            forwarded += 1;
            let lines = request["headers"].as_array().unwrap();
            let values = |name: &str| {
                let of_name = lines.iter().filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
                of_name.map(|line| line[1].clone()).collect::<Vec<_>>()
            };
            assert_eq!(
                (values("host"), values("authorization")),
                (vec![json!(own)], vec![json!(CREDENTIAL)]),
                "{fields:?}"
            );
            assert!(request["target"].as_str().unwrap().starts_with("/open/"), "{fields:?}: {request}");
        }
    }
    forwarded
}

/// A gateway let a field choose the upstream, and sent the credential there.
#[test]
fn ghsa_g53w_w6mj_hrpp_nothing_in_a_request_of_http2_changes_where_it_goes() {
    let elsewhere = Recorder::start(true);
    let trusting = [("SERVE_PROXY_TRUST_FORWARDED_HEADERS", "true")];
    for stage in [Stage::plain(), Stage::with(&trusting), Stage::over_tls()] {
        let forwarded = play(&stage, &elsewhere);
        assert!(forwarded > NAMES.len(), "{forwarded}");
    }
}

/// Where the two ways to name a host disagree, nobody can say which is meant (RFC 9113 section 8.3.1): refused, and
/// nothing goes anywhere.
#[test]
fn an_authority_and_a_host_that_disagree_go_nowhere() {
    let stage = Stage::plain();
    let elsewhere = format!("127.0.0.1:{}", Recorder::start(true).port);
    let own = format!("127.0.0.1:{}", stage.upstream.port);
    for (authority, host) in [("h", elsewhere.as_str()), (&elsewhere, "h"), (&own, &elsewhere), (&elsewhere, &own)] {
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", "/open/x"), ("host", host)];
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &fields));
        assert_eq!((outcome, seen.len()), (Outcome::Status(400), 0), "{authority} {host}");
    }
}
