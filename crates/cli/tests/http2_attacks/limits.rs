//! Limits on field sections (RFC 9113 section 10.5.1), whatever frames they come in.

use super::caller::Outcome::{self, GoAway, Status};
use super::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, FRAME_SIZE_ERROR, HEADERS, PROTOCOL_ERROR, block, frame, headers,
};
use super::stage::Stage;

/// A field section in frames of so many octets.
fn in_pieces(fields: &[(&str, &str)], size: usize) -> Vec<u8> {
    let block = block(fields);
    let pieces: Vec<&[u8]> = block.chunks(size).collect();
    let frames = pieces.iter().enumerate().map(|(number, piece)| {
        let end = if number + 1 == pieces.len() { END_HEADERS } else { 0 };
        if number == 0 { frame(HEADERS, END_STREAM | end, 1, piece) } else { frame(CONTINUATION, end, 1, piece) }
    });
    frames.collect::<Vec<_>>().concat()
}

#[test]
fn sections_over_a_limit_are_refused_and_others_are_not() {
    let stage = Stage::plain();
    let text = "x".repeat(60_000);
    let path = |length: usize| format!("/open/{}", &text[..length - 6]);
    let (longest, longer, longest_of_all) = (path(8192), path(8193), path(40_000));
    let field = |length: usize, count: usize| vec![("x-long", &text[..length]); count];
    let some = |more: Vec<(&'static str, &'static str)>| more;
    // (what, the path, fields, octets in a frame, what it comes to)
    type Row<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, usize, Outcome);
    let rows: [Row; 15] = [
        ("100 fields", "/open/x", some(vec![("x-a", "1"); 100]), 16_384, Status(200)),
        ("101 fields", "/open/x", some(vec![("x-a", "1"); 101]), 16_384, Status(431)),
        ("101 crumbs of cookies", "/open/x", some(vec![("cookie", "a=1"); 101]), 16_384, Status(431)),
        ("1,000 fields", "/open/x", some(vec![("x-a", "1"); 1000]), 16_384, Status(431)),
        ("1,000 empty fields", "/open/x", some(vec![("x", ""); 1000]), 16_384, Status(431)),
        ("a field as large as may be", "/open/x", field(8192, 1), 16_384, Status(200)),
        ("a field that is larger", "/open/x", field(8192 + 512, 1), 16_384, Status(431)),
        ("fields as large as may be, together", "/open/x", field(8000, 4), 16_384, Status(200)),
        ("fields that are larger together", "/open/x", field(8000, 5), 16_384, Status(431)),
        ("the same in small frames", "/open/x", field(8000, 4), 9_000, Status(200)),
        ("more than fits, in small frames", "/open/x", field(8000, 5), 9_000, Status(431)),
        ("one field of 60,000 octets", "/open/x", field(60_000, 1), 16_384, Status(431)),
        ("a target as long as may be", &longest, Vec::new(), 16_384, Status(200)),
        ("a target that is longer", &longer, Vec::new(), 16_384, Status(414)),
        ("a target of 40,000 octets", &longest_of_all, Vec::new(), 16_384, Status(414)),
    ];
    let mut wrong = Vec::new();
    for (what, path, fields, size, expected) in rows {
        let mut all = stage.request("GET", path);
        all.extend(fields);
        let (outcome, seen) = stage.play(&in_pieces(&all, size));
        if outcome != expected || seen.len() != usize::from(expected == Status(200)) {
            wrong.push(format!("{what}: {outcome:?}, {} at the upstream, expected {expected:?}", seen.len()));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// Envoy CVE-2026-73550: the limit on hosts counts for HTTP/2 too, and pseudo fields count as fields.
#[test]
fn cve_2026_73550_the_limit_on_hosts_holds() {
    let stage = Stage::plain();
    let name = |length: usize| "a".repeat(length);
    let rows = [(255, Status(200)), (256, Status(400)), (9_000, Status(400)), (40_000, Status(400))];
    for (length, expected) in rows {
        let host = name(length);
        let as_authority =
            vec![(":method", "GET"), (":scheme", "http"), (":authority", host.as_str()), (":path", "/open/x")];
        let as_host = vec![(":method", "GET"), (":scheme", "http"), (":path", "/open/x"), ("host", host.as_str())];
        for fields in [as_authority, as_host] {
            let (outcome, seen) = stage.play(&in_pieces(&fields, 16_384));
            let expected = if outcome == Status(431) && length > 8_000 { Status(431) } else { expected };
            assert_eq!((outcome, seen.len()), (expected, usize::from(length == 255)), "{length} {}", fields[2].0);
        }
    }
}

/// As over HTTP/1.1: the limits that are set, and no other.
#[test]
fn a_limit_that_is_set_higher_holds_for_field_sections_too() {
    let stage = Stage::with(&[
        ("SERVE_PROXY_LIMITS_HEADER_BYTES", "60000"),
        ("SERVE_PROXY_LIMITS_HEADER_FIELD_BYTES", "50000"),
        ("SERVE_PROXY_LIMITS_HEADERS", "1000"),
    ]);
    let text = "x".repeat(60_000);
    // How long a field is, how many of them there are, and what it comes to.
    for (length, count, expected) in
        [(49_900, 1, 200), (50_000, 1, 431), (9_000, 6, 200), (9_000, 7, 431), (10, 990, 200), (10, 1001, 431)]
    {
        let mut fields = stage.request("GET", "/open/x");
        fields.extend(vec![("x-long", &text[..length]); count]);
        let (outcome, seen) = stage.play(&in_pieces(&fields, 16_384));
        assert_eq!((outcome, seen.len()), (Status(expected), usize::from(expected == 200)), "{count} of {length}");
    }
}

/// What no reader could make sense of ends the connection: nothing after it could be read right.
#[test]
fn blocks_and_frames_that_are_broken_end_the_connection() {
    let stage = Stage::plain();
    let good = block(&stage.request("GET", "/open/x"));
    let cut = &good[..good.len() - 3];
    let whole = END_STREAM | END_HEADERS;
    let rows: [(&str, Vec<u8>, Outcome); 13] = [
        ("a block that breaks off", frame(HEADERS, whole, 1, cut), GoAway(PROTOCOL_ERROR)),
        (
            "an index that is none",
            frame(HEADERS, whole, 1, &[&good[..], &[0xff, 0x80, 0x7f]].concat()),
            GoAway(PROTOCOL_ERROR),
        ),
        ("index 0", frame(HEADERS, whole, 1, &[&good[..], &[0x80]].concat()), GoAway(PROTOCOL_ERROR)),
        (
            "an indexed name that is none",
            frame(HEADERS, whole, 1, &[&good[..], &[0x1f, 0x7f, 0x01, b'x']].concat()),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "an integer without end",
            frame(HEADERS, whole, 1, &[&[0x1f][..], &[0xff; 64]].concat()),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "a table that is larger than allowed",
            frame(HEADERS, whole, 1, &[&[0x3f, 0xff, 0xff, 0x03][..], &good].concat()),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "the end of all symbols in a string",
            frame(HEADERS, whole, 1, &[&good[..], &[0x10, 0x01, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]].concat()),
            GoAway(PROTOCOL_ERROR),
        ),
        ("a frame that is too large", frame(HEADERS, whole, 1, &[0; 16_385]), GoAway(FRAME_SIZE_ERROR)),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &good), GoAway(PROTOCOL_ERROR)),
        (
            "another stream between",
            [frame(HEADERS, END_STREAM, 1, cut), headers(3, END_STREAM, &stage.request("GET", "/open/y"))].concat(),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "a continuation of another stream",
            [frame(HEADERS, END_STREAM, 1, cut), frame(CONTINUATION, END_HEADERS, 3, b"/x")].concat(),
            GoAway(PROTOCOL_ERROR),
        ),
        ("an even stream", frame(HEADERS, whole, 2, &good), GoAway(PROTOCOL_ERROR)),
        ("no stream", frame(HEADERS, whole, 0, &good), GoAway(PROTOCOL_ERROR)),
    ];
    let mut wrong = Vec::new();
    for (what, bytes, expected) in rows {
        let (outcome, seen) = stage.play(&bytes);
        if outcome != expected || !seen.is_empty() {
            wrong.push(format!("{what}: {outcome:?}, {} at the upstream, expected {expected:?}", seen.len()));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// A refusal concerns its stream: the others of its connection are served.
#[test]
fn other_streams_of_the_connection_go_on() {
    let stage = Stage::plain();
    let mut caller = stage.caller();
    let good = stage.request("GET", "/open/x");
    let with = |more| [good.clone(), vec![more]].concat();
    let long = "x".repeat(8_800);
    let refused = [with(("connection", "x")), with(("te", "gzip")), with(("x-long", &long)), with((":path", "/"))];
    for (number, fields) in (0_u32..).zip(refused) {
        let (bad, after) = (4 * number + 1, 4 * number + 3);
        caller.send(&headers(bad, END_STREAM, &fields)).unwrap();
        assert_ne!(caller.outcome(bad), Status(200));
        caller.send(&headers(after, END_STREAM, &good)).unwrap();
        assert_eq!(caller.outcome(after), Status(200));
        assert_eq!(stage.upstream.take().len(), 1);
    }
}
