//! Audit sinks that take nothing more: under `block` nothing is forwarded that is not recorded, under `drop` what is lost
//! is counted.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::disk::SmallDisk;
use keyward_testkit::process::{Keyward, Running};
use serde_json::Value;

use crate::{Caller, keyward, metric};

/// Requests, at most, until a sink is full.
const MANY: usize = 20_000;
/// The largest file, where that is limited: some MiB, and more than what is on its way when it is full.
const FILE_BLOCKS: u32 = 2048;
/// Long, so that few records fill much.
const PATH_LENGTH: usize = 1500;

/// Asks until an answer is 503; how many were served. Each is told apart by its path.
fn fill(running: &Running, first: usize) -> usize {
    let mut caller = Caller::connect(running.proxy).unwrap();
    for number in first..MANY {
        let answer = caller.ask(&path(number)).unwrap();
        if answer.status() != 200 {
            assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")), "{number}");
            return number - first;
        }
    }
    panic!("{MANY} requests were served")
}

fn path(number: usize) -> String {
    format!("/{number:0>PATH_LENGTH$}")
}

/// The paths of what was forwarded, as the records in these files tell, and the lines that are no record.
fn recorded(files: &[&Path]) -> (BTreeSet<String>, Vec<Value>, Vec<String>) {
    let (mut paths, mut gaps, mut torn) = (BTreeSet::new(), Vec::new(), Vec::new());
    for line in files.iter().flat_map(|file| lines(&fs::read(file).unwrap())) {
        match serde_json::from_str::<Value>(&line) {
            Ok(record) if record["outcome"] == "allowed" => {
                assert!(paths.insert(record["path"].as_str().unwrap().to_owned()), "twice: {record}");
            }
            Ok(record) if record["audit"] == "gap" => gaps.push(record),
            Ok(_) => {}
            Err(_) => torn.push(line),
        }
    }
    (paths, gaps, torn)
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn forwarded(upstream: &Recorder) -> BTreeSet<String> {
    upstream.take().iter().map(|request| request["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_disk_that_fills_up_stops_requests_until_there_is_room_and_loses_no_record() {
    let upstream = Recorder::start(true);
    let keyward = keyward(upstream.port);
    let directory = keyward.path("disk");
    let Some(disk) = SmallDisk::mount(&directory, "size=8m") else { return };
    let (log, filler) = (directory.join("audit.log"), directory.join("filler"));
    fs::write(&filler, vec![b'x'; 7 << 20]).unwrap();
    let running = keyward.env("AUDIT_PATH", &log.display().to_string()).start();
    let first = fill(&running, 0);
    assert!(metric(&running, "keyward_requests_shed_total{reason=\"audit\"}") >= 1.0);
    assert!(running.log().contains("audit records cannot be written"), "{}", running.log());
    assert_eq!(running.api("/health/alive").unwrap().status(), 200);
    assert_eq!(running.get(&path(MANY), &[]).status(), 503);
    let mut before = forwarded(&upstream);
    assert_eq!(before.len(), first, "what got 503 was forwarded");

    fs::remove_file(&filler).unwrap();
    running.until("writing again", |running| running.get("/again", &[]).status() == 200);
    running.until("every record", |_| recorded(&[&log]).0.len() == first + 1);
    before.extend(forwarded(&upstream));
    let (paths, gaps, torn) = recorded(&[&log]);
    assert_eq!((paths, gaps.len(), torn.len()), (before, 0, 0));
    assert_eq!(metric(&running, "keyward_audit_records_lost_total"), 0.0);
    drop((disk, running));
}

/// The way out where no room can be made: the log is moved away, and SIGHUP begins another.
fn rotate(running: &Running) {
    fs::rename(running.path("audit.log"), running.path("audit.log.1")).unwrap();
    running.signal("HUP");
    running.until("a new log", |running| running.path("audit.log").exists());
}

#[test]
fn a_log_that_cannot_grow_is_gone_on_with_in_another_file_without_a_gap() {
    let upstream = Recorder::start(true);
    let running = keyward(upstream.port).with_full_disk(FILE_BLOCKS).start();
    let served = fill(&running, 0);
    rotate(&running);
    let files = [running.path("audit.log.1"), running.path("audit.log")];
    let files = files.each_ref().map(|file| &**file);
    running.until("every record", |_| recorded(&files).0.len() == served);
    let (paths, gaps, torn) = recorded(&files);
    assert_eq!((paths, gaps.len()), (forwarded(&upstream), 0));
    assert!(torn.len() <= 1, "{} lines are torn", torn.len());
    assert_eq!(metric(&running, "keyward_audit_records_lost_total"), 0.0);
    assert_eq!(running.get("/again", &[]).status(), 200);
}

#[test]
fn under_drop_requests_go_on_and_the_log_says_how_many_records_are_missing() {
    let upstream = Recorder::start(true);
    let running = keyward(upstream.port).env("AUDIT_POLICY", "drop").with_full_disk(FILE_BLOCKS).start();
    let mut caller = Caller::connect(running.proxy).unwrap();
    let mut asked = 0;
    let mut ask = |caller: &mut Caller| {
        assert_eq!(caller.ask(&path(asked)).unwrap().status(), 200);
        asked += 1;
    };
    while metric(&running, "keyward_audit_records_lost_total") < 50.0 {
        (0..100).for_each(|_| ask(&mut caller));
    }
    rotate(&running);
    running.until("a gap that is told", |running| {
        fs::read_to_string(running.path("audit.log")).unwrap().contains("\"audit\":\"gap\"")
    });
    (0..10).for_each(|_| ask(&mut caller));
    let files = [running.path("audit.log.1"), running.path("audit.log")];
    let files = files.each_ref().map(|file| &**file);
    running.until("every record", |running| {
        metric(running, "keyward_audit_records_written_total") + metric(running, "keyward_audit_records_lost_total")
            >= asked as f64
    });
    let (paths, gaps, _) = recorded(&files);
    let lost: u64 = gaps.iter().map(|gap| gap["lost"].as_u64().unwrap()).sum();
    assert_eq!(paths.len() + usize::try_from(lost).unwrap(), asked);
    assert!(paths.contains(&path(asked - 1)));
    assert_eq!(forwarded(&upstream).len(), asked);
}

fn with_pipe(upstream: &Recorder) -> (Keyward, std::path::PathBuf) {
    let keyward = keyward(upstream.port).env("SERVE_PROXY_WORKERS", "1");
    let pipe = keyward.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    (keyward.env("AUDIT_PATH", &pipe.display().to_string()), pipe)
}

/// Opens the end of a pipe from which it is read, whether anybody writes or not.
fn reading(pipe: &Path) -> File {
    const O_NONBLOCK: i32 = 0o4000;
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(pipe).unwrap()
}

/// A sink that is slow without an error: a pipe whose reader pauses.
#[test]
fn a_reader_that_pauses_stops_requests_and_gets_every_record_later() {
    let upstream = Recorder::start(true);
    let (keyward, pipe) = with_pipe(&upstream);
    let mut reader = reading(&pipe);
    let mut running = keyward.start();
    let served = fill(&running, 0);
    assert_eq!(running.api("/health/alive").unwrap().status(), 200);
    let expected = forwarded(&upstream);
    assert_eq!(expected.len(), served);
    let rest = thread::spawn(move || {
        let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return text,
                Ok(count) => text.extend_from_slice(&buffer[..count]),
                Err(_) => thread::sleep(std::time::Duration::from_millis(5)),
            }
        }
    });
    running.until("serving again", |running| running.get("/again", &[]).status() == 200);
    running.signal("TERM");
    assert!(running.wait().success());
    let text = rest.join().unwrap();
    fs::write(running.path("read"), text).unwrap();
    let (mut paths, _, torn) = recorded(&[&running.path("read")]);
    assert!(paths.remove("/again"));
    assert_eq!((paths, torn.len()), (expected, 0));
}

/// To open such a pipe would take until somebody reads. It is refused instead, as a file is that cannot be written.
#[test]
fn a_pipe_that_nobody_reads_holds_up_neither_a_start_nor_a_reload() {
    let upstream = Recorder::start(true);
    let (keyward, _) = with_pipe(&upstream);
    let mut refused = keyward.launch();
    assert!(!refused.wait().success());
    assert!(refused.log().contains("`audit.path`: nobody reads the pipe"), "{}", refused.log());

    let (keyward, pipe) = with_pipe(&upstream);
    let reader = reading(&pipe);
    let mut running = keyward.start();
    assert_eq!(running.get("/x", &[]).status(), 200);
    drop(reader);
    running.signal("HUP");
    running.until("refusing it", |running| running.log().contains("nobody reads the pipe"));
    assert_eq!(running.api("/health/alive").unwrap().status(), 200);
    running.until("a refusal", |running| running.get("/x", &[]).status() == 503);
    let _reader = reading(&pipe);
    running.until("serving again", |running| running.get("/x", &[]).status() == 200);
    running.signal("TERM");
    assert!(running.wait().success());
}
