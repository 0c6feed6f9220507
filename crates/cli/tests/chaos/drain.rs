//! SIGTERM while there is work: nobody who minds what the server says about its connections loses a request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

use crate::{CALLERS, Caller, keyward, metric, says_close};

/// Streams at a time of the caller over HTTP/2.
const STREAMS: usize = 4;
/// What is uploaded and downloaded, in pieces.
const PIECES: usize = 60;
const PIECE: [u8; 10] = *b"0123456789";
const PAUSE: Duration = Duration::from_millis(20);

/// An upstream that takes a moment for what is small, and sends `/download` in pieces.
pub(crate) fn working() -> u16 {
    upstream(|mut stream| {
        loop {
            let head = read_head(&mut stream);
            if head.starts_with("GET /download") {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PIECES * PIECE.len()).unwrap();
                for _ in 0..PIECES {
                    stream.write_all(&PIECE).unwrap();
                    thread::sleep(PAUSE);
                }
            } else if head.starts_with("POST") {
                let count = std::io::copy(&mut (&stream).take((PIECES * PIECE.len()) as u64), &mut std::io::sink());
                let body = count.unwrap().to_string();
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            } else if head.is_empty() {
                return;
            } else {
                thread::sleep(Duration::from_millis(3));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            }
        }
    })
}

/// Asks on one connection until an answer says that it ends; how many answers there were.
fn keeps_asking(port: u16) -> usize {
    let mut caller = Caller::connect(port).unwrap();
    for count in 1.. {
        let answer = caller.ask("/small").unwrap_or_else(|error| panic!("request {count} failed: {error}"));
        assert_eq!(answer.text(), "ok");
        if says_close(&answer) {
            return count;
        }
    }
    0
}

/// Asks on one HTTP/2 connection until it is told to go, or need not go on; how many answers there were.
pub(crate) fn keeps_asking_over_http2(port: u16, goes_on: impl Fn() -> bool) -> usize {
    let answers = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = async |mut sender: http2::SendRequest<Empty<Bytes>>| {
        while goes_on() && sender.ready().await.is_ok() {
            let request = http::Request::get("http://h/small").body(Empty::new()).unwrap();
            match sender.send_request(request).await {
                Ok(answer) => {
                    assert_eq!(answer.status(), 200);
                    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                // It was not sent any more.
                Err(error) => return assert!(error.is_canceled(), "{error:?}"),
            }
        }
    };
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        let ended = tokio::spawn(connection);
        tokio::join!(ask(sender.clone()), ask(sender.clone()), ask(sender.clone()), ask(sender));
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap();
    });
    answers.into_inner()
}

fn uploads(port: u16) {
    let mut caller = Caller::connect(port).unwrap();
    let length = PIECES * PIECE.len();
    write!(caller.stream, "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n").unwrap();
    for _ in 0..PIECES {
        caller.stream.write_all(&PIECE).unwrap();
        thread::sleep(PAUSE);
    }
    let answer = caller.answer().unwrap();
    assert_eq!((answer.status(), answer.text(), says_close(&answer)), (200, length.to_string(), true));
}

fn downloads(port: u16) {
    let answer = Caller::connect(port).unwrap().ask("/download").unwrap();
    assert_eq!((answer.status(), answer.body), (200, PIECE.repeat(PIECES)));
}

/// Every kind of work is under way when the signal comes: each request is answered whole, and each has its record.
#[test]
fn sigterm_under_load_loses_no_request_and_no_record() {
    let mut running = keyward(working()).start();
    let port = running.proxy;
    let answers: usize = thread::scope(|scope| {
        let small: Vec<_> = (0..CALLERS).map(|_| scope.spawn(move || keeps_asking(port))).collect();
        let http2 = scope.spawn(move || keeps_asking_over_http2(port, || true));
        let whole = [scope.spawn(move || uploads(port)), scope.spawn(move || downloads(port))];
        let in_flight = CALLERS + STREAMS + whole.len();
        running.until("load", |running| metric(running, "keyward_requests_in_flight ") >= in_flight as f64 / 2.0);
        thread::sleep(PIECES as u32 * PAUSE / 3);
        running.signal("TERM");
        let one_each: usize = whole.into_iter().map(|caller| caller.join().map(|()| 1).unwrap()).sum();
        one_each + http2.join().unwrap() + small.into_iter().map(|caller| caller.join().unwrap()).sum::<usize>()
    });
    assert!(running.wait().success());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let records = running.audit(answers);
    assert!(records.iter().all(|record| record["outcome"] == "allowed"), "{records:?}");
}

