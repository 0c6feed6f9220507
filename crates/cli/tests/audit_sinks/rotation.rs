//! Files that are rotated: by size, by time, at a start, and over reloads. Every record is in one of them, once and whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Running;
use serde_json::Value;

use crate::{ask, config, keyward, served};

const MAX_BYTES: u64 = 65_536;
const BY_SIZE: &str = "sink: file, path: audit.log, rotate: {max_bytes: 65536}";

/// The names of the log and of what it was rotated to, the oldest first.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("audit.log.2") && name.contains('Z')).collect();
    names.sort();
    names.push("audit.log".to_owned());
    names
}

/// The records of these files, in order. Every line is one, also the last of each.
pub(crate) fn records(directory: &Path, names: &[String]) -> Vec<Value> {
    let mut records = Vec::new();
    for name in names {
        let text = fs::read_to_string(directory.join(name)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{name} ends in the middle of a record");
        records.extend(text.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|problem| panic!("{name}: {problem}: {line}"))
        }));
    }
    records
}

/// Waits until as many records are written as were asked for, and reads them all.
pub(crate) fn all(running: &Running, expected: usize) -> (Vec<String>, BTreeSet<String>) {
    let written = |running: &Running| running.metric("keyward_audit_records_written_total").unwrap();
    running.until("every record", |running| written(running) >= expected as f64);
    let directory = running.path("");
    let names = names(&directory);
    let (paths, lost) = served(&records(&directory, &names));
    assert_eq!((lost, running.metric("keyward_audit_records_lost_total")), (0, Some(0.0)));
    (names, paths)
}

#[test]
fn under_load_every_record_is_in_one_file_and_no_file_is_too_large() {
    for policy in ["block", "drop"] {
        let upstream = Recorder::start(true);
        let running = keyward(&upstream, &format!("{BY_SIZE}, policy: {policy}")).start();
        let asked: BTreeSet<String> = thread::scope(|scope| {
            let callers = (0..4).map(|caller| caller * 1000..caller * 1000 + 500);
            let callers: Vec<_> = callers.map(|numbers| scope.spawn(|| ask(&running, numbers))).collect();
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
        });
        let (names, paths) = all(&running, asked.len());
        assert_eq!(paths, asked);
        // A record is some 400 bytes long.
        assert!(names.len() >= 8, "{names:?}");
        for name in &names {
            let length = fs::metadata(running.path(name)).unwrap().len();
            assert!((1..=MAX_BYTES).contains(&length), "{name}: {length}");
        }
        for name in &names[..names.len() - 1] {
            assert!(fs::metadata(running.path(name)).unwrap().len() > MAX_BYTES - 1024, "{name} was given up early");
        }
    }
}

#[test]
fn when_a_period_is_over_another_file_is_begun_also_where_nothing_comes() {
    let upstream = Recorder::start(true);
    let running = keyward(&upstream, "sink: file, path: audit.log, rotate: {every: 1s}").start();
    let mut asked = BTreeSet::new();
    while names(&running.path("")).len() < 4 {
        asked.extend(ask(&running, asked.len()..asked.len() + 20));
    }
    // The last one is rotated though nothing more is written, and then no more.
    running.until("the last rotation", |running| {
        fs::metadata(running.path("audit.log")).unwrap().len() == 0
            && running.metric("keyward_audit_records_written_total").unwrap() >= asked.len() as f64
    });
    let (names, paths) = all(&running, asked.len());
    assert_eq!(paths, asked);
    let rotated = names.len();
    thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(self::names(&running.path("")).len(), rotated, "an empty file was rotated");
}

