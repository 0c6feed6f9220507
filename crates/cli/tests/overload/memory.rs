//! What docs/reference.md says that a request holds at most, when neither side takes anything any more.

use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::keyward;

/// At a time.
const REQUESTS: usize = 50;
/// Before them, so that what every request makes use of is there.
const FIRST: usize = 5;
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

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

fn connect(port: u16, config: &Arc<ClientConfig>) -> TlsStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream)
}

/// Requests on HTTP/1.1 connections of their own, over TLS, which needs more memory. Nobody reads answers beyond their
/// beginning, and bodies are sent for as long as somebody takes them.
fn over_http1(port: u16, method: &'static str, count: usize, config: &Arc<ClientConfig>) -> Vec<JoinHandle<TlsStream>> {
    let length = if method == "POST" { BODY } else { 0 };
    let head = format!("{method} /x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let send = |mut stream: TlsStream| {
        let head = head.clone();
        thread::spawn(move || {
            stream.write_all(head.as_bytes()).unwrap();
            stream.flush().unwrap();
            if method == "POST" {
                // Until the server is stopped.
                while stream.write_all(&[b'x'; 65536]).is_ok() {}
            } else {
                stream.read_exact(&mut [0; 12]).unwrap();
            }
            stream
        })
    };
    (0..count).map(|_| send(connect(port, config))).collect()
}

/// Requests as streams of one HTTP/2 connection. They last as long as what is returned.
fn over_http2(port: u16, method: &'static str, count: usize) -> oneshot::Sender<()> {
    let (last, dropped) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (sender, connection) =
                http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let mut answers = Vec::new();
            for _ in 0..count {
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
    let authority = Authority::new();
    let trusts = authority.client(&[b"http/1.1"]);
    let (certificate, key) = authority.pem(&["localhost"]);
    for (version, method) in [("1.1", "POST"), ("1.1", "GET"), ("2", "POST"), ("2", "GET")] {
        let mut keyward = keyward(stuck());
        if version == "1.1" {
            keyward = keyward
                .env("SERVE_PROXY_TLS_CERT_BASE64", &STANDARD.encode(&certificate))
                .env("SERVE_PROXY_TLS_KEY_BASE64", &STANDARD.encode(&key));
        }
        let running = keyward.start();
        let send = |count: usize, in_flight: usize| -> Box<dyn Any> {
            let requests: Box<dyn Any> = match version {
                "1.1" => Box::new(over_http1(running.proxy, method, count, &trusts)),
                _ => Box::new(over_http2(running.proxy, method, count)),
            };
            running.until("all requests", |running| {
                running.metric("keyward_requests_in_flight ") == Some(in_flight as f64)
            });
            requests
        };
        let first = send(FIRST, FIRST);
        let before = settled(&running);
        let requests = send(REQUESTS, FIRST + REQUESTS);
        let each = (settled(&running) - before) / REQUESTS as u64;
        let what = format!("HTTP/{version} {method}: {each} KiB each");
        println!("{what}");
        assert!(each < HELD, "{what}");
        drop((first, requests));
    }
}
