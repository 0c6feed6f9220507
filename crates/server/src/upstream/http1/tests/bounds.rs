//! What is held of answers that do not end.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Body;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::bodies::{Source, body};
use super::played::{run, taken};
use super::{Awaiting, Connection, pair};
use crate::proxy::body::RequestBody;

/// More than a head and the largest read, and what two small socket buffers hold.
const BOUND: usize = 512 * 1024;
/// What is written when nobody stops it.
const ENDLESS: usize = 8 * 1024 * 1024;

/// A connection whose sockets hold little, so that what was written has nearly all been read.
async fn narrow_pair() -> (Box<Connection>, TcpStream) {
    let (connection, peer) = pair().await;
    SockRef::from(&peer).set_send_buffer_size(16 * 1024).unwrap();
    (connection, peer)
}

/// Writes the same again and again, until nobody takes it; how much that was.
async fn write_endlessly(peer: &mut TcpStream, first: &str, again: &str) -> usize {
    let block = again.repeat(16 * 1024 / again.len());
    let mut written = 0;
    if peer.write_all(first.as_bytes()).await.is_ok() {
        while written < ENDLESS && peer.write_all(block.as_bytes()).await.is_ok() {
            written += block.len();
        }
    }
    written
}

#[test]
fn what_never_ends_is_refused_before_much_of_it_is_held() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let after = |rest: &str| format!("{CHUNKED}{rest}");
    let rows = [
        (String::new(), "\r\n"),
        (String::new(), "\0"),
        ("HTTP/1.1 200 ".to_owned(), "x"),
        ("HTTP/1.1 200 OK\r\n".to_owned(), "x"),
        ("HTTP/1.1 200 OK\r\nX: ".to_owned(), "y"),
        ("HTTP/1.1 200 OK\r\nX:".to_owned(), " "),
        ("HTTP/1.1 200 OK\r\n".to_owned(), "X: y\r\n"),
        (String::new(), "HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.1 100 Continue\r\nX: ".to_owned(), "y"),
        (after(""), "0"),
        (after("1"), " "),
        (after("1;"), "x"),
        (after("1\r\nx\r\n0;"), "x"),
        (after("0\r\nX: "), "y"),
        (after("0\r\n"), "x"),
        (after("0\r\n"), "X: y\r\n"),
    ];
    for (first, again) in rows {
        let (seen, written) = run(async {
            let (connection, mut peer) = narrow_pair().await;
            let write = async {
                let written = write_endlessly(&mut peer, &first, again).await;
                let _ = peer.shutdown().await;
                written
            };
            tokio::join!(taken(connection, &Method::GET), write)
        });
        assert!(seen.is_err(), "{first:?} {again:?}: {seen:?}");
        assert!(written < BOUND, "{first:?} {again:?}: {written} bytes were taken before it was refused ({seen:?})");
    }
}

/// What the system takes of an endless answer when its body is not read.
async fn unread(framing: &str, again: &str, request: RequestBody) -> usize {
    let (connection, mut peer) = narrow_pair().await;
    let write = async {
        let mut written = 0;
        tokio::select! {
            // Long enough for a reader that does not stop to take it all.
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
            () = async {
                peer.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes()).await.unwrap();
                while written < ENDLESS && peer.write_all(again.as_bytes()).await.is_ok() {
                    written += again.len();
                }
            } => {}
        }
        written
    };
    let read = async {
        let mut awaiting = Awaiting::begin(connection, &Method::POST, "/", &HeaderMap::new(), request);
        let head = poll_fn(|cx| awaiting.poll(&mut HeaderMap::new(), cx)).await.unwrap();
        let mut answer = awaiting.into_body(head.decoder(&Method::POST).unwrap(), true);
        // One part is read, and then nothing.
        poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await.unwrap().unwrap();
        answer
    };
    let (written, _answer) = tokio::join!(write, read);
    written
}

#[test]
fn a_body_that_nobody_reads_stays_with_the_upstream() {
    let large = "x".repeat(16 * 1024);
    let chunk = format!("{:x}\r\n{large}\r\n", large.len());
    let small = "1\r\nx\r\n".repeat(1024);
    for (framing, again) in [
        ("Content-Length: 1000000000", &large),
        ("Connection: close", &large),
        ("Transfer-Encoding: chunked", &chunk),
        ("Transfer-Encoding: chunked", &small),
    ] {
        for is_sending in [false, true] {
            let written = run(async {
                // A body without an end is still being sent.
                let request = match is_sending {
                    true => body(Source::Http1, &[Bytes::from_static(b"part")], false).await,
                    false => RequestBody::Empty,
                };
                unread(framing, again, request).await
            });
            assert!(written < BOUND, "{framing} {again:.20} {is_sending}: {written}");
        }
    }
}
