//! What a panic quotes gets into nothing. The core runs in a process of its own, whose log is all that it prints.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyward_server::metrics::exposition::Exposition;
use keyward_server::telemetry;
use keyward_testkit::canaries::{Canaries, assert_clean};
use keyward_testkit::http2_frames::{END_STREAM, Frame, PREFACE, headers, settings};
use keyward_testkit::process::PATIENCE;
use keyward_testkit::wire::read_response;

use crate::stage::Core;

/// Where that process finds its directory.
const DIRECTORY: &str = "KEYWARD_TEST_PANICS";
const REQUESTS: [&str; 2] = ["/at-once", "/later"];

/// Serves until nobody has anything to say any more.
fn serve(directory: &Path) {
    let core = Core::start(directory, |settings| telemetry::start(settings.log));
    // Renamed, so that it is read whole.
    fs::write(directory.join("port.new"), core.port.to_string()).unwrap();
    fs::rename(directory.join("port.new"), directory.join("port")).unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    fs::write(directory.join("metrics"), core.metrics.render(Exposition::Prometheus)).unwrap();
    core.end();
}

#[test]
fn nothing_that_a_panic_quotes_is_told() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return serve(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let log = fs::File::create(path("log")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leaks::nothing_that_a_panic_quotes_is_told", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !path("port").exists() {
        assert!(begun.elapsed() < PATIENCE, "it does not serve: {}", fs::read_to_string(path("log")).unwrap());
        std::thread::sleep(Duration::from_millis(10));
    }
    let port = fs::read_to_string(path("port")).unwrap().parse().unwrap();
    let canaries = Canaries::default();
    for target in REQUESTS {
        ask(port, target, &canaries);
        ask_over_http2(port, target, &canaries);
    }
    for file in ["cmdline", "comm", "status"] {
        let shown = fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
        assert_clean(&canaries, file, &shown, false);
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{}", fs::read_to_string(path("log")).unwrap());
    for file in ["log", "metrics", "audit.log"] {
        assert_clean(&canaries, file, &fs::read(path(file)).unwrap(), false);
    }
    let told = |file| fs::read_to_string(path(file)).unwrap();
    let panics = told("log").lines().filter(|line| line.contains("\"panic\"") && line.contains("stage.rs:")).count();
    assert_eq!(panics, 4, "{}", told("log"));
    assert!(told("metrics").contains("keyward_panics_total 4"), "{}", told("metrics"));
    assert_eq!(told("audit.log").matches("\"status\":500").count(), 4, "{}", told("audit.log"));
}

fn ask(port: u16, target: &str, canaries: &Canaries) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = canaries.filled(&format!(
        "GET {target}?key=«%query» HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer «token»\r\nCookie: sid=«cookie»\r\n\
         X-Api-Key: «key»\r\n\r\n"
    ));
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_response(&mut BufReader::new(stream), false).unwrap();
    assert_eq!(answer.status(), 500);
    let whole = format!("{} {:?} {}", answer.start, answer.headers, answer.text());
    assert_clean(canaries, target, whole.as_bytes(), false);
}

fn ask_over_http2(port: u16, target: &str, canaries: &Canaries) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let [path, token, cookie] = [format!("{target}?key=«%query»"), "Bearer «token»".into(), "sid=«cookie»".into()]
        .map(|text: String| canaries.filled(&text));
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", &path),
        ("authorization", &token),
        ("cookie", &cookie),
    ];
    stream.write_all(&[PREFACE, &settings(&[(1, 0)]), &headers(1, END_STREAM, &fields)].concat()).unwrap();
    let mut came = Vec::new();
    loop {
        let frame = Frame::read(&mut stream).unwrap();
        if frame.stream == 1 && came.is_empty() {
            assert_eq!(frame.status(), 500);
        }
        if frame.stream == 1 {
            came.extend_from_slice(&frame.payload);
            if frame.has(END_STREAM) {
                break;
            }
        }
    }
    assert_clean(canaries, target, &came, false);
}
