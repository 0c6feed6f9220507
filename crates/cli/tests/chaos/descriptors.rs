//! More callers than the process may have descriptors.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Running;

use crate::{Caller, keyward, metric};

const CROWD: usize = 600;
const WATCHED: Duration = Duration::from_secs(2);

/// The CPU time that the process has used, in hundredths of a second.
fn cpu_ticks(running: &Running) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.id())).unwrap();
    // The name in brackets may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

fn crowd(port: u16) -> Vec<TcpStream> {
    (0..CROWD).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect()
}

/// Neither the processor nor the log is used up while nothing can be done.
fn is_calm(running: &Running) {
    let (begun, used, said) = (Instant::now(), cpu_ticks(running), running.log().lines().count());
    thread::sleep(WATCHED);
    let (used, said) = (cpu_ticks(running) - used, running.log().lines().count() - said);
    let most = u64::try_from(begun.elapsed().as_millis() / 10 / 5).unwrap();
    assert!(used <= most, "{used} of at most {most} hundredths of a second");
    assert!(said <= 10, "{said} lines:\n{}", running.log());
}

/// Callers get as many as leave some to those who look after the server.
#[test]
fn a_crowd_takes_up_no_descriptor_that_the_api_needs() {
    let upstream = Recorder::start(true);
    let running = keyward(upstream.port).env("SERVE_PROXY_WORKERS", "2").after("ulimit -n 128").start();
    assert!(running.log().contains("the process may open too few files"), "{}", running.log());
    running.until("quiet", |running| metric(running, "keyward_connections ") == 0.0);
    let before = running.open_files();
    let crowd = crowd(running.proxy);
    let shed = "keyward_connections_shed_total{reason=\"open\"}";
    running.until("turning most away", |running| metric(running, shed) >= CROWD as f64 / 2.0);
    is_calm(&running);
    for path in ["/health/alive", "/health/ready", "/metrics"] {
        assert_eq!(running.api(path).unwrap().status(), 200, "{path}");
    }
    drop(crowd);
    running.until("an honest answer", |running| running.get("/x", &[]).status() == 200);
    running.until("closing what is not used", |running| running.open_files() <= before + 4);
}

/// Where none is left, by whatever they are taken up, it waits for one.
#[test]
fn out_of_descriptors_it_neither_ends_nor_spins_and_serves_again_afterwards() {
    let upstream = Recorder::start(true);
    let running = keyward(upstream.port).env("SERVE_PROXY_WORKERS", "2").after("ulimit -n 64").start();
    let others = crowd(running.api);
    running.until("as many descriptors as may be", |running| running.open_files() >= 63);
    // They wait, and so do these.
    let callers = crowd(running.proxy);
    is_calm(&running);
    drop((others, callers));
    running.until("an honest answer", |running| running.get("/x", &[]).status() == 200);
    assert_eq!(running.api("/health/alive").unwrap().status(), 200);
}

/// Those who are served need descriptors for the way to the upstream, too.
#[test]
fn a_crowd_that_asks_is_served_or_told_so_with_few_descriptors() {
    let upstream = Recorder::start(true);
    let running = keyward(upstream.port).after("ulimit -n 128").start();
    let mut crowd: Vec<Caller> = (0..CROWD).filter_map(|_| Caller::connect(running.proxy).ok()).collect();
    // Whoever was turned away may have been reset.
    crowd.iter_mut().for_each(|caller| drop(caller.send("/x")));
    // Each leaves when it has been told.
    let answers = crowd.into_iter().filter_map(|mut caller| caller.answer().ok());
    let statuses: Vec<u16> = answers.map(|answer| answer.status()).collect();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 502 | 503)), "{statuses:?}");
    assert!(statuses.contains(&200));
    running.until("an honest answer", |running| running.get("/x", &[]).status() == 200);
    assert_eq!(metric(&running, "keyward_panics_total"), 0.0);
}
