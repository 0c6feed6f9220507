//! Fields one by one: what is refused in either version of HTTP, and what stays behind.

use super::*;

/// Each alone, so that nothing else makes the gate look.
#[test]
fn a_field_alone_is_looked_at_too() {
    let gate = |name: &str, value: &str| {
        let mut head = parts("GET", "http://h/", &[(name, value)]);
        head.version = Version::HTTP_2;
        admit(&mut head, &ARRIVAL, &GatePolicy::default())
    };
    let rows = [
        ("content-length", "+1", RefusalReason::Framing),
        ("transfer-encoding", "chunked", RefusalReason::Framing),
        ("expect", "200-maybe", RefusalReason::Expectation),
    ];
    for (name, value, reason) in rows {
        assert_eq!(gate(name, value).unwrap_err(), reason, "{name}: {value}");
    }
    for (value, accepts) in [("trailers", true), ("gzip", false)] {
        assert_eq!(gate("te", value).unwrap().accepts_trailers(), accepts, "{value}");
    }
}

/// RFC 9113 section 8.2.1; HTTP/1.1's parser strips or refuses the same.
#[test]
fn malformed_fields_of_http2_are_refused() {
    let rows = [("x", " a"), ("x", "a "), ("x", "\ta"), ("x", "a\t")];
    for (name, value) in rows {
        for (version, expected) in [(Version::HTTP_2, Some(RefusalReason::Syntax)), (Version::HTTP_11, None)] {
            let mut head = parts("GET", "/", &[("host", "h"), (name, value)]);
            head.version = version;
            let refused = admit(&mut head, &ARRIVAL, &GatePolicy::default()).err();
            assert_eq!(refused, expected, "{version:?} {name:?}: {value:?}");
        }
    }
    // The `http` crate takes a quote in a name that is in lower case for a character of a token.
    let mut head = parts("GET", "/", &[("host", "h")]);
    head.version = Version::HTTP_2;
    head.headers.insert(http::HeaderName::from_lowercase(b"x\"y").unwrap(), http::HeaderValue::from_static("a"));
    assert_eq!(admit(&mut head, &ARRIVAL, &GatePolicy::default()).unwrap_err(), RefusalReason::Syntax);
}

#[test]
fn chunks_are_for_http_1_1_alone() {
    for (version, passes) in [(Version::HTTP_10, false), (Version::HTTP_11, true), (Version::HTTP_2, false)] {
        let mut head = parts("POST", "/", &[("host", "h"), ("transfer-encoding", "Chunked")]);
        head.version = version;
        let admitted = admit(&mut head, &ARRIVAL, &GatePolicy::default()).map(|request| names(&request));
        let expected = if passes { Ok(vec!["host".to_owned()]) } else { Err(RefusalReason::Framing) };
        assert_eq!(admitted, expected, "{version:?}");
    }
}

#[test]
fn an_expectation_goes_on_where_somebody_waits_for_its_answer() {
    for (version, passed) in [(Version::HTTP_11, true), (Version::HTTP_2, false)] {
        let mut head = parts("POST", "/", &[("host", "h"), ("expect", "100-Continue")]);
        head.version = version;
        let request = admit(&mut head, &ARRIVAL, &GatePolicy::default()).unwrap();
        assert_eq!(request.headers().contains_key("expect"), passed, "{version:?}");
    }
    let twice = [("host", "h"), ("expect", "100-continue"), ("expect", "100-continue")];
    assert_eq!(pass("/", &twice).unwrap_err(), RefusalReason::Expectation);
}

#[test]
fn of_what_proxies_in_front_said_the_first_line_counts_where_they_are_trusted() {
    let fields = [("host", "h"), ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
    for (trust_forwarded_headers, expected) in [(true, &["1.1.1.1"][..]), (false, &[])] {
        let policy = GatePolicy { trust_forwarded_headers, ..GatePolicy::default() };
        let request = admit(&mut parts("GET", "/", &fields), &ARRIVAL, &policy).unwrap();
        let lines: Vec<_> = request.headers().get_all("x-forwarded-for").iter().collect();
        assert_eq!(lines, expected);
        assert_eq!(request.trusts_forwarded(), trust_forwarded_headers);
    }
}
