//! Callers who leave at any point: what they asked for is given up, and nothing of them stays.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::scripted::{read_head, upstream};

use crate::{Caller, keyward, metric};

const ROUNDS: usize = 200;
const AT_A_TIME: usize = 8;

/// Where a caller leaves: what it sends before, and how many bytes of the answer it reads.
const POINTS: [(&str, usize); 8] = [
    ("", 0),
    ("GET /x HT", 0),
    ("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 0),
    ("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 20),
    ("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 4000),
    // Nothing shows that this one has gone but the end of its connection.
    ("GET /never HTTP/1.1\r\nHost: h\r\n\r\n", 0),
    ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc", 0),
    ("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\na", 0),
];

/// Counts its connections; answers some requests slowly and much, for as long as somebody takes it, and others never.
fn slow(open: &Arc<AtomicUsize>) -> u16 {
    let open = open.clone();
    upstream(move |mut stream| {
        open.fetch_add(1, Ordering::SeqCst);
        loop {
            let head = read_head(&mut stream);
            if head.starts_with("GET /whole") {
                thread::sleep(Duration::from_millis(2));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                continue;
            }
            let is_silent = head.starts_with("POST") || head.starts_with("GET /never");
            if head.is_empty() || is_silent && stream.read_to_end(&mut Vec::new()).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
            while stream.write_all(&[b'x'; 1000]).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
            break;
        }
        open.fetch_sub(1, Ordering::SeqCst);
    })
}

/// One that leaves; however it does, the server may be faster.
fn vanish(port: u16, number: usize) {
    let (sent, read) = POINTS[number % POINTS.len()];
    let mut caller = Caller::connect(port).unwrap();
    caller.stream.write_all(sent.as_bytes()).unwrap();
    // In no step with the upstream, which takes five milliseconds.
    thread::sleep(Duration::from_micros(number as u64 * 1777 % 9000));
    let _ = caller.stream.read_exact(&mut vec![0; read]);
    if number.is_multiple_of(3) {
        let _ = caller.stream.shutdown(Shutdown::Write);
    }
}

#[test]
fn half_of_all_callers_vanish_and_nothing_of_them_stays() {
    let open = Arc::new(AtomicUsize::new(0));
    let port = slow(&open);
    let running = keyward(port).env("SERVE_PROXY_UPSTREAM_IDLE_TIMEOUT", "500ms").start();
    assert_eq!(running.get("/whole", &[]).status(), 200);
    running.until("quiet", |_| open.load(Ordering::SeqCst) == 0);
    let files = running.open_files();
    thread::scope(|scope| {
        for worker in 0..AT_A_TIME {
            let proxy = running.proxy;
            scope.spawn(move || {
                for number in (worker..ROUNDS).step_by(AT_A_TIME) {
                    if (number / AT_A_TIME).is_multiple_of(2) {
                        vanish(proxy, number);
                    } else {
                        let answer = Caller::connect(proxy).unwrap().ask("/whole").unwrap();
                        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
                    }
                }
            });
        }
    });
    running.until("the end of their connections to the upstream", |_| open.load(Ordering::SeqCst) == 0);
    for gauge in ["keyward_connections ", "keyward_requests_in_flight "] {
        running.until(gauge, |running| metric(running, gauge) == 0.0);
    }
    running.until("closing what is not used", |running| running.open_files() <= files);
    assert_eq!(metric(&running, "keyward_panics_total"), 0.0);
    assert_eq!(running.get("/whole", &[]).status(), 200);
}
