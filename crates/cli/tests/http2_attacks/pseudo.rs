//! Pseudo fields of requests (RFC 9113 section 8.3).

use super::caller::Outcome::{self, GoAway, Reset, Status};
use super::frames::{END_STREAM, PROTOCOL_ERROR, headers};
use super::stage::Stage;

/// Ends the stream: the block could be read, and is no request.
const MALFORMED: Outcome = Reset(PROTOCOL_ERROR);
/// Ends the connection: the block could not be read.
const UNREADABLE: Outcome = GoAway(PROTOCOL_ERROR);

/// (what, fields, what it comes to, the target at the upstream if it gets there)
type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, Outcome, Option<&'a str>);

fn check(stage: &Stage, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for (what, fields, expected, target) in rows {
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &fields));
        let targets: Vec<_> = seen.iter().map(|request| request["target"].as_str().unwrap().to_owned()).collect();
        if outcome != expected || targets != target.as_slice() {
            wrong.push(format!("{what}: {outcome:?} {targets:?}, expected {expected:?} {target:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The pseudo fields of a request, some of them replaced.
fn with<'a>(stage: &'a Stage, replaced: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = stage.request("GET", "/open/x");
    for (name, value) in replaced {
        match value {
            Some(value) => fields.iter_mut().filter(|(own, _)| own == name).for_each(|field| field.1 = value),
            None => fields.retain(|(own, _)| own != name),
        }
    }
    fields
}

fn and<'a>(mut fields: Vec<(&'a str, &'a str)>, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    fields.extend(more);
    fields
}

fn pseudo_fields(stage: &Stage) {
    let plain = || with(stage, &[]);
    let mut late = with(stage, &[(":path", None)]);
    late.extend([("x-first", "1"), (":path", "/open/x")]);
    let extended = and(with(stage, &[(":method", Some("CONNECT"))]), &[(":protocol", "websocket")]);
    let connect = vec![(":method", "CONNECT"), (":authority", "h:443")];
    check(
        stage,
        vec![
            ("a sound request", plain(), Status(200), Some("/open/x")),
            ("no :method", with(stage, &[(":method", None)]), MALFORMED, None),
            ("no :scheme", with(stage, &[(":scheme", None)]), MALFORMED, None),
            ("no :path", with(stage, &[(":path", None)]), MALFORMED, None),
            ("no :authority and no host", with(stage, &[(":authority", None)]), Status(400), None),
            ("nothing at all", Vec::new(), MALFORMED, None),
            ("doubled :method", and(plain(), &[(":method", "GET")]), MALFORMED, None),
            ("doubled :scheme", and(plain(), &[(":scheme", stage.scheme)]), MALFORMED, None),
            ("doubled :path", and(plain(), &[(":path", "/open/x")]), MALFORMED, None),
            ("doubled :authority", and(plain(), &[(":authority", "h")]), MALFORMED, None),
            (":status in a request", and(plain(), &[(":status", "200")]), MALFORMED, None),
            ("an unknown pseudo field", and(plain(), &[(":x", "1")]), UNREADABLE, None),
            (":protocol without CONNECT", and(plain(), &[(":protocol", "websocket")]), MALFORMED, None),
            ("a pseudo field after another field", late, MALFORMED, None),
            ("an empty :method", with(stage, &[(":method", Some(""))]), UNREADABLE, None),
            (":method with a space", with(stage, &[(":method", Some("GET /open/y"))]), UNREADABLE, None),
            (":method with a line break", with(stage, &[(":method", Some("GET\r\nx"))]), UNREADABLE, None),
            ("TRACE", with(stage, &[(":method", Some("TRACE"))]), Status(405), None),
            ("CONNECT", connect, Status(405), None),
            ("CONNECT with a path", with(stage, &[(":method", Some("CONNECT"))]), MALFORMED, None),
            ("extended CONNECT", extended, MALFORMED, None),
        ],
    );
}

fn paths(stage: &Stage) {
    let path = |path| with(stage, &[(":path", Some(path))]);
    let options = with(stage, &[(":method", Some("OPTIONS")), (":path", Some("*"))]);
    check(
        stage,
        vec![
            ("an empty :path", path(""), MALFORMED, None),
            ("`*` with GET", path("*"), Status(400), None),
            ("`*` with OPTIONS", options, Status(400), None),
            ("an absolute :path", path("http://h/open/x"), MALFORMED, None),
            ("a :path without a slash", path("open/x"), MALFORMED, None),
            ("an authority as :path", path("//evil/open/x"), Status(404), None),
            // Cut off before anything is matched.
            ("a fragment", path("/open/x#y"), Status(200), Some("/open/x")),
            ("an encoded fragment", path("/open/x%23y"), Status(200), Some("/open/x%23y")),
            ("a space", path("/open/x y"), MALFORMED, None),
            ("a version after a space", path("/open/x HTTP/1.1"), MALFORMED, None),
            ("a line break", path("/open/x\r\nx: y"), MALFORMED, None),
            ("NUL", path("/open/x\0"), MALFORMED, None),
            ("a tab", path("/open/x\ty"), MALFORMED, None),
            ("DEL", path("/open/x\x7f"), MALFORMED, None),
            ("not ASCII", path("/open/x\u{e9}"), UNREADABLE, None),
            ("not ASCII, in UTF-8", path("/open/\u{c3}\u{a9}"), Status(400), None),
            ("a backslash", path("/open\\x"), Status(400), None),
            ("an encoded backslash", path("/open/%5cx"), Status(400), None),
            ("an encoded NUL", path("/open/%00"), Status(400), None),
            ("an encoded line break", path("/open/%0d%0ax:%20y"), Status(400), None),
            ("dots", path("/keyed/../open/x"), Status(200), Some("/open/x")),
            ("encoded dots", path("/keyed/%2e%2e/open/x"), Status(200), Some("/open/x")),
            ("dots above the root", path("/../open/x"), Status(400), None),
            ("dots with parameters", path("/keyed/..;/open/x"), Status(400), None),
            ("a broken escape", path("/open/%zz"), Status(400), None),
            ("a control octet in the query", path("/open/x?a\x01"), MALFORMED, None),
            ("a space in the query", path("/open/x?a b"), MALFORMED, None),
            ("not ASCII in the query", path("/open/x?\u{c3}\u{a9}"), Status(400), None),
            ("a query", path("/open/x?a=%20b"), Status(200), Some("/open/x?a=%20b")),
        ],
    );
}

fn authorities(stage: &Stage) {
    let authority = |authority| with(stage, &[(":authority", Some(authority))]);
    let scheme = |scheme| with(stage, &[(":scheme", Some(scheme))]);
    let other = if stage.scheme == "http" { "https" } else { "http" };
    let (mixed, port) = if stage.scheme == "http" { ("hTtP", "h:80") } else { ("hTtPs", "h:443") };
    let host = |host| and(with(stage, &[(":authority", None)]), &[("host", host)]);
    let both = |host| and(with(stage, &[]), &[("host", host)]);
    check(
        stage,
        vec![
            ("host instead of :authority", host("h"), Status(200), Some("/open/x")),
            ("host beside :authority", both("h"), Status(200), Some("/open/x")),
            ("host in another case", both("H"), Status(200), Some("/open/x")),
            ("host with the scheme's port", both(port), Status(200), Some("/open/x")),
            ("another host", both("evil"), Status(400), None),
            ("host with another port", both("h:8080"), Status(400), None),
            ("two hosts", and(both("h"), &[("host", "h")]), Status(400), None),
            ("an empty host", both(""), Status(400), None),
            ("an empty :authority", authority(""), MALFORMED, None),
            ("user information", authority("u@h"), Status(400), None),
            ("user information with a password", authority("u:p@h"), Status(400), None),
            ("user information in host", host("u@h"), Status(400), None),
            ("a path in :authority", authority("h/open"), MALFORMED, None),
            ("a fragment in :authority", authority("h#x"), MALFORMED, None),
            ("a query in :authority", authority("h?x"), MALFORMED, None),
            ("a space in :authority", authority("h x"), MALFORMED, None),
            ("a line break in :authority", authority("h\r\nx: y"), MALFORMED, None),
            ("a port that is none", authority("h:99999"), Status(400), None),
            ("several hosts in one", authority("h,evil"), Status(400), None),
            ("an escape in :authority", authority("h%2eevil"), MALFORMED, None),
            ("the other scheme", scheme(other), Status(400), None),
            ("a scheme in mixed case", scheme(mixed), Status(200), Some("/open/x")),
            ("a scheme that is none of ours", scheme("ftp"), Status(400), None),
            ("an empty scheme", scheme(""), Status(400), None),
            ("a scheme with a line break", scheme("http\r\nx: y"), MALFORMED, None),
            ("a scheme with an authority", scheme("http://evil/?"), MALFORMED, None),
        ],
    );
}

#[test]
fn pseudo_fields_are_all_there_once_and_first() {
    pseudo_fields(&Stage::plain());
}

#[test]
fn paths_are_canonical_or_refused() {
    paths(&Stage::plain());
}

#[test]
fn authority_host_and_scheme_agree() {
    authorities(&Stage::plain());
}

#[test]
fn over_tls_too() {
    let stage = Stage::over_tls();
    pseudo_fields(&stage);
    paths(&stage);
    authorities(&stage);
}
