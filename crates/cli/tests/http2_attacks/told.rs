//! What operators hear of callers that break the rules of HTTP/2: a counter by reason, and few lines.

use super::frames::{DATA, END_STREAM, frame, headers, window_update};
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
