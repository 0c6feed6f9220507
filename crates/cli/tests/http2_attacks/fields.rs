//! Fields of requests (RFC 9113 section 8.2): names, values, those of connections, credentials, cookies.

use serde_json::Value;

use super::caller::Outcome::{self, GoAway, Reset, Status};
use super::frames::{END_STREAM, PROTOCOL_ERROR, headers};
use super::stage::{CREDENTIAL, Stage};

/// Ends the stream: the block could be read, and is no request.
const MALFORMED: Outcome = Reset(PROTOCOL_ERROR);
/// Ends the connection: the block could not be read.
const UNREADABLE: Outcome = GoAway(PROTOCOL_ERROR);

/// The values of a field at the upstream.
fn values<'a>(request: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = request["headers"].as_array().unwrap().iter();
    lines.filter(|line| line[0] == name).map(|line| line[1].as_str().unwrap()).collect()
}

fn play(stage: &Stage, fields: &[(&str, &str)]) -> (Outcome, Vec<Value>) {
    let mut all = stage.request("GET", "/open/x");
    all.extend(fields);
    stage.play(&headers(1, END_STREAM, &all))
}

fn names_and_values(stage: &Stage) {
    let rows: [(&str, &str, &str, Outcome); 38] = [
        ("a name in upper case", "X-Upper", "1", UNREADABLE),
        ("one letter in upper case", "x-uppeR", "1", UNREADABLE),
        ("an empty name", "", "1", UNREADABLE),
        ("a space in a name", "x a", "1", UNREADABLE),
        ("a space after a name", "x-a ", "1", UNREADABLE),
        ("a colon in a name", "x:a", "1", UNREADABLE),
        ("a line break in a name", "x-a: 1\r\nx-b", "1", UNREADABLE),
        ("CR in a name", "x\ra", "1", UNREADABLE),
        ("NUL in a name", "x\0a", "1", UNREADABLE),
        ("DEL in a name", "x\x7fa", "1", UNREADABLE),
        ("not ASCII in a name", "x\u{e9}a", "1", UNREADABLE),
        ("a quote in a name", "x\"a", "1", Status(400)),
        ("a slash in a name", "x/a", "1", UNREADABLE),
        ("CR in a value", "x-a", "1\r2", UNREADABLE),
        ("LF in a value", "x-a", "1\n2", UNREADABLE),
        ("a line in a value", "x-a", "1\r\nx-b: 2", UNREADABLE),
        ("NUL in a value", "x-a", "1\x002", UNREADABLE),
        ("another control octet in a value", "x-a", "1\x012", UNREADABLE),
        ("DEL in a value", "x-a", "1\x7f2", UNREADABLE),
        ("a space before a value", "x-a", " 1", Status(400)),
        ("a space after a value", "x-a", "1 ", Status(400)),
        ("a tab before a value", "x-a", "\t1", Status(400)),
        ("connection", "connection", "x-a", MALFORMED),
        ("connection: close", "connection", "close", MALFORMED),
        ("keep-alive", "keep-alive", "timeout=5", MALFORMED),
        ("proxy-connection", "proxy-connection", "keep-alive", MALFORMED),
        ("transfer-encoding", "transfer-encoding", "chunked", MALFORMED),
        ("transfer-encoding: identity", "transfer-encoding", "identity", MALFORMED),
        ("upgrade", "upgrade", "websocket", MALFORMED),
        ("te that is not `trailers`", "te", "gzip", MALFORMED),
        ("te that is more than `trailers`", "te", "trailers, deflate;q=0.5", MALFORMED),
        ("an expectation that is unknown", "expect", "x", Status(417)),
        ("a look-alike of authorization", "authorization_", "x", Status(200)),
        ("a look-alike of content-length", "content_length", "5", Status(400)),
        ("a look-alike of transfer-encoding", "transfer_encoding", "chunked", Status(400)),
        ("a look-alike of x-forwarded-for", "x_forwarded_for", "1.1.1.1", Status(400)),
        ("a look-alike of host", "host_", "evil", Status(200)),
        ("another name with an underscore", "x_a", "1", Status(200)),
    ];
    let mut wrong = Vec::new();
    for (what, name, value, expected) in rows {
        let (outcome, seen) = play(stage, &[(name, value)]);
        let arrived = usize::from(expected == Status(200));
        if outcome != expected || seen.len() != arrived {
            wrong.push(format!("{what}: {outcome:?}, {} at the upstream, expected {expected:?}", seen.len()));
        }
        // What is clean has no name with an underscore: see `odd`.
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_and_values_that_another_reader_could_split_are_refused() {
    names_and_values(&Stage::plain());
}

#[test]
fn over_tls_too() {
    names_and_values(&Stage::over_tls());
}

/// What this hop knows of stays here; what is not ASCII passes as it came.
#[test]
fn fields_of_this_hop_end_here_and_others_pass_as_they_came() {
    let stage = Stage::plain();
    let sent = [
        ("te", "trailers"),
        ("trailer", "x-late"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
        ("forwarded", "for=1.1.1.1"),
        ("proxy-authorization", "Basic eDp5"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-prefix", "/evil"),
        ("expect", "100-continue"),
        ("x-latin", "caf\u{e9}"),
        ("x-empty", ""),
        ("x-tab", "a\tb"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ];
    let (outcome, seen) = play(&stage, &sent);
    assert_eq!((outcome, seen.len()), (Status(200), 1));
    for gone in ["trailer", "http2-settings", "forwarded", "proxy-authorization", "expect", "x-forwarded-prefix"] {
        assert_eq!(values(&seen[0], gone), [""; 0], "{gone}");
    }
    assert_ne!(values(&seen[0], "x-forwarded-host"), ["evil"]);
    let rows: [(&str, &[&str]); 4] =
        [("x-latin", &["caf\u{e9}"]), ("x-empty", &[""]), ("x-tab", &["a\tb"]), ("x-twice", &["1", "2"])];
    for (name, passed) in rows {
        assert_eq!(values(&seen[0], name), passed, "{name}");
    }
}

#[test]
fn crumbs_of_cookies_are_joined() {
    let stage = Stage::plain();
    let (outcome, seen) =
        play(&stage, &[("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2; c=3"), ("cookie", "d=4")]);
    assert_eq!((outcome, seen.len()), (Status(200), 1));
    assert_eq!(values(&seen[0], "cookie"), ["a=1; b=2; c=3; d=4"]);
}

#[test]
fn the_callers_credential_stays_here() {
    let stage = Stage::plain();
    let token = format!("Bearer {}", stage.token);
    let spoiled = format!("{token}x");
    // (fields, what it comes to)
    let rows: [(&[(&str, &str)], Outcome); 5] = [
        (&[("authorization", &token)], Status(200)),
        (&[("authorization", &spoiled)], Status(401)),
        (&[("authorization", &token), ("authorization", "Bearer other")], Status(200)),
        (&[("authorization", "Bearer other"), ("authorization", &token)], Status(401)),
        (&[], Status(401)),
    ];
    for (fields, expected) in rows {
        let mut all = stage.request("GET", "/keyed/x");
        all.extend(fields);
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &all));
        assert_eq!((outcome, seen.len()), (expected, usize::from(expected == Status(200))), "{fields:?}");
        for request in seen {
            assert_eq!(values(&request, "authorization"), [CREDENTIAL]);
            assert!(!request.to_string().contains(&stage.token));
        }
    }
}
