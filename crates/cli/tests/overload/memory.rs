//! What docs/reference.md says that a request holds at most, when neither side takes anything any more.

use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::keyward;

/// At a time. As many as one HTTP/2 connection may have.
const REQUESTS: usize = 100;
/// What each has to say, or is to be told: more than all buffers on the way take.
const BODY: usize = 16 << 20;
/// KiB that a request holds at most, its connections included.
const HELD: u64 = 512;

/// An upstream that sends without end and reads nothing, until the other side goes.
fn stuck() -> u16 {
    upstream(|mut stream| {
        let is_upload = read_head(&mut stream).starts_with("POST");
        if !is_upload {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n");
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
        } else {
            thread::sleep(6 * PATIENCE);
        }
    })
}

/// Writes until nobody takes any more for a while.
fn fill(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let piece = [b'x'; 65536];
    let mut left = BODY;
    while left > 0 && stream.write_all(&piece[..left.min(piece.len())]).is_ok() {
        left = left.saturating_sub(piece.len());
    }
    assert!(left > 0, "the whole body was taken");
}

/// Requests on HTTP/1.1 connections of their own; their streams, kept open.
fn over_http1(port: u16, method: &str) -> Vec<TcpStream> {
    let head = format!(
        "{method} /x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        if method == "POST" { BODY } else { 0 }
    );
    let mut streams: Vec<TcpStream> = (0..REQUESTS).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for stream in &mut streams {
        stream.write_all(head.as_bytes()).unwrap();
    }
    thread::scope(|scope| {
        for stream in &mut streams {
            scope.spawn(|| match method {
                "POST" => fill(stream),
                _ => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    // The answer has begun; no more of it is read.
                    stream.read_exact(&mut [0; 12]).unwrap();
                }
            });
        }
    });
    streams
}

/// Requests as streams of one HTTP/2 connection. They last as long as what is returned.
fn over_http2(port: u16, method: &'static str) -> oneshot::Sender<()> {
    let (last, dropped) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (sender, connection) =
                http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let mut answers = Vec::new();
            for _ in 0..REQUESTS {
                let body = Full::new(Bytes::from_static(if method == "POST" { &[b'x'; BODY] } else { b"" }));
                let request = http::Request::builder().method(method).uri(format!("http://127.0.0.1:{port}/x"));
                // Nothing of an answer's body is read.
                answers.push(tokio::spawn(sender.clone().send_request(request.body(body).unwrap())));
            }
            let _ = dropped.await;
        });
    });
    last
}

/// The memory that it has in use, once that does not grow any more.
fn settled(running: &Running) -> u64 {
    let (mut last, mut quiet) = (0, 0);
    while quiet < 5 {
        thread::sleep(Duration::from_millis(100));
        let now = running.resident_kib();
        quiet = if now > last + 64 { 0 } else { quiet + 1 };
        last = last.max(now);
    }
    last
}

#[test]
fn a_request_that_is_stuck_holds_no_more_than_the_reference_says() {
    let rows: [(&str, &str); 4] = [("1.1", "POST"), ("1.1", "GET"), ("2", "POST"), ("2", "GET")];
    for (version, method) in rows {
        let running = keyward(stuck()).start();
        let before = running.resident_kib();
        let requests: Box<dyn Any> = match version {
            "1.1" => Box::new(over_http1(running.proxy, method)),
            _ => Box::new(over_http2(running.proxy, method)),
        };
        running.until("all requests", |running| running.metric("keyward_requests_in_flight ") == Some(REQUESTS as f64));
        let each = (settled(&running) - before) / REQUESTS as u64;
        println!("HTTP/{version} {method}: {each} KiB each");
        assert!(each < HELD, "HTTP/{version} {method}: {each} KiB each");
        drop(requests);
    }
}
