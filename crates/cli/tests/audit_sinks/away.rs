//! Collectors that are away, slow or cut off: what the policies promise then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Running;

use crate::collector::Collector;
use crate::{Caller, ask, config, forwarded, keyward, served};

/// Requests, at most, until nothing more is taken.
const MANY: usize = 30_000;
/// Long, so that few records fill much.
const PATH_LENGTH: usize = 1500;

/// Asks until an answer is 503. The paths of what was served.
fn fill(running: &Running) -> BTreeSet<String> {
    let (mut caller, mut served) = (Caller::connect(running), BTreeSet::new());
    for number in 0..MANY {
        let path = format!("/{number:0>PATH_LENGTH$}");
        let answer = caller.ask(&path);
        if answer.status() != 200 {
            assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")), "{number}");
            return served;
        }
        served.insert(path);
    }
    panic!("{MANY} requests were served")
}

fn serves_again(running: &Running, path: &str) {
    running.until("serving again", |running| running.get(path, &[]).status() == 200);
}

#[test]
fn under_block_nothing_is_forwarded_until_there_is_a_collector() {
    for sink in ["syslog", "tcp"] {
        let (upstream, mut collector) = (Recorder::start(true), Collector::away());
        let running = keyward(&upstream, &collector.sink(sink)).start();
        running.until("knowing", |running| running.log().contains("audit records cannot be written"));
        for _ in 0..10 {
            assert_eq!(running.get("/before", &[]).status(), 503);
        }
        assert_eq!(forwarded(&upstream).len(), 0);
        collector.come();
        serves_again(&running, "/first");
        let mut paths = ask(&running, 0..100);
        paths.insert("/first".to_owned());
        let records = || match sink {
            "syslog" => collector.frames().into_iter().map(|frame| frame.record).collect(),
            _ => collector.lines(),
        };
        running.until("every record", |_| served(&records()).0.len() == paths.len());
        assert_eq!(served(&records()), (paths, 0));
        assert!(running.log().contains("audit records are written again"), "{}", running.log());
    }
}

#[test]
fn under_block_a_collector_that_reads_nothing_stops_requests_and_gets_every_record_later() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let running = keyward(&upstream, &collector.sink("syslog")).env("SERVE_PROXY_WORKERS", "1").start();
    collector.pause(true);
    let mut paths = fill(&running);
    assert_eq!(running.api("/health/alive").unwrap().status(), 200);
    assert_eq!(forwarded(&upstream), paths, "what got 503 was forwarded");
    collector.pause(false);
    serves_again(&running, "/again");
    paths.insert("/again".to_owned());
    let records = || collector.frames().into_iter().map(|frame| frame.record).collect::<Vec<_>>();
    running.until("every record", |_| served(&records()).0.len() == paths.len());
    assert_eq!(served(&records()), (paths, 0));
    assert_eq!(collector.bytes().len(), 1, "the connection was good all the time");
    assert_eq!(running.metric("keyward_audit_records_lost"), Some(0.0));
}

#[test]
fn a_collector_that_is_restarted_costs_no_record_that_it_had_not_been_sent() {
    let (upstream, mut collector) = (Recorder::start(true), Collector::start());
    let running = keyward(&upstream, &collector.sink("tcp")).start();
    let paths = RefCell::new(BTreeSet::new());
    let status = |path: String| {
        let status = running.get(&path, &[]).status();
        if status == 200 {
            paths.borrow_mut().insert(path);
        }
        status
    };
    for round in 0..5 {
        for number in 0..100 {
            // One that ends soon after it began is followed by a pause.
            running.until("serving", |_| status(format!("/{round}-{number}")) == 200);
        }
        running.until("every record", |_| served(&collector.lines()).0.len() == paths.borrow().len());
        if round % 2 == 0 {
            // It is back before anything is sent.
            collector.end_connections();
        } else {
            collector.leave();
            // What is let in until then is kept.
            let number = Cell::new(0);
            running
                .until("a refusal", |_| status(format!("/away-{round}-{}", number.replace(number.get() + 1))) == 503);
            collector.come();
            running.until("serving again", |_| status(format!("/back-{round}")) == 200);
        }
    }
    running.until("every record", |_| served(&collector.lines()).0.len() == paths.borrow().len());
    assert_eq!(served(&collector.lines()), (paths.take(), 0));
}

