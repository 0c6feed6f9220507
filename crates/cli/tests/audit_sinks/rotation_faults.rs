//! Rotations that cannot be done: records go on into the file that is there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use keyward_testkit::conformance::recorder::Recorder;

use crate::rotation::{all, names};
use crate::{ask, keyward};

const TOLD: &str = "the audit log cannot be rotated";

/// Has a process do without root's right to write everywhere.
const WITHOUT_RIGHTS: [&str; 2] = ["--bounding-set=-dac_override", "--inh-caps=-dac_override"];

#[test]
fn a_directory_that_is_not_writable_costs_no_record_and_is_told_of_now_and_then() {
    let tried = Command::new("setpriv").args(WITHOUT_RIGHTS).arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: root's rights cannot be given up here");
    }
    let upstream = Recorder::start(true);
    let keyward = keyward(&upstream, "sink: file, path: logs/audit.log, rotate: {max_bytes: 65536}");
    let log = keyward.write("logs/audit.log", "");
    let directory = log.parent().unwrap().to_owned();
    let running = keyward.after(&format!("exec setpriv {} \"$0\" \"$@\"", WITHOUT_RIGHTS.join(" "))).start();
    fs::set_permissions(&directory, Permissions::from_mode(0o555)).unwrap();
    let written = |expected: f64| {
        running
            .until("every record", |running| running.metric("keyward_audit_records_written_total") == Some(expected));
    };
    for round in 0..10 {
        ask(&running, round * 100..round * 100 + 100);
    }
    written(1000.0);
    assert_eq!(names(&directory), ["audit.log"]);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1000);
    let told = running.log().matches(TOLD).count();
    assert!((1..10).contains(&told), "{told}:\n{}", running.log());
    assert_eq!(running.metric("keyward_audit_records_lost_total"), Some(0.0));

    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    running.until("a rotation", |running| {
        ask(running, 1000..1001);
        names(&directory).len() == 2
    });
    assert!(running.log().contains("the audit log is rotated again"), "{}", running.log());
}

#[test]
fn what_is_no_file_is_not_rotated_and_says_so_at_the_start() {
    let upstream = Recorder::start(true);
    let mut refused = keyward(&upstream, "sink: file, path: /dev/null, rotate: {every: 24h}").launch();
    assert!(!refused.wait().success());
    assert!(refused.log().contains("`audit.rotate`: only a file can be rotated"), "{}", refused.log());
}

#[test]
fn a_link_stays_where_it_is_and_the_file_behind_it_is_rotated() {
    let upstream = Recorder::start(true);
    let keyward = keyward(&upstream, "sink: file, path: link, rotate: {max_bytes: 65536}");
    std::os::unix::fs::symlink(keyward.path("audit.log"), keyward.path("link")).unwrap();
    let running = keyward.start();
    let asked = ask(&running, 0..500);
    let (names, paths) = all(&running, 500);
    assert_eq!(paths, asked);
    assert!(names.len() >= 3, "{names:?}");
    assert!(fs::symlink_metadata(running.path("link")).unwrap().file_type().is_symlink());
}
