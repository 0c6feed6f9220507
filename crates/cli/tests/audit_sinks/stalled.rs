//! Collectors that stop reading, or end a connection within a record: what the policies promise then.

use std::collections::BTreeSet;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::Running;
use serde_json::Value;

use crate::collector::Collector;
use crate::{Caller, MANY, ask, fill, forwarded, keyward, long_path, served, serves_again};

/// The queue takes 64 batches of 128 records, and a core 1 MiB, whatever comes.
const MOST_KIB: u64 = 64 * 1024;

fn count(running: &Running, name: &str) -> u64 {
    running.metric(name).unwrap() as u64
}

#[test]
fn under_block_a_collector_that_reads_nothing_stops_requests_and_gets_every_record_later() {
    for tls in [false, true] {
        let (upstream, authority) = (Recorder::start(true), Authority::new());
        let collector =
            if tls { Collector::start_tls(authority.server(&["localhost"], &[])) } else { Collector::start() };
        let keyward = keyward(&upstream, &collector.sink("syslog")).env("SERVE_PROXY_WORKERS", "1");
        let ca = keyward.write("ca.pem", &authority.certificate).display().to_string();
        let running = keyward.env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca).start();
        running.until("a connection", |running| running.log().contains("audit records have a connection"));
        collector.pause(true);
        let mut paths = fill(&running);
        assert_eq!(running.api("/health/alive").unwrap().status(), 200);
        assert_eq!(forwarded(&upstream), paths, "what got 503 was forwarded");
        collector.pause(false);
        serves_again(&running, "/again");
        paths.insert("/again".to_owned());
        let records = || collector.records("syslog");
        running.until("every record", |_| served(&records()).0.len() == paths.len());
        assert!(served(&records()).0 == paths, "only what was refused may have no record");
        assert_eq!(collector.bytes().len(), 1, "the connection was good all the time");
    }
}

#[test]
fn under_block_refusals_take_bounded_memory_however_long_a_collector_reads_nothing() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let running = keyward(&upstream, &collector.sink("tcp")).env("SERVE_PROXY_WORKERS", "1").start();
    collector.pause(true);
    let mut paths = fill(&running);
    let before = running.resident_kib();
    let (mut caller, mut asked) = (Caller::connect(&running), MANY);
    // Their records have room for a while. Now and then the system has some for another one of what is let through.
    while count(&running, "keyward_audit_records_lost_total") < 500 {
        for _ in 0..100 {
            let path = long_path(asked);
            match caller.ask(&path).status() {
                200 => drop(paths.insert(path)),
                status => assert_eq!(status, 503),
            }
            asked += 1;
        }
        assert!(asked < 3 * MANY, "{asked}");
    }
    let more = running.resident_kib().saturating_sub(before);
    assert!(more < MOST_KIB, "{more} KiB more");
    assert_eq!(forwarded(&upstream), paths, "what got 503 was forwarded");
    collector.pause(false);
    serves_again(&running, "/again");
    paths.insert("/again".to_owned());
    let lost = count(&running, "keyward_audit_records_lost_total");
    running.until("every record, and the gap", |_| {
        let (recorded, told) = served(&collector.lines());
        recorded.len() == paths.len() && told == lost
    });
    assert!(served(&collector.lines()) == (paths, lost), "only what was refused may have no record");
    assert_eq!(count(&running, "keyward_audit_records_lost_total"), lost);
}

