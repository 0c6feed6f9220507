//! An upstream that stalls or drips, beside one that does not.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::process::{Keyward, PATIENCE};
use keyward_testkit::scripted::{drip, read_head, upstream};

use crate::{CONFIG, Caller, metric};

/// At a time.
const STUCK: usize = 100;

/// What one kind of slowness comes to.
struct Row {
    path: &'static str,
    /// What the caller gets: a status, and whether the body comes whole.
    outcome: (u16, bool),
    record: (&'static str, Option<&'static str>),
}

const ROWS: [Row; 5] = [
    Row { path: "/silent", outcome: (504, true), record: ("error", Some("upstream_timeout")) },
    Row { path: "/head-stops", outcome: (504, true), record: ("error", Some("upstream_timeout")) },
    // A head that drips is as late as one that stops.
    Row { path: "/head-drips", outcome: (504, true), record: ("error", Some("upstream_timeout")) },
    Row { path: "/body-stops", outcome: (200, false), record: ("error", Some("stream_broken")) },
    // Pauses are limited, and not the whole.
    Row { path: "/body-drips", outcome: (200, true), record: ("allowed", None) },
];
/// 40 bytes with a pause of 50 ms each: longer than any limit here.
const DRIPS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n";

fn slow() -> u16 {
    upstream(|mut stream| {
        let head = read_head(&mut stream);
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/head-stops" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(),
            "/head-drips" => drip(&mut stream, format!("HTTP/1.1 200 OK\r\n{}", "X-Y: z\r\n".repeat(20)).as_bytes()),
            "/body-stops" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx").unwrap(),
            "/body-drips" => {
                stream.write_all(DRIPS.as_bytes()).unwrap();
                drip(&mut stream, &[b'x'; 40]);
            }
            _ => {}
        }
        // Until the other side has had enough.
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

fn keyward(slow: u16, fast: u16) -> Keyward {
    let rule = |id: &str, path: &str, port: u16| {
        format!(
            "- id: {id}\n  match: {{url: \"http://<[^/]*>{path}\", methods: [GET, POST]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
             upstream: {{url: \"http://127.0.0.1:{port}\"}}\n"
        )
    };
    let rules = rule("slow", "/<(silent|head|body).*>", slow) + &rule("fast", "/fast", fast);
    // One core, which is the one that has to wait.
    let limits = [("WORKERS", "1"), ("UPSTREAM_RESPONSE_HEADER_TIMEOUT", "1s"), ("UPSTREAM_STREAM_IDLE_TIMEOUT", "1s")];
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules);
    limits.into_iter().fold(keyward, |keyward, (name, value)| keyward.env(&format!("SERVE_PROXY_{name}"), value))
}

#[test]
fn an_upstream_that_is_slow_is_given_up_at_its_limit_and_holds_up_no_other() {
    let fast = keyward_testkit::conformance::recorder::Recorder::start(true);
    for row in ROWS {
        let running = keyward(slow(), fast.port).start();
        let mut stuck: Vec<Caller> = (0..STUCK).map(|_| Caller::connect(running.proxy).unwrap()).collect();
        stuck.iter_mut().for_each(|caller| caller.send(row.path).unwrap());
        // Others are served while each of them waits.
        let (begun, mut other) = (Instant::now(), Caller::connect(running.proxy).unwrap());
        let mut served = 0;
        while served == 0 || metric(&running, "keyward_requests_in_flight ") > 0.0 {
            assert_eq!(other.ask("/fast").unwrap().status(), 200, "{}", row.path);
            served += 1;
            assert!(begun.elapsed() < PATIENCE, "{}: still waiting", row.path);
            thread::sleep(Duration::from_millis(10));
        }
        for mut caller in stuck {
            let answer = match row.outcome {
                (status, true) => caller.answer().map(|answer| answer.status() == status),
                (status, false) => {
                    let head = read_head(&mut caller.stream);
                    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{}: {head}", row.path);
                    let mut rest = Vec::new();
                    // An end in the middle, or a reset.
                    caller.stream.read_to_end(&mut rest).map_or(Ok(true), |_| Ok(rest == b"x"))
                }
            };
            assert!(answer.unwrap(), "{}", row.path);
        }
        let records = running.audit(STUCK + served);
        let (outcome, reason) = row.record;
        let slow = records.iter().filter(|record| record["rule_id"] == "slow");
        assert_eq!(
            slow.filter(|record| record["outcome"] == outcome && record["reason"].as_str() == reason).count(),
            STUCK,
            "{}: {records:?}",
            row.path
        );
    }
}

/// What is sent to an upstream that takes nothing: more than all buffers on the way.
const UPLOAD: usize = 32 << 20;

#[test]
fn an_upstream_that_does_not_read_a_body_is_given_up_and_holds_up_no_other() {
    let unread = upstream(|mut stream| {
        read_head(&mut stream);
        thread::sleep(2 * PATIENCE);
    });
    let fast = keyward_testkit::conformance::recorder::Recorder::start(true);
    let running = keyward(unread, fast.port).start();
    let uploads: Vec<_> = (0..10)
        .map(|_| {
            let mut caller = Caller::connect(running.proxy).unwrap();
            thread::spawn(move || {
                write!(caller.stream, "POST /silent HTTP/1.1\r\nHost: h\r\nContent-Length: {UPLOAD}\r\n\r\n").unwrap();
                // Until nobody takes any more.
                let _ = caller.stream.write_all(&vec![b'x'; UPLOAD]);
                caller.answer().map(|answer| answer.status())
            })
        })
        .collect();
    running.until("all of them", |running| metric(running, "keyward_requests_in_flight ") == 10.0);
    running.until("giving them up", |running| {
        assert_eq!(running.get("/fast", &[]).status(), 200);
        metric(running, "keyward_requests_in_flight ") == 0.0
    });
    let statuses: Vec<_> = uploads.into_iter().map(|upload| upload.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| status.as_ref().is_ok_and(|status| *status == 504)), "{statuses:?}");
}
