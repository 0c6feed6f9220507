//! Connections that an upstream closes just when another request comes.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

use crate::{connect, serve};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What an upstream does with the second request of its first connection.
#[derive(Clone, Copy, Debug)]
enum Second {
    /// Closes the connection.
    Closes,
    /// Begins to answer, and closes it.
    Begins,
    /// Closes it, and later ones too as soon as there is a request.
    AlwaysCloses,
}

/// An upstream; counts the requests that reach it.
fn closing(second: Second) -> (u16, Arc<AtomicUsize>) {
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = requests.clone();
    let port = upstream(move |mut stream| {
        let is_first = connections.fetch_add(1, Ordering::SeqCst) == 0;
        let mut served = 0;
        while !read_head(&mut stream).is_empty() {
            counted.fetch_add(1, Ordering::SeqCst);
            match second {
                Second::AlwaysCloses if !is_first || served > 0 => return,
                Second::Closes if is_first && served > 0 => return,
                Second::Begins if is_first && served > 0 => return drop(stream.write_all(b"HTTP/1.1 2")),
                _ => stream.write_all(OK).unwrap(),
            }
            served += 1;
        }
    });
    (port, requests)
}

#[test]
fn a_request_whose_connection_closes_is_sent_once_more_when_that_does_nothing_twice() {
    // The second request, its status, and how many requests reach the upstream together with the first one.
    for (second, request, status, requests) in [
        (Second::Closes, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 3),
        (Second::Closes, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, 3),
        (Second::Closes, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 3),
        (Second::Closes, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 502, 2),
        (Second::Closes, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 502, 2),
        (
            Second::Closes,
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            502,
            2,
        ),
        (Second::Closes, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 502, 2),
        (Second::Begins, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 502, 2),
        (Second::AlwaysCloses, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 502, 3),
    ] {
        let (port, seen) = closing(second);
        let running = serve(port);
        assert_eq!(running.get("/", &[]).status(), 200);
        assert_eq!(running.send(request).unwrap().status(), status, "{second:?} {request}");
        assert_eq!(seen.load(Ordering::SeqCst), requests, "{second:?} {request}");
        assert_eq!(running.audit(2).len(), 2, "one record for each, however often it was sent");
    }
}

/// Answers one request and closes the connection, with a reset where not all of the request was read.
fn serve_once(mut stream: TcpStream, resets: bool) {
    read_head(&mut stream);
    if !resets {
        wire::drain(&mut stream, 2);
    }
    stream.write_all(OK).unwrap();
}

/// Whether the system still takes some connection to this port for one whose peer is there.
fn is_connected(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (remote, established) = (format!(":{port:04X}"), "01");
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|columns| {
        columns.get(2).is_some_and(|address| address.ends_with(&remote)) && columns.get(3) == Some(&established)
    })
}

#[test]
fn a_body_of_which_nothing_went_out_is_sent_over_another_connection() {
    for resets in [false, true] {
        let port = upstream(move |stream| serve_once(stream, resets));
        let running = serve(port);
        let (mut stream, mut reader) = connect(&running);
        for _ in 0..5 {
            stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").unwrap();
            let seen = wire::read_response(&mut reader, false).unwrap();
            assert_eq!((seen.status(), seen.text().as_str()), (200, "ok"), "{resets}");
            running.until("the end of the connection", |_| !is_connected(port));
        }
    }
}