/// Stops the process, lets something happen, and has it find SIGTERM beside what happened.
fn sigterm_meanwhile(running: &Running, happens: impl FnOnce()) {
    running.signal("STOP");
    happens();
    running.signal("TERM");
    running.signal("CONT");
}

/// Also where the process learns of both at the same time.
#[test]
fn what_had_come_before_sigterm_is_answered() {
    let upstream = Recorder::start(true);
    // More than one core can accept at a time.
    for _ in 0..5 {
        let mut running = keyward(upstream.port).start();
        let mut callers: Vec<Caller> = (0..8).map(|_| Caller::connect(running.proxy).unwrap()).collect();
        // Some have been served before, others have not asked for anything yet.
        callers.iter_mut().take(4).for_each(|caller| assert_eq!(caller.ask("/x").unwrap().status(), 200));
        sigterm_meanwhile(&running, || {
            callers.extend((0..8).map(|_| Caller::connect(running.proxy).unwrap()));
            callers.iter_mut().for_each(|caller| caller.send("/x").unwrap());
        });
        let mut answers = 4;
        for (number, caller) in callers.iter_mut().enumerate() {
            let (mut answer, begun) = (caller.answer(), Instant::now());
            // Answers may be given before the core knows.
            loop {
                let given = answer.unwrap_or_else(|error| panic!("{number}: {error}\n{}", running.log()));
                answers += 1;
                assert_eq!(given.status(), 200, "{number}: {given:?}");
                if says_close(&given) {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{number} is never told");
                answer = caller.ask("/x");
            }
        }
        assert!(running.wait().success());
        running.audit(answers);
    }
}

/// A caller cannot know of the signal before it is told: what it sends until then is answered, with `Connection: close`.
#[test]
fn a_request_that_is_on_its_way_when_sigterm_comes_is_answered() {
    let upstream = Recorder::start(true);
    // Puts quiet connections to rest after two seconds.
    let mut running = keyward(upstream.port).env("SERVE_PROXY_TIMEOUT_IDLE", "4s").start();
    let connect = || Caller::connect(running.proxy).unwrap();
    let (mut resting, mut kept, mut new) = (connect(), connect(), connect());
    assert_eq!(resting.ask("/x").unwrap().status(), 200);
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(kept.ask("/x").unwrap().status(), 200);
    running.until("all connections", |running| metric(running, "keyward_connections ") == 3.0);
    running.signal("TERM");
    running.until("the drain", |running| TcpStream::connect(("127.0.0.1", running.proxy)).is_err());
    for (what, caller) in [("kept", &mut kept), ("resting", &mut resting), ("new", &mut new)] {
        let answer = caller.ask("/x").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((answer.status(), says_close(&answer)), (200, true), "{what}");
    }
    assert!(running.wait().success());
}

/// Where an exchange does not end, the drain does, after `shutdown_timeout`.
#[test]
fn work_without_end_is_cut_off_and_recorded() {
    let (begun, begins) = channel();
    let port = upstream(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx").unwrap();
        begun.send(()).unwrap();
        wire::drain(&mut stream, 1);
    });
    let mut running = keyward(port).env("SERVE_PROXY_SHUTDOWN_TIMEOUT", "1s").start();
    let mut caller = Caller::connect(running.proxy).unwrap();
    caller.send("/x").unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    running.signal("TERM");
    assert!(running.wait().success());
    assert!(caller.answer().is_err());
    let record = &running.audit(1)[0];
    assert_eq!(record["outcome"], "error", "{record}");
}