#[test]
fn under_drop_a_collector_that_reads_nothing_holds_no_request_up_and_takes_no_memory() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let audit = format!("{}, policy: drop", collector.sink("syslog"));
    let running = keyward(&upstream, &audit).env("SERVE_PROXY_WORKERS", "1").start();
    collector.pause(true);
    let (mut caller, mut asked) = (Caller::connect(&running), 0);
    let before = running.resident_kib();
    while count(&running, "keyward_audit_records_lost_total") < 2000 {
        for _ in 0..500 {
            assert_eq!(caller.ask(&long_path(asked)).status(), 200);
            asked += 1;
        }
        assert!(asked < 2 * MANY, "{asked}");
    }
    let more = running.resident_kib().saturating_sub(before);
    assert!(more < MOST_KIB, "{more} KiB more");
    assert_eq!(running.metric("keyward_audit_failing"), Some(1.0));
    collector.pause(false);
    let total = |running: &Running| {
        ["keyward_audit_records_written_total", "keyward_audit_records_lost_total"].map(|name| count(running, name))
    };
    running.until("an account of each", |running| total(running).iter().sum::<u64>() == asked as u64);
    let lost = total(&running)[1];
    running.until("what is lost being told", |_| served(&collector.records("syslog")).1 == lost);
    let records = collector.records("syslog");
    let (recorded, _) = served(&records);
    let gaps = records.iter().filter(|record| record["audit"] == "gap").count();
    // Before each gap one record may be there though it counts as lost: its first half was.
    let both = recorded.len() + usize::try_from(lost).unwrap();
    assert!((asked..=asked + gaps).contains(&both), "{} and {lost} of {asked}", recorded.len());
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
    // What the system still holds is sent after the end.
    running.until("every record", |_| served(&collector.records("syslog")).0.len() == paths.len());
    assert!(served(&collector.records("syslog")).0 == paths, "only what was refused may have no record");
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
    let is_there = |record: &Value| record["path"] == "/again" && record["outcome"] == "allowed";
    running.until("what waited", |_| collector.records("syslog").iter().any(is_there));
    // Every connection begins with a frame: `frames` fails otherwise, and `served` when one is there twice.
    let (recorded, _) = served(&collector.records("syslog"));
    let last = paths.last().unwrap();
    assert!(recorded.contains(last));
    let missing = paths.difference(&recorded).count();
    assert!(missing < paths.len(), "{missing} of {}", paths.len());
    assert!(collector.bytes().len() > 1);
    assert!(running.log().contains("what was on its way may be lost"), "{}", running.log());
}

/// Each time it ends it has read the first part of a record, whose rest was with the system, and lost.
#[test]
fn a_collector_that_vanishes_within_records_misses_what_was_on_its_way_and_has_nothing_torn_or_twice() {
    const READ: usize = 50_000;
    for sink in ["syslog", "tcp"] {
        let (upstream, collector) = (Recorder::start(true), Collector::start());
        let running = keyward(&upstream, &collector.sink(sink)).env("SERVE_PROXY_WORKERS", "1").start();
        collector.vanish_after(READ);
        let mut paths = Vec::new();
        while collector.bytes().len() < 4 {
            let path = long_path(paths.len());
            // Each refusal has a record, and each few records end a connection: asked too often, there would be ever more of both.
            let is_well = |running: &Running| running.metric("keyward_audit_failing") == Some(0.0);
            running.until("serving", |running| is_well(running) && running.get(&path, &[]).status() == 200);
            paths.push(path);
        }
        collector.vanish_after(0);
        serves_again(&running, "/again");
        paths.push("/again".to_owned());
        let is_there = |record: &Value| record["path"] == "/again" && record["outcome"] == "allowed";
        running.until("what waited", |_| collector.records(sink).iter().any(is_there));

        assert_eq!(forwarded(&upstream), BTreeSet::from_iter(paths.iter().cloned()), "what got 503 was forwarded");
        let records = collector.records(sink);
        let allowed = records.iter().filter(|record| record["outcome"] == "allowed");
        let places: Vec<usize> =
            allowed.map(|record| paths.iter().position(|path| record["path"] == **path).unwrap()).collect();
        assert!(places.is_sorted_by(|one, next| one < next), "twice, or not in order: {places:?}");
        let connections = collector.bytes();
        let (last, ended) = connections.split_last().unwrap();
        for bytes in ended {
            assert!(bytes.len() >= READ && !matches!(bytes.last(), Some(b'}' | b'\n')), "it ended with a record");
        }
        assert!(matches!(last.last(), Some(b'}' | b'\n')));
        let holes = places.windows(2).filter(|pair| pair[1] - pair[0] > 1).count();
        assert!((1..=ended.len()).contains(&holes), "{holes} of {}: {places:?}", ended.len());
        assert_eq!(running.log().matches("what was on its way may be lost").count(), ended.len());
    }
}
