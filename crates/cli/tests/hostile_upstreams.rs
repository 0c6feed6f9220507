//! Upstreams that answer what is no answer, or stop in the middle of one, against the real binary.

#![allow(clippy::unwrap_used)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::http2_upstream::http2_upstream;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
";
const SECRET: &str = "credential-0123456789";

fn keyward(upstream: &str) -> Keyward {
    let rules = format!(
        "- id: any\n  match: {{url: \"http://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
         mutators: [{{handler: header, config: {{headers: {{Authorization: 'Bearer {{{{ env \"TOKEN\" }}}}'}}}}}}]\n  \
         upstream: {{url: \"{upstream}\"}}\n"
    );
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules);
    keyward.env("SERVE_PROXY_WORKERS", "1").env("TOKEN", SECRET)
}

/// In front of an upstream that speaks TLS as `api.example` on this port.
fn over_tls(authority: &Authority, port: u16) -> Running {
    let server = keyward("https://api.example");
    let ca = server.write("ca.pem", &authority.certificate);
    server
        .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
        .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("api.example:443:127.0.0.1:{port}"))
        .start()
}

#[test]
fn no_field_can_be_split_into_two_or_end_the_head() {
    let counted = Arc::new(AtomicUsize::new(0));
    for head in [
        "X-A: 1\rSet-Cookie: evil=1\r\n",
        "X-A: 1\0Set-Cookie: evil=1\r\n",
        "X-A: 1\r\r\nSet-Cookie: evil=1\r\n",
        "X-A\r\nSet-Cookie: evil=1\r\n",
        "X-A : 1\r\nSet-Cookie: evil=1\r\n",
        ": 1\r\nSet-Cookie: evil=1\r\n",
        "X-A: 1\r\n\tSet-Cookie: evil=1\r\n",
    ] {
        let connections = counted.clone();
        let port = upstream(move |mut stream| {
            connections.fetch_add(1, Ordering::SeqCst);
            read_head(&mut stream);
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\nok").as_bytes());
            let _ = stream.read(&mut [0]);
        });
        let seen = keyward(&format!("http://127.0.0.1:{port}")).start().get("/", &[]);
        assert_eq!((seen.status(), seen.header("set-cookie")), (502, None), "{head:?}");
    }
}

/// Bytes that come before a handshake ends are nobody's answer, and who sends them gets no credential.
#[test]
fn cve_2026_1642_what_comes_before_or_during_the_handshake_is_no_answer() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let authority = Authority::new();
    // Before anything, after the beginning of the handshake, and both with a handshake that would go on.
    for (waits, goes_on) in [(false, false), (true, false), (false, true), (true, true)] {
        let config = authority.server(&["api.example"], &[b"http/1.1"]);
        let (saw, seen) = std::sync::mpsc::channel();
        let port = upstream(move |mut stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut first = [0; 1];
            if waits {
                stream.peek(&mut first).unwrap();
            }
            stream.write_all(ANSWER).unwrap();
            let mut decrypted = Vec::new();
            if goes_on {
                let connection = rustls_server(&config);
                let _ = tokio_rustls::rustls::StreamOwned::new(connection, stream).read_to_end(&mut decrypted);
            } else {
                wire::drain(&mut stream, 1024 * 1024);
            }
            saw.send(decrypted).unwrap();
        });
        let running = over_tls(&authority, port);
        let answer = running.get("/", &[]);
        assert_eq!((answer.status(), answer.text().contains("poison")), (502, false), "{waits} {goes_on}");
        assert!(seen.recv_timeout(PATIENCE).unwrap().is_empty(), "no request was sent");
        let record = running.audit(1).remove(0);
        assert_eq!(record["reason"], "upstream_connect", "{waits} {goes_on}");
    }
}

fn rustls_server(config: &Arc<tokio_rustls::rustls::ServerConfig>) -> tokio_rustls::rustls::ServerConnection {
    tokio_rustls::rustls::ServerConnection::new(config.clone()).unwrap()
}

