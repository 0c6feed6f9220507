//! A collector that takes a few bytes at a time, and never nothing: who writes is not held by it.

use std::fs;

use keyward_testkit::conformance::recorder::Recorder;
use serde_json::Value;

use crate::collector::Collector;
use crate::{ask, config, keyward, served, serves_again};

/// A record has this path twice. The system does not hold two of them.
const PATH_LENGTH: usize = 57_000;
/// At some 70 KB a second, a record takes longer than is waited for; but there is room for a part of one all the time.
const FEW: usize = 350;

#[test]
fn a_collector_that_takes_a_few_bytes_at_a_time_counts_as_failing_and_is_left_at_once() {
    let (upstream, collector) = (Recorder::start(true), Collector::start().holding(16 * 1024));
    let running = keyward(&upstream, &collector.sink("tcp")).env("SERVE_PROXY_WORKERS", "1");
    let running = running.env("SERVE_PROXY_LIMITS_TARGET_BYTES", "60000").start();
    let mut paths = ask(&running, 0..10);
    running.until("the first records", |_| collector.lines().len() == 10);
    collector.dribble(FEW);
    for number in 0..10 {
        let path = format!("/{number:0>PATH_LENGTH$}");
        if running.get(&path, &[]).status() == 200 {
            paths.insert(path);
        }
    }
    assert!(paths.len() > 12, "{}", running.log());
    running.until("knowing", |running| running.log().contains("audit records cannot be written"));
    running.replace("config.yaml", &config("sink: file, path: audit.log"));
    serves_again(&running, "/again");
    paths.insert("/again".to_owned());
    let filed = || {
        let text = fs::read_to_string(running.path("audit.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>()
    };
    running.until("a record there", |_| served(&filed()).0.contains("/again"));
    let there = served(&collector.lines()).0;
    assert!(there.len() < paths.len() - 1, "it has read all of them before");
    // What it was sent is with the system, and comes.
    collector.dribble(0);
    let records = || [collector.lines(), filed()].concat();
    running.until("every record", |_| served(&records()).0.len() == paths.len());
    assert!(served(&records()) == (paths, 0), "only what was refused may have no record");
}