#[test]
fn a_record_that_is_cut_off_is_sent_again_whole_and_none_is_there_twice() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let running = keyward(&upstream, &collector.sink("syslog")).env("SERVE_PROXY_WORKERS", "1").start();
    ask(&running, 0..10);
    running.until("the first records", |_| collector.frames().len() == 10);
    collector.pause(true);
    let paths = fill(&running);
    // What is unread is lost with the connection, in its middle.
    collector.end_connections();
    collector.pause(false);
    serves_again(&running, "/again");
    running.until("what waited", |_| collector.frames().iter().any(|frame| frame.record["path"] == "/again"));
    // Every connection begins with a frame: `frames` fails otherwise, and `served` when one is there twice.
    let records: Vec<_> = collector.frames().into_iter().map(|frame| frame.record).collect();
    let (recorded, lost) = served(&records);
    let last = paths.last().unwrap();
    assert!(recorded.contains(last) && lost == 0, "{lost}");
    let missing = paths.difference(&recorded).count();
    assert!(missing < paths.len(), "{missing} of {}", paths.len());
    assert!(collector.bytes().len() > 1);
    assert!(running.log().contains("what was on its way may be lost"), "{}", running.log());
}

#[test]
fn under_drop_requests_go_on_and_what_is_lost_is_told_in_a_later_record() {
    for sink in ["syslog", "tcp"] {
        let (upstream, mut collector) = (Recorder::start(true), Collector::away());
        let running = keyward(&upstream, &format!("{}, policy: drop", collector.sink(sink))).start();
        let before = ask(&running, 0..500);
        running.until("losing them", |running| running.metric("keyward_audit_records_lost") == Some(500.0));
        collector.come();
        running.until("a connection", |running| running.log().contains("audit records have a connection"));
        let after = ask(&running, 500..600);
        let records = || match sink {
            "syslog" => collector.frames().into_iter().map(|frame| frame.record).collect(),
            _ => collector.lines(),
        };
        running.until("every record", |_| {
            let (paths, lost) = served(&records());
            paths.len() as u64 + lost == 600
        });
        let (paths, lost) = served(&records());
        assert_eq!((paths, lost), (after, before.len() as u64));
        assert_eq!(forwarded(&upstream).len(), 600);
    }
}

#[test]
fn under_drop_a_collector_that_reads_nothing_holds_no_request_up_and_takes_no_memory() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let audit = format!("{}, policy: drop", collector.sink("syslog"));
    let running = keyward(&upstream, &audit).env("SERVE_PROXY_WORKERS", "1").start();
    collector.pause(true);
    let (mut caller, mut asked) = (Caller::connect(&running), 0);
    let before = running.resident_kib();
    while running.metric("keyward_audit_records_lost").unwrap() < 2000.0 {
        for _ in 0..500 {
            assert_eq!(caller.ask(&format!("/{asked:0>PATH_LENGTH$}")).status(), 200);
            asked += 1;
        }
        assert!(asked < 2 * MANY, "{asked}");
    }
    // The queue takes 64 batches of 128 records, and a core 1 MiB, whatever comes.
    let more = running.resident_kib().saturating_sub(before);
    assert!(more < 64 * 1024, "{more} KiB more");
    collector.pause(false);
    running.until("a gap that is told", |_| collector.frames().iter().any(|frame| frame.record["audit"] == "gap"));
    running.until("every record", |running| {
        let count = |name| running.metric(name).unwrap();
        count("keyward_audit_records_written") + count("keyward_audit_records_lost") >= asked as f64
    });
}

#[test]
fn the_drain_hands_over_what_waits_for_a_collector() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let mut running = keyward(&upstream, &collector.sink("syslog")).env("SERVE_PROXY_WORKERS", "1").start();
    collector.pause(true);
    let paths = fill(&running);
    running.signal("TERM");
    collector.pause(false);
    assert!(running.wait().success());
    let records = || collector.frames().into_iter().map(|frame| frame.record).collect::<Vec<_>>();
    // What the system still holds is sent after the end.
    running.until("every record", |_| served(&records()).0.len() == paths.len());
    assert_eq!(served(&records()), (paths, 0));
}

#[test]
fn a_process_ends_in_time_though_its_collector_is_away() {
    let (upstream, mut collector) = (Recorder::start(true), Collector::start());
    let mut running = keyward(&upstream, &collector.sink("syslog")).start();
    ask(&running, 0..10);
    collector.leave();
    running.get("/x", &[]);
    running.signal("TERM");
    assert!(running.wait().success());
}

#[test]
fn a_reload_goes_from_a_file_to_a_collector_and_back_without_losing_a_record() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let file = "sink: file, path: audit.log";
    let running = keyward(&upstream, file).start();
    let mut paths = ask(&running, 0..100);
    running.replace("config.yaml", &config(&collector.sink("tcp")));
    running.until("the reload", |running| running.metric("keyward_reloads_total") == Some(1.0));
    paths.extend(ask(&running, 100..200));
    running.until("records there", |_| collector.lines().len() >= 100);
    running.replace("config.yaml", &config(file));
    running.until("the reload", |running| running.metric("keyward_reloads_total") == Some(2.0));
    paths.extend(ask(&running, 200..300));
    let records = || {
        let text = std::fs::read_to_string(running.path("audit.log")).unwrap();
        let mut records: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        records.extend(collector.lines());
        records
    };
    running.until("every record", |_| records().len() == 300);
    assert_eq!(served(&records()), (paths, 0));
}