/// Whether an answer ends as it should for a caller that speaks HTTP/2.
fn is_whole_over_http2(port: u16) -> bool {
    let ask = async move {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let request = http::Request::get(format!("http://127.0.0.1:{port}/")).body(Empty::<Bytes>::new()).unwrap();
        match sender.send_request(request).await {
            Ok(answer) => answer.into_body().collect().await.is_ok(),
            // The reset came before the head had gone out.
            Err(error) => !error.to_string().contains("http2"),
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(ask)
}

#[test]
fn an_answer_that_stops_in_the_middle_is_broken_for_every_caller() {
    for (head, body) in [
        ("Content-Length: 5", "he"),
        ("Content-Length: 5", "hell"),
        ("Transfer-Encoding: chunked", "2\r\nhe\r\n"),
        ("Transfer-Encoding: chunked", "5\r\nhe"),
        ("Transfer-Encoding: chunked", "2\r\nhe\r\n0\r\n"),
        ("Transfer-Encoding: chunked", "2\r\nhe\r\n0\r\nX-T: v\r\n"),
        ("Transfer-Encoding: chunked", "2\r\nhe\r\nzz\r\nllo\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "2\r\nhello\r\n0\r\n\r\n"),
    ] {
        let port = upstream(move |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes());
            // It ends in order: nothing but what is missing tells that the answer is not whole.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0]);
        });
        let running = keyward(&format!("http://127.0.0.1:{port}")).start();
        assert!(!is_whole_over_http2(running.proxy), "{head} {body:?}");
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let seen = wire::read_response(&mut io::BufReader::new(stream), false);
        assert!(seen.is_err(), "{head} {body:?}: {seen:?}");
        for record in running.audit(2) {
            assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"stream_broken".into()), "{head}");
        }
    }
}

/// A body that breaks after its first part has gone out.
struct Torn {
    begun: bool,
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"he")))));
        }
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(100))));
        ready!(pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::Error::other("torn"))))
    }
}

/// An HTTP/2 upstream whose body is reset after a part of it.
fn resetting_http2(authority: &Authority) -> u16 {
    http2_upstream(authority, |_| async { http::Response::new(Torn { begun: false, pause: None }) })
}

#[test]
fn a_stream_that_an_http2_upstream_resets_is_broken_for_every_caller() {
    let authority = Authority::new();
    let running = over_tls(&authority, resetting_http2(&authority));
    assert!(!is_whole_over_http2(running.proxy));
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let seen = wire::read_response(&mut io::BufReader::new(stream), false);
    assert!(seen.is_err(), "{seen:?}");
    for record in running.audit(2) {
        assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"stream_broken".into()));
    }
}

/// Who closes says so, and is told apart from who was cut off (RFC 8446 section 6.1).
#[test]
fn a_tls_connection_to_an_upstream_ends_with_a_close_notify() {
    let authority = Authority::new();
    let config = authority.server(&["api.example"], &[b"http/1.1"]);
    // An answer after which the connection is kept, and goes when it has been idle too long; and one that was refused.
    for fields in ["", "X-A: 1\r\n b\r\n", "Connection: close\r\n"] {
        let config = config.clone();
        let (saw, seen) = std::sync::mpsc::channel();
        let port = upstream(move |stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut stream = tokio_rustls::rustls::StreamOwned::new(rustls_server(&config), stream);
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").as_bytes()).unwrap();
            // Without a close_notify the end of the connection is an error.
            saw.send(stream.read(&mut byte).map_err(|error| error.kind())).unwrap();
        });
        let server = keyward("https://api.example");
        let ca = server.write("ca.pem", &authority.certificate);
        let running = server
            .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("api.example:443:127.0.0.1:{port}"))
            .env("SERVE_PROXY_UPSTREAM_IDLE_TIMEOUT", "1s")
            .start();
        running.get("/", &[]);
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), Ok(0), "{fields:?}");
    }
}
