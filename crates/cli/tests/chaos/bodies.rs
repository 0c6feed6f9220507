//! Bodies far larger than memory should be, and readers slower than what sends them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};

use crate::{Caller, keyward};

const BODY: u64 = 512 << 20;
/// Read before the reader pauses.
const BEGINNING: u64 = 1 << 20;
/// What lies between a sender and a reader who pauses: the buffers of four sockets and of the server.
const BETWEEN: u64 = 48 << 20;
/// What one stream may make the server grow by.
const GROWTH_KIB: u64 = 4 * 1024;
static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// Sends a whole body, and counts what was taken.
fn send(stream: &mut impl Write, sent: &AtomicU64) {
    for _ in 0..BODY / PIECE.len() as u64 {
        stream.write_all(&PIECE).unwrap();
        sent.fetch_add(PIECE.len() as u64, Ordering::Relaxed);
    }
}

/// Reads a beginning, pauses until the sender has stopped, and reads the rest; the whole length.
fn read_with_a_pause(stream: &mut impl Read, sent: &AtomicU64) -> u64 {
    let mut read = std::io::copy(&mut stream.by_ref().take(BEGINNING), &mut std::io::sink()).unwrap();
    let (mut last, mut quiet) = (0, 0);
    while quiet < 5 {
        thread::sleep(Duration::from_millis(100));
        let now = sent.load(Ordering::Relaxed);
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
    assert!(last < BEGINNING + BETWEEN, "the sender got rid of {last} bytes");
    read += std::io::copy(&mut stream.take(BODY - BEGINNING), &mut std::io::sink()).unwrap();
    read
}

/// The most memory that it has had in use, in KiB.
fn peak_kib(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// With one small request served, so that what every request makes use of is there.
fn warm(port: u16) -> (Running, u64) {
    let running = keyward(port).start();
    assert_eq!(running.get("/small", &[]).status(), 200);
    let before = peak_kib(&running);
    (running, before)
}

fn check(running: &Running, before: u64, member: &str) {
    let growth = peak_kib(running) - before;
    println!("{member}: {growth} KiB");
    assert!(growth < GROWTH_KIB, "{growth} KiB");
    assert_eq!(running.audit(2)[1][member], BODY);
}

#[test]
fn a_download_of_512_mib_takes_little_memory_and_waits_for_its_reader() {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    let port = upstream(move |mut stream| {
        loop {
            let head = read_head(&mut stream);
            if head.starts_with("GET /large") {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
                send(&mut stream, &counted);
            } else if head.is_empty() || stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let (running, before) = warm(port);
    let mut caller = Caller::connect(running.proxy).unwrap();
    caller.send("/large").unwrap();
    let head = read_head(&mut caller.stream);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(read_with_a_pause(&mut caller.stream, &sent), BODY);
    check(&running, before, "bytes_out");
}

#[test]
fn an_upload_of_512_mib_takes_little_memory_and_waits_for_its_reader() {
    let sent = Arc::new(AtomicU64::new(0));
    let seen = sent.clone();
    let port = upstream(move |mut stream| {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            let head = read_head(&mut stream);
            let read = if head.starts_with("POST") { read_with_a_pause(&mut stream, &seen) } else { 0 };
            let read = read.to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{read}", read.len());
            if head.is_empty() || stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let (running, before) = warm(port);
    let mut caller = Caller::connect(running.proxy).unwrap();
    write!(caller.stream, "POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
    send(&mut caller.stream, &sent);
    let answer = caller.answer().unwrap();
    assert_eq!((answer.status(), answer.text()), (200, BODY.to_string()));
    check(&running, before, "bytes_in");
}
