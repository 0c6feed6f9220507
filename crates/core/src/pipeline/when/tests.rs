//! Tables of pipeline spec 7.2.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::pipeline::denial::{ErrorKind, Reason};

fn holds(when: serde_json::Value, error: ErrorKind, headers: &[(&'static str, &'static str)], peer: &str) -> bool {
    let when = When::compile(&Node::from_json(&when, "test")).unwrap();
    let headers = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
        .collect();
    let request = RequestFacts {
        method: &http::Method::GET,
        url: "http://localhost/",
        headers: &headers,
        peer: peer.parse().unwrap(),
    };
    when.holds(&Denial::new(error, Reason::Internal), &request)
}

const PEER: &str = "127.0.0.1:123";

/// [T] of pipeline spec 7.2, its first table, and two lists that are read in part.
#[test]
fn media_type_rows() {
    let chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.9";
    let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let rows = [
        ("application/json", "application/xml", false),
        ("application/json", "application/xml, application/json", true),
        ("application/*", "application/json", false),
        ("*/*", "application/json", false),
        ("application/*", "application/*", true),
        ("*/*", "*/*", true),
        ("text/html;q=0.9, application/xml;q=0.8, application/json;q=0.7", "application/xml, application/json", true),
        (chrome, "application/json", false),
        (firefox, "application/json", false),
        ("application/json,text/html", "text/html", true),
        ("application/json,text/html", "text/*", true),
        ("application/json,text/html", "application/xml, application/json", true),
        ("text/html;level=1, application/json", "application/json", false),
        ("a/b, application/signed-exchange;v=b3;q=0.9", "a/b", true),
        ("a/b;q=0", "a/b", true),
        ("a/b;q=1.5", "a/b", true),
        ("a/b;q=x", "a/b", false),
        ("a/b;q=x, c/d", "c/d", false),
        ("a/b c/d", "a/b", true),
        ("a/b, ;;", "a/b", true),
        ("", "application/octet-stream", true),
        (";;", "*/*", false),
    ];
    for (accept, configured, expected) in rows {
        let when = serde_json::json!([{"request": {"header": {"accept": [configured]}}}]);
        assert_eq!(holds(when, ErrorKind::NotFound, &[("accept", accept)], PEER), expected, "{accept} / {configured}");
    }
    for unreadable in ["", " text/html", "text/html; charset=utf-8", "text/html;q=x", "text/html;", ", text/html"] {
        for header in ["accept", "content_type"] {
            let when = serde_json::json!([{"request": {"header": {header: [unreadable, "*/*"]}}}]);
            let headers = [("accept", "text/html"), ("content-type", "text/html")];
            assert!(!holds(when, ErrorKind::NotFound, &headers, PEER), "{header}: {unreadable}");
        }
    }
    let rows = [
        ("", "application/octet-stream", true),
        ("text", "text", true),
        ("text", "*/*", true),
        ("TEXT/Plain ; a=b", "text/plain", true),
        ("text/plain, text/html", "text/html", true),
        (";;", "*/*", false),
        ("text/", "*/*", false),
        ("text/plain x", "*/*", false),
        ("text/plain, /", "text/plain", false),
    ];
    for (written, configured, expected) in rows {
        let when = serde_json::json!([{"request": {"header": {"content_type": [configured]}}}]);
        let headers = [("content-type", written)];
        assert_eq!(holds(when, ErrorKind::NotFound, &headers, PEER), expected, "{written} / {configured}");
    }
    for configured in ["application/json", "application/*", "*/*", "application/xml, application/json"] {
        let when = serde_json::json!([{"request": {"header": {"content_type": [configured]}}}]);
        assert!(holds(when, ErrorKind::NotFound, &[("content-type", "application/json; charset=utf-8")], PEER));
    }
}

