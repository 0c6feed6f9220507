//! Tables of what passes and what does not, each advisory by name.
#![allow(clippy::unwrap_used)]

mod fields;

use http::Request;

use super::*;

const ARRIVAL: Arrival = Arrival {
    tls: false,
    peer: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1),
    violation: None,
};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn pass(target: &str, headers: &[(&str, &str)]) -> Result<GatedRequest, RefusalReason> {
    admit(&mut parts("GET", target, headers), &ARRIVAL, &GatePolicy::default())
}

#[test]
fn the_url_is_canonical() {
    let rows = [
        ("/a/../b?x=%2e%2e", "Example.com:80", "http://example.com/b", Some("x=%2e%2e")),
        ("http://ex.com/x", "EX.com", "http://ex.com/x", None),
        ("/", "ex.com.", "http://ex.com/", None),
        ("/a?", "ex.com", "http://ex.com/a", Some("")),
        ("//x//y", "ex.com", "http://ex.com/x/y", None),
    ];
    for (target, host, url, query) in rows {
        let request = pass(target, &[("host", host)]).unwrap();
        assert_eq!((request.url(), request.query()), (url, query), "{target}");
    }
}

#[test]
fn requests_that_could_be_read_twice_are_refused() {
    use RefusalReason::*;
    let host = ("host", "h");
    let rows: &[(&str, Fields<'_>, RefusalReason)] = &[
        ("/", &[], Authority),
        ("/", &[host, host], Authority),
        ("/", &[("host", "u@h")], Authority),
        ("/", &[("host", "")], Authority),
        ("http://other/", &[host], AuthorityMismatch),
        ("http://h/", &[], Authority),
        ("https://h/", &[host], Scheme),
        ("/%2e%2e/x", &[host], Path),
        ("*", &[host], Path),
        ("/", &[host, ("content-length", "1"), ("transfer-encoding", "chunked")], Framing),
        ("/", &[host, ("transfer-encoding", "identity"), ("transfer-encoding", "chunked")], Framing),
        ("/", &[host, ("transfer-encoding", "xchunked")], Framing),
        ("/", &[host, ("transfer-encoding", "gzip, chunked")], Framing),
        ("/", &[host, ("content-length", "1"), ("content-length", "1")], Framing),
        ("/", &[host, ("content-length", "+1")], Framing),
        ("/", &[host, ("content-length", "")], Framing),
        ("/", &[host, ("content-length", "99999999999999999999")], Framing),
        ("/", &[host, ("expect", "200-maybe")], Expectation),
        ("/", &[host, ("connection", "authorization")], ConnectionNames),
        ("/", &[host, ("connection", "close, Content-Length")], ConnectionNames),
        ("/", &[host, ("connection", "upgrade"), ("upgrade", "websocket"), ("content-length", "5")], Upgrade),
        ("/", &[host, ("connection", "upgrade"), ("upgrade", "a b")], Upgrade),
    ];
    for (target, headers, expected) in rows {
        assert_eq!(pass(target, headers).unwrap_err(), *expected, "{target} {headers:?}");
    }
    for method in ["CONNECT", "TRACE"] {
        let target = if method == "CONNECT" { "h:443" } else { "/" };
        let refused = admit(&mut parts(method, target, &[host]), &ARRIVAL, &GatePolicy::default());
        assert_eq!(refused.unwrap_err(), Method);
    }
}

#[test]
fn what_passed_is_told_as_it_arrived() {
    let fields = [("host", "Ex.com:8080"), ("te", "gzip"), ("a_b", "1"), ("c_d", "2")];
    for passes_underscores in [false, true] {
        let policy = GatePolicy { passes_underscores, ..GatePolicy::default() };
        let mut request = admit(&mut parts("PUT", "/a?q=%zz", &fields), &ARRIVAL, &policy).unwrap();
        assert_eq!((request.authority(), request.path()), ("ex.com:8080", "/a"));
        assert_eq!(request.url_with_query(), "http://ex.com:8080/a?q=%zz");
        assert_eq!((request.accepts_trailers(), request.has_encoded_slash()), (false, false));
        assert_eq!(request.underscores_dropped(), if passes_underscores { 0 } else { 2 });
        assert_eq!(request.has_underscores(), passes_underscores);
        assert!(request.body().is_empty());
        request.set_body("body".into());
        assert_eq!(request.body(), "body");
        let (method, headers) = request.into_method_and_headers();
        assert_eq!((method, headers.contains_key("a_b")), (Method::PUT, passes_underscores));
    }
    assert_eq!(pass("/a", &[("host", "h")]).unwrap().url_with_query(), "http://h/a");
}

fn names(request: &GatedRequest) -> Vec<String> {
    let mut names: Vec<String> = request.headers().keys().map(ToString::to_string).collect();
    names.sort();
    names
}

#[test]
fn fields_of_this_hop_stay_behind() {
    let request = pass(
        "/",
        &[
            ("host", "h"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "x"),
            ("forwarded", "for=x"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwardedfoo", "1"),
            ("x-real-ip", "1"),
            ("accept", "*/*"),
            ("x_odd", "1"),
        ],
    )
    .unwrap();
    assert_eq!(names(&request), ["accept", "host", "x-real-ip"]);
    assert!(request.accepts_trailers());
}

#[test]
fn a_length_is_passed_on_as_nobody_can_misread_it() {
    for (written, passed) in [("0", "0"), ("00", "0"), ("010", "10"), ("10", "10"), ("0000000000000000001", "1")] {
        let request = pass("/", &[("host", "h"), ("content-length", written)]).unwrap();
        assert_eq!(request.headers()[http::header::CONTENT_LENGTH], passed, "{written}");
    }
}

/// Traefik CVE-2024-45410 and its bypass CVE-2026-29054: `Connection` in any case.
#[test]
fn cve_2024_45410_connection_names_are_read_in_any_case() {
    for value in ["x-user", "X-User", "close,x-USER", " x-user "] {
        let request = pass("/", &[("host", "h"), ("connection", value), ("x-user", "me")]).unwrap();
        assert_eq!(names(&request), ["host"], "{value}");
    }
}

/// oauth2-proxy CVE-2025-64484, Traefik CVE-2026-39858: `_` look-alikes of protected names.
#[test]
fn cve_2025_64484_underscore_look_alikes_are_refused() {
    for name in ["x_forwarded_for", "content_length", "transfer_encoding", "x-forwarded_proto"] {
        assert_eq!(pass("/", &[("host", "h"), (name, "1")]).unwrap_err(), RefusalReason::LookAlike, "{name}");
    }
}

/// A rule that allows GET says nothing of what the upstream does when it takes the request for a DELETE.
#[test]
fn requests_that_ask_for_another_method_in_a_field_are_refused_unless_they_may_pass() {
    let passing = GatePolicy { passes_method_overrides: true, ..GatePolicy::default() };
    for name in
        ["x-http-method-override", "x-http-method", "x-method-override", "x_http_method", "x-http_method-override"]
    {
        for (underscores, value) in [(false, "DELETE"), (true, "GET"), (true, "")] {
            let headers = [("host", "h"), (name, value)];
            let policy = GatePolicy { passes_underscores: underscores, ..GatePolicy::default() };
            let refused = admit(&mut parts("GET", "/", &headers), &ARRIVAL, &policy).unwrap_err();
            assert_eq!(refused, RefusalReason::MethodOverride, "{name}");
            let policy = GatePolicy { passes_underscores: underscores, ..passing.clone() };
            let passed = admit(&mut parts("GET", "/", &headers), &ARRIVAL, &policy).unwrap();
            assert_eq!(passed.headers().contains_key(name), underscores || !name.contains('_'), "{name}");
        }
    }
    assert!(pass("/", &[("host", "h"), ("x-http-methods", "DELETE")]).is_ok());
}

/// GHSA-p224-6x5r-fjpm, [T] of SEC-1 in serving spec 10: rules matched the raw path, the upstream resolved it.
#[test]
fn ghsa_p224_6x5r_fjpm_match_and_forward_see_one_path() {
    let request = pass("/public/../admin/secrets", &[("host", "h")]).unwrap();
    assert_eq!((request.url(), request.path()), ("http://h/admin/secrets", "/admin/secrets"));
    let request = pass("/public/%2e%2e/admin", &[("host", "h")]).unwrap();
    assert_eq!((request.url(), request.path()), ("http://h/admin", "/admin"));
    for target in ["/public/..%2Fadmin", "/a/%2e%2e%2fb", "/a/..;/b"] {
        assert_eq!(pass(target, &[("host", "h")]).unwrap_err(), RefusalReason::Path, "{target}");
    }
}

/// heimdall CVE-2026-42272: `%2F` and `%2f` are one thing.
#[test]
fn cve_2026_42272_both_cases_of_an_encoded_slash_are_flagged() {
    for target in ["/a%2Fb", "/a%2fb"] {
        let request = pass(target, &[("host", "h")]).unwrap();
        assert!(request.has_encoded_slash() && request.path() == "/a%2Fb", "{target}");
    }
}

/// GHSA-vhr5-ggp3-qq85, and [T] of serving spec 4.2.
#[test]
fn ghsa_vhr5_ggp3_qq85_forwarded_proto_counts_only_when_trusted() {
    let rows = [
        (true, false, None, "https"),
        (false, false, None, "http"),
        (false, true, Some("https"), "https"),
        (false, false, Some("https"), "http"),
        (true, true, Some("http"), "http"),
        (false, true, Some("https,http"), "http"),
        (false, true, Some(""), "http"),
    ];
    for (tls, trust_forwarded_headers, proto, expected) in rows {
        let mut headers = vec![("host", "h")];
        headers.extend(proto.map(|proto| ("x-forwarded-proto", proto)));
        let policy = GatePolicy { trust_forwarded_headers, ..GatePolicy::default() };
        let request = admit(&mut parts("GET", "/", &headers), &Arrival { tls, ..ARRIVAL }, &policy).unwrap();
        assert_eq!(request.scheme().as_str(), expected, "{tls} {trust_forwarded_headers} {proto:?}");
        // An empty line is as good as none.
        let passed = trust_forwarded_headers && proto.is_some_and(|proto| !proto.is_empty());
        assert_eq!(request.headers().contains_key("x-forwarded-proto"), passed);
    }
}

#[test]
fn limits_hold() {
    let long = "a".repeat(9000);
    assert_eq!(pass("/", &[("host", "h"), ("x", &long)]).unwrap_err(), RefusalReason::FieldSize);
    assert_eq!(pass(&format!("/{long}"), &[("host", "h")]).unwrap_err(), RefusalReason::TargetSize);
    assert_eq!(pass(&format!("/?{long}"), &[("host", "h")]).unwrap_err(), RefusalReason::TargetSize);
    let many: Vec<(String, String)> = (0..101).map(|n| (format!("x-{n}"), String::new())).collect();
    let mut many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    many.push(("host", "h"));
    assert_eq!(pass("/", &many).unwrap_err(), RefusalReason::FieldCount);
    let chunk = "a".repeat(8000);
    let five: Vec<(&str, &str)> =
        vec![("host", "h"), ("a", &chunk), ("b", &chunk), ("c", &chunk), ("d", &chunk), ("e", &chunk)];
    assert_eq!(pass("/", &five).unwrap_err(), RefusalReason::FieldSize);
}

#[test]
fn limits_are_met_exactly() {
    use RefusalReason::*;
    let policy = GatePolicy {
        max_head_bytes: 100,
        max_field_bytes: 60,
        max_fields: 4,
        max_target_bytes: 30,
        ..GatePolicy::default()
    };
    let x = "x".repeat(60);
    // Beside a field of 9 octets: `host`, `h`, and what stands around them.
    let rows: &[(&str, Fields<'_>, Result<(), RefusalReason>)] = &[
        ("/", &[("a", &x[..55])], Ok(())),
        ("/", &[("a", &x[..56])], Err(FieldSize)),
        ("/", &[("abcdefghij", &x[..46])], Ok(())),
        ("/", &[("abcdefghij", &x[..47])], Err(FieldSize)),
        ("/", &[("a", &x[..45]), ("b", &x[..36])], Ok(())),
        ("/", &[("a", &x[..45]), ("b", &x[..37])], Err(FieldSize)),
        ("/", &[("a", ""), ("b", ""), ("c", "")], Ok(())),
        ("/", &[("a", ""), ("b", ""), ("c", ""), ("d", "")], Err(FieldCount)),
        ("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[], Ok(())),
        ("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[], Err(TargetSize)),
        ("/aaaaaaaaaaaaaa?bbbbbbbbbbbbbb", &[], Ok(())),
        ("/?bbbbbbbbbbbbbbbbbbbbbbbbbbbb", &[], Ok(())),
        ("/?bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", &[], Err(TargetSize)),
    ];
    for (target, fields, expected) in rows {
        let fields: Vec<(&str, &str)> = [("host", "h")].iter().chain(*fields).copied().collect();
        let admitted = admit(&mut parts("GET", target, &fields), &ARRIVAL, &policy).map(drop);
        assert_eq!(admitted, *expected, "{target} {fields:?}");
    }
}

#[test]
fn upgrades_are_recognised_on_http_1_only() {
    let headers = [("host", "h"), ("connection", "Upgrade"), ("upgrade", "WebSocket")];
    assert_eq!(pass("/", &headers).unwrap().upgrade(), Some("websocket"));
    let mut head = parts("GET", "/", &headers);
    head.version = Version::HTTP_2;
    assert_eq!(admit(&mut head, &ARRIVAL, &GatePolicy::default()).unwrap().upgrade(), None);
    for half in [("connection", "Upgrade"), ("upgrade", "websocket")] {
        assert_eq!(pass("/", &[("host", "h"), half]).unwrap().upgrade(), None, "{half:?}");
    }
    let h2c = [("host", "h"), ("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "x")];
    let request = pass("/", &h2c).unwrap();
    assert_eq!((request.upgrade(), names(&request)), (None, vec!["host".to_owned()]));
}

/// [T] of serving spec 7.9, and the rest of its table.
#[test]
fn the_decision_api_describes_requests_by_headers() {
    let host = ("host", "ory.sh");
    let (method, proto) = (("x-forwarded-method", "POST"), ("x-forwarded-proto", "https"));
    let (elsewhere, bar) = (("x-forwarded-host", "test.dev"), ("x-forwarded-uri", "/bar"));
    let asking = ("x-forwarded-uri", "/bar?this=is&a=test");
    let foobar = [("host", "h"), method, proto, ("x-forwarded-host", "foobar.ory"), ("x-forwarded-uri", "/some/path")];
    let rows: &[(&str, Fields<'_>, &str)] = &[
        ("/decisions/foo", &[host], "GET http://ory.sh/foo"),
        ("/decisions/foo", &[host, method, proto, elsewhere, bar], "POST https://test.dev/bar"),
        ("/decisions/foo", &[host, method, proto, elsewhere, asking], "POST https://test.dev/bar"),
        ("/decisions", &foobar, "POST https://foobar.ory/some/path"),
        ("/decisions/foo", &[host, proto], "GET https://ory.sh/foo"),
        ("/decisions/foo", &[host, ("x-forwarded-proto", "HTTP")], "GET http://ory.sh/foo"),
        ("/decisions/foo", &[host, method], "POST http://ory.sh/foo"),
        ("/decisions/foo", &[host, elsewhere], "GET http://test.dev/foo"),
        ("/decisions/foo", &[host, bar], "GET http://ory.sh/bar"),
        ("/decisions/zzz", &[host, ("x-forwarded-uri", "?q=1")], "GET http://ory.sh/zzz"),
        ("/decisions", &[host], "GET http://ory.sh"),
        ("/decisions/a/../b", &[host], "GET http://ory.sh/b"),
    ];
    for (target, headers, expected) in rows {
        let request = admit_forwarded(parts("GET", target, headers), &ARRIVAL, &GatePolicy::default()).unwrap();
        assert_eq!(format!("{} {}", request.method(), request.url()), *expected, "{target} {headers:?}");
    }
    let with_tls = Arrival { tls: true, ..ARRIVAL };
    let request = admit_forwarded(parts("GET", "/decisions/foo", &[host]), &with_tls, &GatePolicy::default()).unwrap();
    assert_eq!(request.url(), "https://ory.sh/foo");
    let request = admit_forwarded(
        parts("GET", "/decisions", &[host, ("x-forwarded-proto", "http")]),
        &with_tls,
        &GatePolicy::default(),
    );
    assert_eq!(request.unwrap().url(), "http://ory.sh");
    let request = admit_forwarded(
        parts("GET", "/decisions", &[host, ("x-forwarded-proto", "ftp")]),
        &ARRIVAL,
        &GatePolicy::default(),
    );
    assert_eq!(request.unwrap_err(), RefusalReason::Scheme);
    for uri in ["/%2e%2e/admin", "http://other/abs", "/a/..%2fb"] {
        let headers = [host, ("x-forwarded-uri", uri)];
        assert!(
            admit_forwarded(parts("GET", "/decisions", &headers), &ARRIVAL, &GatePolicy::default()).is_err(),
            "{uri}"
        );
    }
}

#[test]
fn the_decision_api_takes_no_ambiguous_host() {
    let rows: [(&str, Fields<'_>, Result<&str, RefusalReason>); 6] = [
        ("/decisions/a", &[("host", "h"), ("host", "h")], Err(RefusalReason::Authority)),
        ("/decisions/a", &[], Err(RefusalReason::Authority)),
        ("/decisions/a", &[("host", "h"), ("host", "i"), ("x-forwarded-host", "f")], Ok("http://f/a")),
        ("http://h/decisions/a", &[("host", "i")], Err(RefusalReason::AuthorityMismatch)),
        ("http://h/decisions/a", &[("host", "H:80")], Ok("http://h/a")),
        ("http://h/decisions/a", &[], Ok("http://h/a")),
    ];
    for (target, headers, expected) in rows {
        let request = admit_forwarded(parts("GET", target, headers), &ARRIVAL, &GatePolicy::default());
        assert_eq!(request.as_ref().map(GatedRequest::url).map_err(|reason| *reason), expected, "{target} {headers:?}");
    }
}

/// Otherwise a path or a host that the asking proxy passes on as it came would let the caller choose that a rule for
/// something else is asked.
#[test]
fn the_decision_api_ignores_nothing_that_it_cannot_read() {
    for (name, reason) in [
        ("x-forwarded-method", RefusalReason::Method),
        ("x-forwarded-proto", RefusalReason::Scheme),
        ("x-forwarded-host", RefusalReason::Authority),
        ("x-forwarded-uri", RefusalReason::Path),
    ] {
        let mut head = parts("GET", "/decisions/open", &[("host", "h")]);
        head.headers.insert(name, http::HeaderValue::from_bytes(b"/\xc3\xbc").unwrap());
        assert_eq!(admit_forwarded(head, &ARRIVAL, &GatePolicy::default()).unwrap_err(), reason, "{name}");
    }
}

#[test]
fn cookies_split_by_http2_are_one_field_again() {
    let crumbs = [("host", "h"), ("cookie", "a=1"), ("cookie", "b=2")];
    for (version, expected) in [(Version::HTTP_2, &["a=1; b=2"][..]), (Version::HTTP_11, &["a=1", "b=2"])] {
        let mut head = parts("GET", "/", &crumbs);
        head.version = version;
        let request = admit(&mut head, &ARRIVAL, &GatePolicy::default()).unwrap();
        assert_eq!(request.headers().get_all(http::header::COOKIE).iter().collect::<Vec<_>>(), expected, "{version:?}");
    }
}

/// Head, target, 32 bytes for each field, and the pseudo fields.
#[test]
fn a_field_section_of_http2_may_be_as_large_as_what_passes() {
    let small = GatePolicy { max_head_bytes: 1000, max_target_bytes: 100, max_fields: 10, ..GatePolicy::default() };
    for (policy, expected) in [(GatePolicy::default(), 45_312), (small, 2_572)] {
        assert_eq!(policy.largest_field_section(), expected);
    }
    let endless = GatePolicy { max_head_bytes: usize::MAX, ..GatePolicy::default() };
    assert_eq!(endless.largest_field_section(), usize::MAX);
}
