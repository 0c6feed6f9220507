//! `serve.proxy.limits.queue_time`: a core with more to do than it can.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::load::{COSTLY, Callers, Outcome};
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::{scripted, wire};

use super::{keyward, keyward_with};

/// Few enough for a machine of any kind, many enough that together they take longer than the core may be late.
const CONNECTIONS: u32 = 100;
/// What the server may grow by under load, in KiB. Its connections are open before.
const GROWTH: u64 = 32 * 1024;

/// An upstream that answers at once, and counts.
fn counting() -> (u16, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let port = scripted::upstream(move |stream| {
        let mut reader = BufReader::new(&stream);
        while let Ok(Some(_)) = wire::read_request(&mut reader) {
            count.fetch_add(1, Ordering::Relaxed);
            if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    });
    (port, seen)
}

/// One core, which is behind when something waits for 20 ms.
fn behind_at_once(upstream: u16) -> Running {
    let keyward = keyward_with(upstream, COSTLY);
    keyward.env("SERVE_PROXY_WORKERS", "1").env("SERVE_PROXY_LIMITS_QUEUE_TIME", "20ms").start()
}

/// Nothing but 200, and 503 with `Retry-After`; so many of both.
fn answers(outcome: &Outcome) -> (usize, usize) {
    assert!(outcome.others.is_empty(), "{:?}", outcome.others);
    let (served, shed) = (outcome.served.count(), outcome.shed.count());
    assert_eq!(outcome.offered, (served + shed) as u64 + outcome.held_back);
    (served, shed)
}

#[test]
fn a_core_with_three_times_what_it_can_serve_serves_or_says_no_and_recovers() {
    let (upstream, seen) = counting();
    let running = behind_at_once(upstream);
    let mut few = Callers::connect(running.proxy, "/x", 4).unwrap();
    let mut many = Callers::connect(running.proxy, "/x", CONNECTIONS).unwrap();
    // What it can do, and every connection used once.
    let second = Duration::from_secs(1);
    let (capacity, shed) = answers(&few.call(None, second));
    let first = answers(&many.call(Some(f64::from(CONNECTIONS)), second));
    let idle = running.resident_kib();

    let rate = 3.0 * (capacity + shed) as f64;
    let under_load = answers(&many.call(Some(rate), 5 * second));
    let grown = running.resident_kib().saturating_sub(idle);
    assert!(grown < GROWTH, "{grown} KiB");

    // The load goes, and with it, soon, the share that is turned away.
    let (mut calm, mut after) = (0, (0, 0));
    for _ in 0..2000 {
        let (served, shed) = answers(&few.call_once());
        after = (after.0 + served, after.1 + shed);
        calm = if shed == 0 { calm + 1 } else { 0 };
        if calm == 20 {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(calm, 20, "requests are still turned away");
    println!("served and shed: {under_load:?}; {grown} KiB");
    let all = [(capacity, shed), first, under_load, after];
    let served: usize = all.iter().map(|phase| phase.0).sum();
    let shed: usize = all.iter().map(|phase| phase.1).sum();
    assert_eq!(seen.load(Ordering::Relaxed), served, "what was answered with 200, and nothing else, went upstream");
    let counted = running.metric("keyward_requests_shed_total{reason=\"queue\"}").unwrap();
    let connections = running.metric("keyward_connections_shed_total{reason=\"queue\"}").unwrap();
    assert_eq!(counted + connections, shed as f64);
    assert_eq!(running.metric("keyward_requests_in_flight "), Some(0.0));
    running.audit(served + counted as usize);
}

/// Everything is there at once, however fast the machine and the callers are: four thousand requests of some milliseconds,
/// forty on each connection, which came while the process was stopped.
#[test]
fn a_core_that_is_behind_for_seconds_says_no_to_some() {
    const EACH: usize = 40;
    let (upstream, seen) = counting();
    let running = behind_at_once(upstream);
    let connect = |_| {
        let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(6 * PATIENCE)).unwrap();
        stream
    };
    let mut callers: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    let all_accepted = f64::from(CONNECTIONS);
    running.until("all connections", |running| running.metric("keyward_connections ") == Some(all_accepted));
    running.signal("STOP");
    let requests = format!("GET /x HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", running.proxy).repeat(EACH);
    callers.iter_mut().for_each(|caller| caller.write_all(requests.as_bytes()).unwrap());
    running.signal("CONT");
    let mut statuses = Vec::new();
    for caller in callers {
        let mut reader = BufReader::new(caller);
        for _ in 0..EACH {
            let answer = wire::read_response(&mut reader, false).unwrap();
            assert_eq!(answer.header("retry-after"), (answer.status() == 503).then_some("1"));
            statuses.push(answer.status());
        }
    }
    let [served, shed] = [200, 503].map(|status| statuses.iter().filter(|own| **own == status).count());
    assert_eq!(served + shed, statuses.len(), "something else than 200 and 503");
    assert!(shed > 0);
    println!("{served} served, {shed} shed");
    assert_eq!(seen.load(Ordering::Relaxed), served);
    assert_eq!(running.metric("keyward_requests_shed_total{reason=\"queue\"}"), Some(shed as f64));
    running.audit(statuses.len());
    running.until("a warning", |running| running.log().contains("serve.proxy.limits.queue_time"));
}

/// A process that was stopped is behind once, and has nothing to say no to.
#[test]
fn a_process_that_was_stopped_for_a_while_turns_nothing_away() {
    let (upstream, _) = counting();
    let running = keyward(upstream).env("SERVE_PROXY_WORKERS", "1").env("SERVE_PROXY_LIMITS_QUEUE_TIME", "1s").start();
    let mut callers = Callers::connect(running.proxy, "/x", 20).unwrap();
    thread::scope(|scope| {
        let calls = scope.spawn(|| callers.call(Some(100.0), Duration::from_secs(5)));
        thread::sleep(Duration::from_secs(1));
        running.signal("STOP");
        thread::sleep(Duration::from_secs(3));
        running.signal("CONT");
        let (served, shed) = answers(&calls.join().unwrap());
        assert!(served > 0);
        assert_eq!(shed, 0);
    });
}
