//! Bodies of requests (RFC 9113 section 8.1.1): their announced length, frames out of order, trailers.

use super::caller::Outcome::{self, GoAway, Reset, Status};
use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, block, data, frame, headers,
};
use super::stage::Stage;

const MALFORMED: Outcome = Reset(PROTOCOL_ERROR);
const PADDED: u8 = 8;

/// A POST with fields, and what follows its head.
fn post(stage: &Stage, fields: &[(&str, &str)], rest: &[Vec<u8>]) -> Vec<u8> {
    let mut all = stage.request("POST", "/open/x");
    all.extend(fields);
    [headers(1, 0, &all), rest.concat()].concat()
}

fn lengths(stage: &Stage) {
    let (hello, end) = (|| data(1, END_STREAM, b"hello"), || data(1, END_STREAM, b""));
    let length = |value| [("content-length", value)];
    // (what, the length announced, what follows, what it comes to)
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [Vec<u8>], Outcome);
    let rows: [Row; 24] = [
        ("as announced", &length("5"), &[hello()], Status(200)),
        ("as announced, in pieces", &length("5"), &[data(1, 0, b"he"), data(1, 0, b"llo"), end()], Status(200)),
        ("not announced", &[], &[hello()], Status(200)),
        ("with zeros", &length("0005"), &[hello()], Status(200)),
        ("padded", &length("5"), &[frame(DATA, END_STREAM | PADDED, 1, b"\x03helloabc")], Status(200)),
        ("none, as announced", &length("0"), &[end()], Status(200)),
        ("more than announced", &length("4"), &[hello()], MALFORMED),
        ("more in a later frame", &length("5"), &[data(1, 0, b"hello"), data(1, END_STREAM, b"!")], MALFORMED),
        ("less than announced", &length("6"), &[hello()], MALFORMED),
        ("nothing instead of something", &length("5"), &[end()], MALFORMED),
        ("something instead of nothing", &length("0"), &[hello()], MALFORMED),
        ("announced twice", &[("content-length", "5"), ("content-length", "5")], &[hello()], Status(400)),
        ("announced differently", &[("content-length", "5"), ("content-length", "6")], &[hello()], MALFORMED),
        ("announced in a list", &length("5, 5"), &[hello()], MALFORMED),
        ("announced with a sign", &length("+5"), &[hello()], MALFORMED),
        ("announced below nothing", &length("-5"), &[hello()], MALFORMED),
        ("announced in hexadecimal", &length("0x5"), &[hello()], MALFORMED),
        ("announced with letters", &length("5x"), &[hello()], MALFORMED),
        ("announced with a space", &length(" 5"), &[hello()], MALFORMED),
        ("announced with nothing", &length(""), &[hello()], MALFORMED),
        ("announced beyond any number", &length("18446744073709551621"), &[hello()], MALFORMED),
        ("padding that is too long", &length("5"), &[frame(DATA, END_STREAM | PADDED, 1, b"\x09hello")], GoAway(1)),
        ("more after its end", &length("5"), &[hello(), data(1, 0, b"more")], GoAway(PROTOCOL_ERROR)),
        ("on a stream that was never begun", &[], &[data(3, 0, b"x")], GoAway(PROTOCOL_ERROR)),
    ];
    let mut wrong = Vec::new();
    for (what, fields, rest, expected) in rows {
        let (outcome, seen) = stage.play(&post(stage, fields, rest));
        let whole = if what.starts_with("none") { "" } else { "hello" };
        let sound = match expected {
            Status(200) => seen.len() == 1 && seen[0]["body"] == whole,
            // What was whole before the fault may have been served.
            GoAway(_) if what == "more after its end" => seen.len() <= 1,
            _ => seen.is_empty(),
        };
        if outcome != expected || !sound {
            wrong.push(format!("{what}: {outcome:?} {seen:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_body_is_as_long_as_announced() {
    lengths(&Stage::plain());
}

#[test]
fn over_tls_too() {
    let stage = Stage::over_tls();
    lengths(&stage);
    trailers(&stage);
}

/// A head that ends its stream has no body, whatever it announces.
#[test]
fn a_get_that_announces_a_body_brings_it() {
    let stage = Stage::plain();
    let mut fields = stage.request("GET", "/open/x");
    fields.push(("content-length", "5"));
    let (outcome, seen) = stage.play(&headers(1, END_STREAM, &fields));
    assert_eq!((outcome, seen.len()), (MALFORMED, 0));
    let (outcome, seen) = stage.play(&[headers(1, 0, &fields), data(1, END_STREAM, b"hello")].concat());
    assert_eq!((outcome, seen.len()), (Status(200), 1));
    assert_eq!((seen[0]["method"].as_str(), seen[0]["body"].as_str()), (Some("GET"), Some("hello")));
}

fn trailers(stage: &Stage) {
    let with = |flags: u8, fields: &[(&str, &str)]| vec![data(1, 0, b"hello"), headers(1, flags, fields)];
    let large = "x".repeat(9000);
    let many: Vec<(&str, &str)> = vec![("x-many", &large[..1000]); 40];
    // (what, trailers, what it comes to)
    let rows: [(&str, Vec<Vec<u8>>, Outcome); 10] = [
        ("sound ones", with(END_STREAM, &[("x-late", "1")]), Status(200)),
        ("a credential", with(END_STREAM, &[("authorization", "Bearer late")]), Status(200)),
        ("framing", with(END_STREAM, &[("content-length", "7"), ("host", "evil")]), Status(200)),
        ("a large one", with(END_STREAM, &[("x-late", &large)]), Status(200)),
        ("a field of connections", with(END_STREAM, &[("transfer-encoding", "chunked")]), MALFORMED),
        ("a pseudo field", with(END_STREAM, &[(":path", "/open/y"), (":authority", "evil")]), Status(200)),
        ("a name in upper case", with(END_STREAM, &[("X-Late", "1")]), GoAway(PROTOCOL_ERROR)),
        ("a line break", with(END_STREAM, &[("x-late", "1\r\nx: 2")]), GoAway(PROTOCOL_ERROR)),
        ("too large together", with(END_STREAM, &many[..16]), Status(200)),
        ("none after all", with(END_STREAM, &[]), Status(200)),
    ];
    let mut wrong = Vec::new();
    for (what, rest, expected) in rows {
        let (outcome, seen) = stage.play(&post(stage, &[], &rest));
        let sound = match expected {
            Status(_) => seen.len() == 1 && seen[0]["body"] == "hello" && !seen[0].to_string().contains("late"),
            _ => seen.is_empty(),
        };
        if outcome != expected || !sound {
            wrong.push(format!("{what}: {outcome:?} {seen:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn trailers_are_dropped() {
    trailers(&Stage::plain());
}

/// Over the limit on field sections too.
#[test]
fn trailers_beyond_the_limit_are_dropped() {
    let stage = Stage::plain();
    let block = block(&[("x-late", "x".repeat(60_000).as_str())]);
    let (first, rest) = block.split_at(16_000);
    let mut frames = vec![data(1, 0, b"hello"), frame(HEADERS, END_STREAM, 1, first)];
    let pieces: Vec<&[u8]> = rest.chunks(16_000).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let flags = if number + 1 == pieces.len() { END_HEADERS } else { 0 };
        frames.push(frame(CONTINUATION, flags, 1, piece));
    }
    let (outcome, seen) = stage.play(&post(&stage, &[], &frames));
    assert_eq!((outcome, seen.len()), (Status(200), 1));
    assert!(seen[0]["body"] == "hello" && !seen[0].to_string().contains("late"), "{seen:?}");
    assert_eq!(stage.play(&post(&stage, &[], &[data(1, END_STREAM, b"x")])).0, Status(200));
}

/// Bodies that look like requests stay bodies.
#[test]
fn a_body_begins_no_request() {
    let stage = Stage::plain();
    let body = "0\r\n\r\nGET /open/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = body.len().to_string();
    for fields in [&[][..], &[("content-length", length.as_str())]] {
        for size in [body.len(), 7, 1] {
            let mut rest: Vec<Vec<u8>> = body.as_bytes().chunks(size).map(|piece| data(1, 0, piece)).collect();
            rest.push(data(1, END_STREAM, b""));
            let (outcome, seen) = stage.play(&post(&stage, fields, &rest));
            assert_eq!((outcome, seen.len()), (Status(200), 1), "{fields:?} {size}");
            assert_eq!(seen[0]["body"], body);
        }
    }
}