/// [T] of pipeline spec 7.2, its second table. An error is never wrapped here.
#[test]
fn condition_rows() {
    use ErrorKind::NotFound;
    let json = ("accept", "application/json");
    let typed = ("content-type", "application/json");
    let rows = [
        (serde_json::json!([]), vec![], true),
        (serde_json::json!([{"error": ["forbidden"]}]), vec![], false),
        (serde_json::json!([{"error": ["forbidden", "not_found"]}]), vec![], true),
        (serde_json::json!([{"error": ["forbidden"]}, {"error": ["forbidden", "not_found"]}]), vec![], true),
        (serde_json::json!([{"error": ["not_found"], "request": {}}]), vec![], true),
        (
            serde_json::json!([{"error": ["not_found"], "request": {"header": {"content_type": ["application/json"]}}}]),
            vec![],
            false,
        ),
        (
            serde_json::json!([{"error": ["not_found"], "request": {"header": {"accept": ["application/json"]}}}]),
            vec![],
            false,
        ),
        (
            serde_json::json!([
                {"error": ["not_found"], "request": {"header": {"accept": ["application/xml"]}}},
                {"error": ["unauthorized"], "request": {"header": {"accept": ["application/json"]}}},
            ]),
            vec![json],
            false,
        ),
        (
            serde_json::json!([
                {"error": ["not_found"], "request": {"header": {"accept": ["application/xml"]}}},
                {"error": ["not_found"], "request": {"header": {"accept": ["application/json"]}}},
            ]),
            vec![json],
            true,
        ),
        (
            serde_json::json!([{"error": ["not_found"], "request": {"header": {"accept": ["application/json"], "content_type": ["application/xml"]}}}]),
            vec![json, typed],
            false,
        ),
        (
            serde_json::json!([{"error": ["not_found"], "request": {"header": {"accept": ["application/json"], "content_type": ["application/json"]}}}]),
            vec![json, typed],
            true,
        ),
    ];
    for (when, headers, expected) in rows {
        assert_eq!(holds(when.clone(), NotFound, &headers, PEER), expected, "{when}");
    }
}

/// [T] of pipeline spec 7.2, the end of its second table.
#[test]
fn remote_ip_rows() {
    let network = serde_json::json!([{"request": {"remote_ip": {"match": ["192.168.1.0/24"]}}}]);
    let respecting = serde_json::json!([{"request": {"remote_ip": {"match": ["192.168.1.0/24"], "respect_forwarded_for_header": true}}}]);
    let forwarded = ("x-forwarded-for", "127.0.0.2, 127.0.0.3, 192.168.1.2");
    assert!(holds(network.clone(), ErrorKind::NotFound, &[], "192.168.1.1:1234"));
    assert!(!holds(network.clone(), ErrorKind::NotFound, &[], PEER));
    assert!(!holds(network, ErrorKind::NotFound, &[forwarded], PEER));
    assert!(holds(respecting.clone(), ErrorKind::NotFound, &[forwarded], PEER));
    let (accept, typed) = (("accept", "application/json,text/html"), ("content-type", "application/json"));
    let mut all = respecting;
    all[0]["request"]["header"] =
        serde_json::json!({"accept": ["application/xml", "application/json"], "content_type": ["application/json"]});
    for (headers, expected) in
        [(&[forwarded, accept, typed][..], true), (&[forwarded, accept], false), (&[accept, typed], false)]
    {
        assert_eq!(holds(all.clone(), ErrorKind::NotFound, headers, PEER), expected, "{headers:?}");
    }
    let any =
        serde_json::json!([{"request": {"header": {"accept": ["text/html"], "content_type": ["application/*"]}}}]);
    assert!(holds(any, ErrorKind::NotFound, &[accept, typed], PEER));
    for bad in ["192.168.1.0", "192.168.1.0/33", "x/8", "::1/129"] {
        let when = serde_json::json!([{"request": {"remote_ip": {"match": [bad]}}}]);
        assert!(When::compile(&Node::from_json(&when, "test")).is_err(), "{bad}");
    }
}

/// [T] of pipeline spec 7.2: an error is named like its status. There is no 418 here.
#[test]
fn names_are_those_of_statuses() {
    let rows = [
        (ErrorKind::NotFound, 404, "not_found"),
        (ErrorKind::Unauthorized, 401, "unauthorized"),
        (ErrorKind::Forbidden, 403, "forbidden"),
        (ErrorKind::Internal, 500, "internal_server_error"),
    ];
    for (kind, status, name) in rows {
        assert_eq!((kind.status().as_u16(), kind.name()), (status, name));
    }
}