#[test]
fn as_many_files_are_kept_as_wanted_and_nobody_elses_is_removed() {
    let upstream = Recorder::start(true);
    let keyward = keyward(&upstream, "sink: file, path: audit.log, rotate: {max_bytes: 65536, keep: 2}");
    let others = ["audit.log.1", "audit.log.20200101T000000Z.gz", "other.log.20200101T000000Z"];
    others.iter().for_each(|name| drop(keyward.write(name, "another's\n")));
    // Of an earlier process.
    keyward.write("audit.log.20200101T000000Z", "old\n");
    let running = keyward.start();
    for round in 0..10 {
        ask(&running, round * 200..round * 200 + 200);
    }
    running.until("every record", |running| running.metric("keyward_audit_records_written_total") == Some(2000.0));
    let kept: Vec<String> = names(&running.path("")).into_iter().filter(|name| !name.ends_with(".gz")).collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(!kept.contains(&"audit.log.20200101T000000Z".to_owned()));
    // The newest are those that are kept.
    let (paths, _) = served(&records(&running.path(""), &kept));
    assert!(paths.contains("/1999") && !paths.contains("/0"));
    for name in others {
        assert_eq!(fs::read_to_string(running.path(name)).unwrap(), "another's\n");
    }
}

#[test]
fn a_file_that_is_too_large_at_a_start_is_rotated_before_anything_is_added() {
    let whole = "{\"before\":1}\n".repeat(10_000);
    // The process before was killed within a record.
    let torn = format!("{whole}{{\"bef");
    for (before, expected) in [(&whole, whole.clone()), (&torn, format!("{torn}\n"))] {
        let upstream = Recorder::start(true);
        let keyward = keyward(&upstream, BY_SIZE);
        keyward.write("audit.log", before);
        let running = keyward.start();
        ask(&running, 0..10);
        running.until("every record", |running| running.metric("keyward_audit_records_written_total") == Some(10.0));
        let names = names(&running.path(""));
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(fs::read_to_string(running.path(&names[0])).unwrap() == expected);
        assert_eq!(served(&records(&running.path(""), &names[1..])).0.len(), 10);
    }
}

#[test]
fn rotation_begins_and_ends_with_a_reload_and_goes_on_over_others() {
    let upstream = Recorder::start(true);
    let running = keyward(&upstream, "sink: file, path: audit.log").start();
    let mut asked = ask(&running, 0..400);
    let reload = |audit: &str, number: f64| {
        running.replace("config.yaml", &config(audit));
        running.until("the reload", |running| running.metric("keyward_reloads_total") == Some(number));
    };
    assert_eq!(all(&running, 400).0.len(), 1);
    reload(BY_SIZE, 1.0);
    asked.extend(thread::scope(|scope| {
        let caller = scope.spawn(|| ask(&running, 400..1600));
        // Each opens the file anew, also between a rotation and the next record.
        for number in 2..12 {
            running.signal("HUP");
            running.until("the reload", |running| running.metric("keyward_reloads_total") == Some(number.into()));
        }
        caller.join().unwrap()
    }));
    let (names, paths) = all(&running, 1600);
    assert_eq!(paths, asked);
    assert!(names.len() >= 5, "{names:?}");
    reload("sink: file, path: audit.log", 12.0);
    asked.extend(ask(&running, 1600..2200));
    let (later, paths) = all(&running, 2200);
    assert_eq!(paths, asked);
    // Until the new settings are taken up, one more can come.
    assert!(later.len() <= names.len() + 1, "{later:?}");
    assert!(fs::metadata(running.path("audit.log")).unwrap().len() > MAX_BYTES);
}

#[test]
fn a_log_that_somebody_else_moves_away_is_begun_again_by_a_reload_as_ever() {
    let upstream = Recorder::start(true);
    let running = keyward(&upstream, BY_SIZE).start();
    let mut asked = ask(&running, 0..50);
    all(&running, 50);
    fs::rename(running.path("audit.log"), running.path("audit.log.20200101T000000Z")).unwrap();
    asked.extend(ask(&running, 50..60));
    running.until("the moved file", |running| running.metric("keyward_audit_records_written_total") == Some(60.0));
    assert!(!running.path("audit.log").exists());
    running.signal("HUP");
    running.until("another file", |running| running.path("audit.log").exists());
    asked.extend(ask(&running, 60..400));
    let (names, paths) = all(&running, 400);
    assert_eq!(paths, asked);
    assert!(names.len() >= 3, "{names:?}");
}
