//! Rotation on a disk that is full, of records or of files.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::disk::SmallDisk;
use keyward_testkit::process::Running;

use crate::rotation::{names, records};
use crate::{ask, fill, forwarded, keyward, served, serves_again};

/// Ends it, so that everything is written. What was served, by the records in all files of a directory.
fn recorded(running: &mut Running, directory: &Path) -> BTreeSet<String> {
    running.signal("TERM");
    assert!(running.wait().success());
    served(&records(directory, &names(directory))).0
}

#[test]
fn under_block_a_disk_that_fills_up_between_rotations_stops_requests_and_loses_and_tears_no_record() {
    // By time, it is also rotated while nothing can be written.
    for rotate in ["max_bytes: 65536", "max_bytes: 65536, every: 1s"] {
        let upstream = Recorder::start(true);
        let keyward = keyward(&upstream, &format!("sink: file, path: disk/audit.log, rotate: {{{rotate}}}"));
        let directory = keyward.path("disk");
        let Some(disk) = SmallDisk::mount(&directory, "size=8m") else { return };
        let filler = directory.join("filler");
        // Some pages more than whole files take: the disk is full within a record.
        fs::write(&filler, vec![b'x'; (7 << 20) - 5 * 4096]).unwrap();
        let mut running = keyward.start();
        let mut paths = fill(&running);
        let full = names(&directory);
        assert!(full.len() > 10, "it was rotated before: {full:?}");
        assert_eq!(running.metric("keyward_audit_failing"), Some(1.0));
        for _ in 0..10 {
            assert_eq!(running.get("/refused", &[]).status(), 503);
        }
        // A period ends within the record.
        thread::sleep(Duration::from_secs(1));
        assert_eq!(forwarded(&upstream), paths, "what got 503 was forwarded");

        fs::remove_file(&filler).unwrap();
        serves_again(&running, "/again");
        paths.insert("/again".to_owned());
        paths.extend(ask(&running, 0..300));
        assert!(recorded(&mut running, &directory) == paths, "only what was refused may have no record");
        let all = names(&directory);
        assert!(all.len() > full.len(), "it is rotated again: {all:?}");
        for name in all {
            let length = fs::metadata(directory.join(&name)).unwrap().len();
            assert!(length <= 65_536, "{name}: {length}");
        }
        drop((disk, running));
    }
}

#[test]
fn a_directory_that_takes_no_other_file_costs_no_record_and_no_request() {
    let upstream = Recorder::start(true);
    let keyward = keyward(&upstream, "sink: file, path: disk/audit.log, rotate: {max_bytes: 65536}");
    let directory = keyward.path("disk");
    // Room for the directory itself, the log and two that were rotated.
    let Some(disk) = SmallDisk::mount(&directory, "size=64m,nr_inodes=4") else { return };
    let mut running = keyward.start();
    let mut paths = ask(&running, 0..1000);
    running.until("every record", |running| running.metric("keyward_audit_records_written_total") == Some(1000.0));
    assert_eq!(names(&directory).len(), 3);
    assert!(fs::metadata(directory.join("audit.log")).unwrap().len() > 65_536, "records go on into the same file");
    assert_eq!(running.metric("keyward_audit_failing"), Some(0.0));
    assert!(running.log().contains("the audit log cannot be rotated"), "{}", running.log());

    // Somebody takes one elsewhere, which makes room for another.
    let oldest = names(&directory).remove(0);
    fs::copy(directory.join(&oldest), running.path(&oldest)).unwrap();
    fs::remove_file(directory.join(&oldest)).unwrap();
    let next = Cell::new(paths.len());
    running.until("a rotation", |running| {
        ask(running, next.get()..next.get() + 1);
        next.set(next.get() + 1);
        running.log().contains("the audit log is rotated again")
    });
    paths.extend((paths.len()..next.get()).map(|number| format!("/{number}")));
    let (elsewhere, _) = served(&records(&running.path(""), &[oldest]));
    assert!(!elsewhere.is_empty());
    let here = recorded(&mut running, &directory);
    assert!(here.is_disjoint(&elsewhere));
    assert_eq!(here.union(&elsewhere).cloned().collect::<BTreeSet<_>>(), paths);
    drop((disk, running));
}
