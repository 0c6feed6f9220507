//! Callers of HTTP/2 that take their time: with what they send, and with what they are sent.

use std::io::Write;
use std::thread;

use keyward_testkit::process::PATIENCE;
use keyward_testkit::scripted::{read_head, upstream};

use super::caller::Caller;
use super::caller::Outcome::{self, Reset, Status};
use super::frames::{
    CANCEL, CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PROTOCOL_ERROR, block, data,
    frame, headers, window_update,
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

/// Who says nothing that begins a head has asked for nothing: the connection is idle, and ends as such.
#[test]
fn callers_that_ask_for_nothing_end_with_the_idle_connection() {
    let stage = Stage::with(&[("SERVE_PROXY_TIMEOUT_IDLE", "500ms"), ("SERVE_PROXY_TIMEOUT_HEADER", "500ms")]);
    for start in [&[][..], &[0, 0]] {
        let mut caller = stage.caller();
        caller.send(start).unwrap();
        let outcome = caller.outcome(1);
        // What this caller acknowledges at the end comes in the middle of the frame that it has begun.
        let ended = outcome == Outcome::Ended || !start.is_empty() && outcome == Outcome::GoAway(PROTOCOL_ERROR);
        assert!(ended, "{start:?}: {outcome:?}");
    }
    stage.running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
    assert_eq!(stage.running.metric("keyward_connection_faults_total{reason=\"header_timeout\"}"), Some(0.0));
}

/// A field block without `END_HEADERS`, a frame of one that stops, and one that drips, an octet at a time: each takes its
/// connection with it, long before that would be idle, and no other.
#[test]
fn heads_that_never_end_end_with_the_limit_on_heads() {
    let limits = [("SERVE_PROXY_TIMEOUT_IDLE", "60s"), ("SERVE_PROXY_TIMEOUT_HEADER", "1s")];
    for stage in [Stage::with(&limits), Stage::over_tls_with(&limits)] {
        let mut other = stage.caller();
        assert!(other.settle());
        let begun = block(&stage.request("GET", "/open/x"));
        let (first, second) = begun.split_at(10);
        let stops = frame(HEADERS, END_STREAM | END_HEADERS, 3, &begun);
        let goes_on = frame(HEADERS, END_STREAM, 3, first);
        let drips = frame(CONTINUATION, END_HEADERS, 3, second);
        // (what is sent at once, what octet by octet)
        let rows: [(&[u8], &[u8]); 4] =
            [(&goes_on, &[]), (&stops[..30], &[]), (&goes_on, &drips[..15]), (&stops[..9], &stops[9..24])];
        for (at_once, drips) in rows {
            let mut caller = stage.caller();
            assert_eq!(served(&mut caller, &stage), Status(200));
            assert!(caller.settle());
            caller.send(at_once).unwrap();
            for octet in drips {
                // The last of them come too late, and the connection may be gone.
                let _ = caller.send(&[*octet]);
                thread::sleep(std::time::Duration::from_millis(100));
            }
            let goodbye = loop {
                let frame = caller.read().expect("a goodbye");
                if frame.kind == GOAWAY {
                    break frame;
                }
            };
            // What was answered counts as seen, and what never came whole does not.
            assert_eq!((goodbye.number(0), goodbye.number(4)), (1, ENHANCE_YOUR_CALM));
            assert!(caller.read().is_none());
            assert!(other.settle());
        }
        assert_eq!(served(&mut other, &stage), Status(200));
        let counted = stage.running.metric("keyward_connection_faults_total{reason=\"header_timeout\"}");
        assert_eq!(counted, Some(4.0));
        assert_eq!(stage.upstream.take().len(), 5);
    }
}

fn served(caller: &mut Caller, stage: &Stage) -> Outcome {
    caller.send(&headers(1, END_STREAM, &stage.request("GET", "/open/x"))).unwrap();
    caller.outcome(1)
}

/// The client's preface is the first of heads.
#[test]
fn prefaces_that_never_end_end_with_the_limit_on_heads() {
    let limits = [("SERVE_PROXY_TIMEOUT_IDLE", "60s"), ("SERVE_PROXY_TIMEOUT_HEADER", "500ms")];
    let stage = Stage::with(&limits);
    for length in [5, 20] {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", stage.running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&super::caller::PREFACE[..length]).unwrap();
        let said = keyward_testkit::wire::drain(&mut stream, 1 << 20);
        let text = String::from_utf8_lossy(&said);
        // So short, it can also be the beginning of a request of HTTP/1.1.
        assert_eq!(text.starts_with("HTTP/1.1 408 "), length == 5, "{text}");
    }
    stage.running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
    assert_eq!(stage.running.metric("keyward_connection_faults_total{reason=\"header_timeout\"}"), Some(1.0));
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
