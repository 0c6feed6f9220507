//! What operators hear of callers that break the rules of HTTP/2: a counter by reason, and few lines.

use std::io::Write;

use keyward_testkit::scripted::{read_head, upstream};

use super::caller::Caller;
use super::caller::Outcome::{GoAway, Status};
use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, block, data, frame, headers, window_update,
};
use super::stage::Stage;

/// What is wrong with each is what the caller is told, by `RST_STREAM` or `GOAWAY`.
#[test]
fn what_callers_do_wrong_is_counted_by_the_error_that_they_are_told() {
    let stage = Stage::plain();
    let request = headers(1, END_STREAM, &stage.request("GET", "/open/x"));
    let doubled = {
        let mut fields = stage.request("GET", "/open/x");
        fields.push((":path", "/open/x"));
        headers(1, END_STREAM, &fields)
    };
    let window = window_update(0, 0x7fff_ffff);
    let rows: [(&str, Vec<u8>, Option<&str>); 5] = [
        ("a sound request", request, None),
        ("a doubled pseudo field", doubled, Some("http2_protocol")),
        ("data for no stream", frame(DATA, 0, 0, b"x"), Some("http2_protocol")),
        ("a frame that is too large", frame(DATA, 0, 1, &[0; 16_385]), Some("http2_frame_size")),
        ("windows that overflow", window.repeat(2), Some("http2_flow_control")),
    ];
    let mut expected = counts(&stage);
    for (what, frames, reason) in rows {
        stage.play(&frames);
        for (name, count) in &mut expected {
            *count += f64::from(u8::from(reason == Some(*name)));
        }
        stage.running.until(what, |_| counts(&stage) == expected);
    }
}

