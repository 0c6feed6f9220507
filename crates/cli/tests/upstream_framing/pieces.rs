//! Answers that come in the smallest pieces, and with the largest heads.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

use crate::{connect, serve};

#[test]
fn an_answer_that_comes_byte_by_byte_is_whole() {
    // The answer, and connections used for two requests.
    for (answer, used) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: v\r\n\r\n", 1),
        ("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1),
        ("HTTP/1.0 200 OK\r\n\r\nhello", 2),
    ] {
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let port = upstream(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            stream.set_nodelay(true).unwrap();
            while !read_head(&mut stream).is_empty() {
                for byte in answer.bytes() {
                    stream.write_all(&[byte]).unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
                if answer.starts_with("HTTP/1.0") {
                    return;
                }
            }
        });
        let running = serve(port);
        let (mut stream, mut reader) = connect(&running);
        for _ in 0..2 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            let seen = wire::read_response(&mut reader, false).unwrap();
            assert_eq!((seen.status(), seen.text().as_str()), (200, "hello"), "{answer}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), used, "{answer}");
    }
}

#[test]
fn a_head_may_be_as_large_as_64_kib() {
    let field = |length: usize| format!("X-Large: {}\r\n", "v".repeat(length));
    // Fields, and what the caller gets of them: the status and bytes of values.
    for (fields, status, bytes) in [
        (field(60 * 1024), 200, 60 * 1024),
        (field(600).repeat(90), 200, 90 * 600),
        (field(66 * 1024), 502, 0),
        (field(800).repeat(90), 502, 0),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
        let port = upstream(move |mut stream| {
            // Who has had enough of it hangs up.
            while !read_head(&mut stream).is_empty() && stream.write_all(answer.as_bytes()).is_ok() {}
        });
        let seen = serve(port).get("/", &[]);
        let large = seen.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-large"));
        assert_eq!((seen.status(), large.map(|(_, value)| value.len()).sum()), (status, bytes));
    }
}
