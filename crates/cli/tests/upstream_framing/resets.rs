//! Upstreams that reset their connections.

use std::io::{Read, Write};

use keyward_testkit::scripted::upstream;
use keyward_testkit::wire;

use crate::{connect, serve};

/// An upstream that answers with these bytes and resets the connection.
fn resetting(answer: &'static str) -> u16 {
    upstream(move |mut stream| {
        // The system resets a connection that is closed before everything that came was read.
        stream.read_exact(&mut [0]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    })
}

#[test]
fn what_ends_with_a_reset_is_not_whole() {
    for (head, body) in [
        ("Content-Length: 5", ""),
        ("Content-Length: 5", "hell"),
        ("Transfer-Encoding: chunked", ""),
        ("Transfer-Encoding: chunked", "5\r\nhe"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"),
        ("Connection: close", ""),
        ("Connection: close", "hello"),
    ] {
        let running = serve(resetting(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").leak()));
        let (mut stream, mut reader) = connect(&running);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let seen = wire::read_response(&mut reader, false);
        assert!(seen.is_err(), "{head} {body:?}: {seen:?}");
        let record = &running.audit(1)[0];
        assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"stream_broken".into()), "{head}");
    }
}

#[test]
fn a_reset_in_the_head_is_no_answer() {
    for answer in ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let running = serve(resetting(answer));
        assert_eq!(running.get("/", &[]).status(), 502, "{answer:?}");
        let record = &running.audit(1)[0];
        assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"upstream_exchange".into()));
    }
}