/// What the gate refuses is counted there, and recorded; what is too large to be read, as a fault of the connection.
#[test]
fn field_sections_over_the_limit_are_counted_however_large() {
    const CALM: &str = "connection_faults_total{reason=\"http2_calm\"}";
    const SECTION: &str = "connection_faults_total{reason=\"http2_field_section\"}";
    const SIZE: &str = "gate_refusals_total{reason=\"field_size\"}";
    const COUNT: &str = "gate_refusals_total{reason=\"field_count\"}";
    let stage = Stage::with(&[("SERVE_PROXY_WORKERS", "1")]);
    let text = "x".repeat(16_000);
    // The length of a field's value, how many of them there are, what it comes to, what counts it, and the records.
    let rows = [
        (8_000, 4, Status(200), None, 1),
        (8_000, 5, Status(431), Some(SIZE), 1),
        (1, 101, Status(431), Some(COUNT), 1),
        (1, 1_200, Status(431), Some(COUNT), 1),
        (1, 1_600, Status(431), Some(SECTION), 0),
        (16_000, 3, Status(431), Some(SIZE), 1),
        (16_000, 4, Status(431), Some(SECTION), 0),
        (1, 12_000, GoAway(ENHANCE_YOUR_CALM), Some(CALM), 0),
    ];
    let counted =
        || [CALM, SECTION, SIZE, COUNT].map(|name| stage.running.metric(&format!("keyward_{name}")).unwrap_or(0.0));
    let (mut expected, mut records) = (counted(), 0);
    for (length, count, outcome, counter, recorded) in rows {
        // Without a body, and with one that does not come.
        for flags in [END_STREAM, 0] {
            let mut fields = stage.request("POST", "/open/x");
            fields.extend(vec![("x-canary", &text[..length]); count]);
            let mut caller = stage.caller();
            // It may have gone away before everything was sent.
            let _ = caller.send(&section(&fields, flags));
            if flags == 0 && outcome == Status(200) {
                caller.send(&data(1, END_STREAM, b"")).unwrap();
            }
            assert_eq!(caller.outcome(1), outcome, "{count} of {length}");
            for (name, sum) in [CALM, SECTION, SIZE, COUNT].iter().zip(&mut expected) {
                *sum += f64::from(u8::from(counter == Some(*name)));
            }
            stage.running.until("counting it", |_| counted() == expected);
            records += recorded;
        }
    }
    assert_eq!(stage.running.audit(records).len(), records);
    let log = stage.running.log();
    assert!(log.contains("connection at fault") && log.contains("\"http2_field_section\""), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

/// A field section in as many frames as it needs.
fn section(fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
    let block = block(fields);
    let pieces: Vec<&[u8]> = block.chunks(16_384).collect();
    let (first, rest) = pieces.split_first().unwrap();
    let end = |number: usize| if number == rest.len() { END_HEADERS } else { 0 };
    let begins = frame(HEADERS, flags | end(0), 1, first);
    let goes_on = (1..).zip(rest).map(|(number, piece)| frame(CONTINUATION, end(number), 1, piece));
    std::iter::once(begins).chain(goes_on).collect::<Vec<_>>().concat()
}

/// An answer whose last fields are as short as the status that the h2 crate answers with.
#[test]
fn trailers_of_one_field_are_no_fault() {
    let port = upstream(|mut stream| {
        while !read_head(&mut stream).is_empty() {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n";
            let _ = stream.write_all(format!("{head}2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n").as_bytes());
        }
    });
    let stage = Stage::before_port(port, &[]);
    let mut caller = Caller::connect_with(stage.running.proxy, None, &[(1, 4096)]);
    for stream in [1, 3, 5] {
        let mut fields = stage.request("GET", "/open/x");
        fields.push(("te", "trailers"));
        caller.send(&headers(stream, END_STREAM, &fields)).unwrap();
        let mut heads = 0;
        while let Some(frame) = caller.read() {
            heads += u8::from(frame.kind == HEADERS);
            if frame.has(END_STREAM) && frame.kind <= HEADERS {
                break;
            }
        }
        assert_eq!(heads, 2, "a head, and trailers");
    }
    assert_eq!(stage.running.metric("keyward_connection_faults_total{reason=\"http2_field_section\"}"), Some(0.0));
}

fn counts(stage: &Stage) -> Vec<(&'static str, f64)> {
    let names = ["http2_protocol", "http2_frame_size", "http2_flow_control", "http2_compression", "http2_calm"];
    let count = |name| {
        let metric = format!("keyward_connection_faults_total{{reason=\"{name}\"}}");
        (name, stage.running.metric(&metric).unwrap())
    };
    names.map(count).to_vec()
}

/// A flood is counted to the last, and the log stays short and shows nothing of what was sent.
#[test]
fn a_flood_of_malformed_requests_is_counted_and_hardly_told() {
    const MALFORMED: u32 = 1000;
    let stage = Stage::with(&[("SERVE_PROXY_WORKERS", "1")]);
    let mut sent = 0;
    while sent < MALFORMED {
        let mut caller = stage.caller();
        // Few enough for a connection to bear.
        for number in 0..50 {
            let fields = [(":method", "GET"), (":path", "/canary"), ("x-secret", "canary")];
            caller.send(&headers(2 * number + 1, END_STREAM, &fields)).unwrap();
            sent += 1;
        }
        assert!(caller.settle());
    }
    // What is sent before a ping is acknowledged can be told after it.
    let counter = "keyward_connection_faults_total{reason=\"http2_protocol\"}";
    let all = Some(f64::from(MALFORMED));
    stage.running.until("counting all of them", |running| running.metric(counter) == all);
    let log = stage.running.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("connection at fault")).collect();
    assert!((1..=15).contains(&told.len()), "{log}");
    assert!(told.iter().all(|line| line.contains("peer=127.0.0.1:") && line.contains("http2_protocol")), "{log}");
    assert!(!log.contains("canary"), "{log}");
    stage.running.until("a word about the others", |running| running.log().contains("more of the same"));
    assert!(stage.upstream.take().is_empty());
}
