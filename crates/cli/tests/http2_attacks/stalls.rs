//! Callers of HTTP/2 that take their time: with what they send, and with what they are sent.

use std::io::Write;
use std::thread;

use keyward_testkit::process::PATIENCE;
use keyward_testkit::scripted::{read_head, upstream};

use super::caller::Caller;
use super::caller::Outcome::{self, Reset, Status};
use super::frames::{
    CANCEL, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, block, data, frame, headers, window_update,
};
use super::stage::Stage;

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const WINDOW: u16 = 4;
const STREAMS: u32 = 50;
const MOST_GROWTH_KIB: u64 = 32 * 1024;

/// An upstream whose answers are much longer than any window.
fn long_answers() -> u16 {
    upstream(|mut stream| {
        while !read_head(&mut stream).is_empty() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
            while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        }
    })
}

/// Windows that are shut, nearly shut, or opened once: the streams end, their upstreams are let go, and the connection
/// goes on.
#[test]
fn answers_that_are_left_unread_end() {
    for (window, more) in [(0, 0), (1, 0), (0, 1)] {
        let stage = Stage::before_port(long_answers(), &[("SERVE_PROXY_TIMEOUT_WRITE", "1s")]);
        let before = stage.running.resident_kib();
        let mut caller = Caller::connect_with(stage.running.proxy, None, &[(WINDOW, window)]);
        let request = block(&stage.request("GET", "/open/x"));
        for number in 0..STREAMS {
            caller.send(&frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &request)).unwrap();
            if more > 0 {
                caller.send(&window_update(2 * number + 1, more)).unwrap();
            }
        }
        let mut reset = 0;
        while reset < STREAMS {
            let frame = caller.read().expect("the connection goes on");
            if frame.kind == super::frames::RST_STREAM {
                assert_eq!(frame.number(0), CANCEL);
                reset += 1;
            }
        }
        let growth = stage.running.resident_kib().saturating_sub(before);
        assert!(growth <= MOST_GROWTH_KIB, "memory grew by {growth} KiB");
        let records = stage.running.audit(STREAMS as usize);
        assert!(records.iter().all(|record| record["reason"] == "stream_broken"), "{:?}", records[0]);
        assert!(caller.settle());
    }
}

/// As long as something is taken now and then, an answer goes on.
#[test]
fn an_answer_that_is_read_slowly_goes_on() {
    let stage = Stage::before_port(long_answers(), &[("SERVE_PROXY_TIMEOUT_WRITE", "2s")]);
    let mut caller = Caller::connect_with(stage.running.proxy, None, &[(WINDOW, 0)]);
    caller.send(&headers(1, END_STREAM, &stage.request("GET", "/open/x"))).unwrap();
    assert_eq!(caller.outcome(1), Status(200));
    // Longer in all than a pause may be.
    for _ in 0..10 {
        thread::sleep(std::time::Duration::from_millis(400));
        caller.send(&window_update(1, 100_000)).unwrap();
        caller.send(&window_update(0, 100_000)).unwrap();
        let mut taken = 0;
        while taken < 100_000 {
            let frame = caller.read().unwrap();
            assert_ne!(frame.kind, super::frames::RST_STREAM);
            taken += frame.payload.len();
        }
    }
}

/// Bodies that stop, or never come.
#[test]
fn requests_whose_body_stops_are_answered_408() {
    let stage = Stage::with(&[("SERVE_PROXY_TIMEOUT_READ", "500ms")]);
    for body in [Vec::new(), data(1, 0, b"some")] {
        let mut caller = stage.caller();
        caller.send(&[headers(1, 0, &stage.request("POST", "/open/x")), body].concat()).unwrap();
        assert_eq!(caller.outcome(1), Status(408));
        assert!(caller.settle());
    }
    assert!(stage.upstream.take().is_empty());
}

/// Whose head never ends, or who says nothing at all, has asked for nothing: the connection is idle, and ends as such.
#[test]
fn heads_that_never_end_end_with_the_idle_connection() {
    let stage = Stage::with(&[("SERVE_PROXY_TIMEOUT_IDLE", "500ms"), ("SERVE_PROXY_TIMEOUT_HEADER", "500ms")]);
    let begun = block(&stage.request("GET", "/open/x"));
    for start in [Vec::new(), frame(HEADERS, END_STREAM, 1, &begun), vec![0, 0]] {
        let mut caller = stage.caller();
        caller.send(&start).unwrap();
        // In the middle of a head not even a ping can be acknowledged, which this caller does all the same.
        let outcome = caller.outcome(1);
        assert!(matches!(outcome, Outcome::Ended | Outcome::GoAway(PROTOCOL_ERROR)), "{start:?}: {outcome:?}");
    }
    // Not even the whole preface.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", stage.running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&super::caller::PREFACE[..20]).unwrap();
    keyward_testkit::wire::drain(&mut stream, 1 << 20);
    stage.running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
    assert!(stage.upstream.take().is_empty());
}

/// What is answered without an upstream is cut off alike.
#[test]
fn refusals_that_are_left_unread_end() {
    let stage = Stage::with(&[("SERVE_PROXY_TIMEOUT_WRITE", "500ms")]);
    let mut caller = Caller::connect_with(stage.running.proxy, None, &[(WINDOW, 0)]);
    caller.send(&headers(1, END_STREAM, &stage.request("GET", "/nothing"))).unwrap();
    assert_eq!(caller.outcome(1), Status(404));
    while let Some(frame) = caller.read() {
        if frame.kind == super::frames::RST_STREAM {
            assert_eq!(Reset(frame.number(0)), Reset(CANCEL));
            return;
        }
    }
    panic!("the connection ended");
}
