//! A limit on memory that the kernel enforces: requests are turned away before it is reached, and the process lives.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::thread;

use keyward_testkit::process::PATIENCE;
use keyward_testkit::scripted::{read_head, upstream};

use crate::{Caller, keyward, metric};

const LIMIT: &str = "134217728";
/// Requests that may be in flight: at half a MiB each they leave room for the rest.
const REQUESTS: usize = 120;
const UPLOADS: usize = 200;
const SLOW_HEADS: usize = 150;

/// A group of processes with a limit on memory, where one can be made.
struct Group(PathBuf);

impl Group {
    fn make() -> Option<Self> {
        let name = format!("keyward-test-{}", std::process::id());
        // The older way, where memory has a tree of its own, and the newer one.
        let ways = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        ways.into_iter().find_map(|(tree, limit)| {
            let group = Path::new(tree).join(&name);
            fs::create_dir(&group).ok()?;
            let group = Self(group);
            // Without the file there is no such limit here, and none is made.
            let mut limit = fs::OpenOptions::new().write(true).open(group.0.join(limit)).ok()?;
            limit.write_all(LIMIT.as_bytes()).ok()?;
            Some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty by now; what is left of it is a directory.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Reads no body, until the other side goes.
fn stuck() -> u16 {
    upstream(|mut stream| {
        if read_head(&mut stream).starts_with("GET") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").unwrap();
        } else {
            thread::sleep(6 * PATIENCE);
        }
    })
}

#[test]
fn under_a_limit_on_memory_uploads_are_turned_away_and_the_process_lives() {
    let Some(group) = Group::make() else {
        return eprintln!("SKIPPED: no limit on memory can be set here");
    };
    let join = format!("echo $$ > {}/cgroup.procs", group.0.display());
    let running = keyward(stuck()).env("SERVE_PROXY_LIMITS_REQUESTS", &REQUESTS.to_string()).after(&join).start();
    let mut slow: Vec<Caller> = (0..SLOW_HEADS).map(|_| Caller::connect(running.proxy).unwrap()).collect();
    slow.iter_mut().for_each(|caller| caller.stream.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\nX-Slow: ").unwrap());
    let (uploads, ends): (Vec<_>, Vec<_>) = (0..UPLOADS)
        .map(|_| {
            let mut caller = Caller::connect(running.proxy).unwrap();
            let end = caller.stream.try_clone().unwrap();
            let upload = thread::spawn(move || {
                let head = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n";
                let _ = caller.stream.write_all(head);
                // As much as anybody takes.
                while caller.stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
            });
            (upload, end)
        })
        .unzip();
    let shed = "keyward_requests_shed_total{reason=\"in_flight\"}";
    running.until("turning the rest away", |running| metric(running, shed) >= (UPLOADS - REQUESTS) as f64);
    running.until("being full", |running| metric(running, "keyward_requests_in_flight ") == REQUESTS as f64);
    println!("{} KiB", running.resident_kib());
    assert_eq!(running.api("/health/alive").unwrap().status(), 200, "{}", running.log());
    // Once those leave, others are served.
    drop(slow);
    ends.into_iter().for_each(|end| end.shutdown(Shutdown::Both).unwrap());
    uploads.into_iter().for_each(|upload| upload.join().unwrap());
    running.until("an honest answer", |running| running.get("/x", &[]).status() == 200);
}
