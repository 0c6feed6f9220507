//! `serve.proxy.limits.connections`: who comes too many is told, and the others go on.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::wire;

use super::keyward;

const LIMIT: usize = 20;
const OFFERED: usize = 3 * LIMIT;

/// A connection that can ask again.
type Ask = Box<dyn FnMut() -> u16>;

/// Connects and asks for the first time: status, `Retry-After`, and how to ask again. Over TLS, who is turned away sees
/// the end and nothing else: status 0.
fn plain(port: u16) -> (u16, Option<String>, Ask) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut ask = move || {
        // Who has been turned away may not be able to send any more; the answer is there all the same.
        let _ = stream.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        wire::read_response(&mut reader, false).unwrap()
    };
    let first = ask();
    (first.status(), first.header("retry-after").map(str::to_owned), Box::new(move || ask().status()))
}

/// Connects so many times at once. Those that are let in stay until everybody has had an answer; then they ask again.
fn offer(running: &Running, connect: impl Fn(u16) -> (u16, Option<String>, Ask) + Sync) -> Vec<(u16, Option<String>)> {
    let (all_told, (sender, told)) = (Barrier::new(OFFERED), channel());
    thread::scope(|scope| {
        for _ in 0..OFFERED {
            let (sender, connect, all_told) = (sender.clone(), &connect, &all_told);
            scope.spawn(move || {
                let (status, retry_after, mut ask) = connect(running.proxy);
                all_told.wait();
                if status == 200 {
                    assert_eq!(ask(), 200);
                }
                sender.send((status, retry_after)).unwrap();
            });
        }
    });
    drop(sender);
    told.iter().collect()
}

/// Nobody is connected: not even who saw it start.
fn until_empty(running: &Running) {
    running.until("the end of all connections", |running| running.metric("keyward_connections ") == Some(0.0));
}

fn count(told: &[(u16, Option<String>)], status: u16, retry_after: Option<&str>) -> usize {
    told.iter().filter(|(own, after)| (*own, after.as_deref()) == (status, retry_after)).count()
}

#[test]
fn of_three_times_as_many_connections_as_may_be_open_exactly_those_are_served() {
    let authority = Authority::new();
    let trusts = authority.client(&[b"http/1.1"]);
    let over_tls = |port: u16| -> (u16, Option<String>, Ask) {
        let Ok(mut client) = TlsClient::connect(port, &trusts, PATIENCE) else { return (0, None, Box::new(|| 0)) };
        let first = client.get("/x", "h").unwrap();
        let again = move || client.get("/x", "h").unwrap().status();
        (first.status(), first.header("retry-after").map(str::to_owned), Box::new(again))
    };
    for tls in [false, true] {
        let recorder = Recorder::start(true);
        let mut keyward = keyward(recorder.port).env("SERVE_PROXY_LIMITS_CONNECTIONS", &LIMIT.to_string());
        if tls {
            keyward = keyward.with_tls(&authority);
        }
        let running = keyward.start();
        for round in 1..=2 {
            until_empty(&running);
            let told = if tls { offer(&running, over_tls) } else { offer(&running, plain) };
            let refused = if tls { count(&told, 0, None) } else { count(&told, 503, Some("1")) };
            assert_eq!((count(&told, 200, None), refused), (LIMIT, OFFERED - LIMIT), "TLS: {tls}: {told:?}");
            let shed = (round * (OFFERED - LIMIT)) as f64;
            assert_eq!(running.metric("keyward_connections_shed_total{reason=\"open\"}"), Some(shed));
            assert_eq!(recorder.take().len(), 2 * LIMIT);
        }
        running.audit(4 * LIMIT);
        running.until("a warning", |running| running.log().contains("serve.proxy.limits.connections"));
    }
}
