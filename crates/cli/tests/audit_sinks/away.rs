//! Collectors that are away: what the policies promise then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use keyward_testkit::conformance::recorder::Recorder;

use crate::collector::Collector;
use crate::{ask, config, forwarded, keyward, served, serves_again};

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
        let records = || collector.records(sink);
        running.until("every record", |_| served(&records()).0.len() == paths.len());
        assert_eq!(served(&records()), (paths, 0));
        assert!(running.log().contains("audit records are written again"), "{}", running.log());
    }
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
fn under_drop_requests_go_on_and_what_is_lost_is_told_in_a_later_record() {
    for sink in ["syslog", "tcp"] {
        let (upstream, mut collector) = (Recorder::start(true), Collector::away());
        let running = keyward(&upstream, &format!("{}, policy: drop", collector.sink(sink))).start();
        let before = ask(&running, 0..500);
        running.until("losing them", |running| running.metric("keyward_audit_records_lost_total") == Some(500.0));
        collector.come();
        running.until("a connection", |running| running.log().contains("audit records have a connection"));
        let after = ask(&running, 500..600);
        let records = || collector.records(sink);
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
fn a_process_ends_though_its_collector_is_away() {
    let (upstream, mut collector) = (Recorder::start(true), Collector::start());
    let mut running = keyward(&upstream, &collector.sink("syslog")).start();
    ask(&running, 0..10);
    collector.leave();
    running.get("/x", &[]);
    running.signal("TERM");
    assert!(running.wait().success());
}

/// What was wrong with the collector is no reason to refuse anything once records go elsewhere.
#[test]
fn a_reload_away_from_a_collector_that_is_away_lets_the_next_request_through() {
    let (upstream, collector) = (Recorder::start(true), Collector::away());
    let running = keyward(&upstream, &collector.sink("syslog")).start();
    running.until("knowing", |running| running.metric("keyward_audit_failing") == Some(1.0));
    running.replace("config.yaml", &config("sink: file, path: audit.log"));
    running.until("being well", |running| running.metric("keyward_audit_failing") == Some(0.0));
    assert_eq!(running.get("/x", &[]).status(), 200);
    assert_eq!(served(&running.audit(1)).0.len(), 1);
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
