//! SIGKILL while records are written: the log has whole lines, and goes on with one.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use serde_json::Value;

use crate::{CALLERS, Caller, keyward};

const ROUNDS: u64 = 10;

/// The text up to the last end of a line, and what is left of a line that was cut off.
fn whole(text: &str) -> (&str, &str) {
    text.rsplit_once('\n').map_or(("", text), |(whole, rest)| (whole, rest))
}

#[test]
fn killed_while_it_writes_it_leaves_whole_lines_and_at_most_the_last_one_torn() {
    let upstream = Recorder::start(true);
    let mut running = keyward(upstream.port).start();
    let mut torn = 0;
    for round in 1..=ROUNDS {
        let (stop, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
        let before = fs::read_to_string(running.path("audit.log")).unwrap().lines().count();
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    let mut caller = Caller::connect(running.proxy).unwrap();
                    // Long records: a batch is written in several steps.
                    let target = format!("/{}", "x".repeat(4000));
                    while !stop.load(Ordering::Relaxed) && caller.ask(&target).is_ok() {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            running.until("some records", |running| {
                fs::read_to_string(running.path("audit.log")).unwrap().lines().count() > before + 100
            });
            thread::sleep(Duration::from_millis(7 * round));
            running.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        });
        running.kill();
        let text = fs::read_to_string(running.path("audit.log")).unwrap();
        let (lines, rest) = whole(&text);
        torn += usize::from(!rest.is_empty());
        let broken = lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
        // Those that were torn before ended where the next process began.
        assert!(broken <= torn, "{broken} lines of round {round} are broken");
        running.start_again();
    }
}

/// A line that a process was killed in takes no record of the next process with it.
#[test]
fn a_log_that_ends_in_the_middle_of_a_line_goes_on_with_a_new_line() {
    let upstream = Recorder::start(true);
    for (left, lines) in [("{\"ts\":\"2026-11-3", 2), ("{}\n", 2), ("", 1)] {
        let keyward = keyward(upstream.port);
        keyward.write("audit.log", left);
        let running = keyward.start();
        assert_eq!(running.get("/x", &[]).status(), 200);
        assert_eq!(running.get("/y", &[]).status(), 200);
        running.until("both records", |running| {
            let text = fs::read_to_string(running.path("audit.log")).unwrap();
            text.starts_with(left) && text.lines().filter(|line| line.contains("\"outcome\":\"allowed\"")).count() == 2
        });
        let text = fs::read_to_string(running.path("audit.log")).unwrap();
        assert_eq!(text.lines().count(), lines + 1, "{text}");
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        assert_eq!(records.filter(|record| record["outcome"] == "allowed").count(), 2, "{text}");
    }
}
