//! Answers byte by byte, as an upstream may write them.
#![allow(clippy::unwrap_used)]

mod bodies;
mod bounds;
mod differential;
mod early;
mod generated;
mod hyper_client;
mod played;
mod properties;
mod requests;
mod tls;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::connection::Connection;
use super::{Awaiting, Failure};
use crate::proxy::body::RequestBody;
use crate::upstream::connect::UpstreamStream;
use crate::upstream::framing;

/// A connection, and its upstream's end.
async fn pair() -> (Box<Connection>, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let own = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    peer.set_nodelay(true).unwrap();
    (Box::new(Connection::new(UpstreamStream::Plain(own))), peer)
}

fn begin(connection: Box<Connection>, method: &Method) -> Awaiting {
    Awaiting::begin(connection, method, "/", &HeaderMap::new(), RequestBody::Empty)
}

/// The fields of a request, of which no answer may have anything.
fn spent() -> HeaderMap {
    HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer credential"))])
}

/// What became of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    body: String,
    trailers: Option<String>,
    /// Its connection may have the next request.
    keeps: bool,
}

/// What is made of these bytes, after which the upstream ends the connection or keeps it.
async fn seen(method: &Method, pieces: &[&[u8]], ends: bool) -> Result<Seen, String> {
    let (connection, mut peer) = pair().await;
    let write = async {
        for piece in pieces {
            // The peer may have had enough.
            if peer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        if ends {
            let _ = peer.shutdown().await;
        }
        peer
    };
    let read = async {
        let mut awaiting = begin(connection, method);
        let mut head = poll_fn(|cx| awaiting.poll(&mut spent(), cx)).await.map_err(|failure| match failure {
            Failure::Broken(error) | Failure::Body(error) => error.to_string(),
            Failure::Malformed(malformed) => malformed.0.to_owned(),
        })?;
        assert!(!head.headers.contains_key("authorization"));
        let said_twice = framing::settle(&mut head.headers).map_err(|error| error.to_string())?;
        let decoder = head.decoder(method).map_err(|malformed| malformed.0.to_owned())?;
        let keeps = head.keeps_connection() && !said_twice && !decoder.ends_with_connection();
        let mut answer = awaiting.into_body(decoder, keeps);
        let (mut body, mut trailers) = (Vec::new(), None);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await {
            match frame.map_err(|error| error.to_string())?.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => {
                    let value = frame.into_trailers().ok().and_then(|fields| fields.get("x-t").cloned());
                    trailers = value.map(|value| value.to_str().unwrap().to_owned());
                }
            }
        }
        assert!(answer.is_end_stream());
        let body = String::from_utf8(body).unwrap();
        Ok::<_, String>((Seen { status: head.status.as_u16(), body, trailers, keeps: false }, answer))
    };
    let (_peer, seen) = tokio::join!(write, tokio::time::timeout(Duration::from_secs(20), read));
    let (seen, mut answer) = seen.unwrap()?;
    // Whatever was written after the answer is here by now.
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(Seen { keeps: answer.take_rested().is_some(), ..seen })
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn answers_end_where_their_framing_says_in_whatever_pieces_they_come() {
    let seen_as = |status, body: &str, trailers: Option<&str>, keeps| {
        Some(Seen { status, body: body.to_owned(), trailers: trailers.map(str::to_owned), keeps })
    };
    let ok = |body, keeps| seen_as(200, body, None, keeps);
    let chunked = |rest: &str| format!("{CHUNKED}{rest}");
    // The method, what the upstream writes, whether it ends the connection, and what is seen.
    let rows: Vec<(Method, String, bool, Option<Seen>)> = vec![
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into(), false, ok("ok", true)),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), false, ok("", true)),
        (Method::GET, "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok".into(), false, ok("ok", true)),
        (Method::GET, "HTTP/1.1 200 OK\r\nX:\r\nContent-Length: 2\r\nY:  \r\n\r\nok".into(), false, ok("ok", true)),
        (Method::GET, "HTTP/1.1 200 OK\nContent-Length: 2\n\nok".into(), false, ok("ok", true)),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\nok".into(),
            false,
            ok("ok", false),
        ),
        (Method::GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok".into(), false, ok("ok", false)),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok".into(),
            false,
            ok("ok", true),
        ),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nok".into(),
            false,
            ok("ok", false),
        ),
        (Method::GET, "HTTP/1.1 200 OK\r\n\r\nall of it".into(), true, ok("all of it", false)),
        (Method::GET, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), false, None),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".into(), false, ok("", true)),
        (Method::HEAD, CHUNKED.into(), false, ok("", true)),
        (
            Method::GET,
            "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n".into(),
            false,
            seen_as(204, "", None, true),
        ),
        (
            Method::GET,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n".into(),
            false,
            seen_as(304, "", None, true),
        ),
        (
            Method::GET,
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into(),
            false,
            ok("ok", true),
        ),
        (Method::GET, chunked("2\r\nok\r\n0\r\n\r\n"), false, ok("ok", true)),
        (Method::GET, chunked("1\r\no\r\n1;x=\"y\"\r\nk\r\n000\r\n\r\n"), false, ok("ok", true)),
        (Method::GET, chunked("A \r\n0123456789\r\n0\r\n\r\n"), false, ok("0123456789", true)),
        (Method::GET, chunked("2\r\nok\r\n0\r\nX-T: v\r\n\r\n"), false, seen_as(200, "ok", Some("v"), true)),
        // What follows an answer is nobody's.
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n".into(),
            false,
            ok("ok", false),
        ),
        (Method::GET, chunked("2\r\nok\r\n0\r\n\r\nx"), false, ok("ok", false)),
        // Answers that end before their end, or are none.
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok".into(), true, None),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Le".into(), true, None),
        (Method::GET, String::new(), true, None),
        (Method::GET, chunked("2\r\nok\r\n"), true, None),
        (Method::GET, chunked("2\r\nok\r\n0\r\n"), true, None),
        (Method::GET, chunked("2\r\nokk\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2\r\nok\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("0x2\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("-2\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("+2\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2 2\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2;a\rb\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2\r\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2\x0c\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked("2\r\nok\r\n0\r\n\n"), false, None),
        (Method::GET, chunked("2\r\nok\r\n0\r\nX-T: v\n\n"), false, None),
        (Method::GET, chunked("10000000000000002\r\nok\r\n0\r\n\r\n"), false, None),
        (Method::GET, chunked(&"1;".repeat(5000)), false, None),
        (Method::GET, chunked(&format!("0\r\n{}", "X: y\r\n".repeat(4000))), false, None),
        (Method::GET, chunked("0\r\nX Y: z\r\n\r\n"), false, None),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n".into(), false, None),
        (Method::GET, "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n".into(), false, None),
        (Method::GET, "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n".into(), false, None),
        (Method::GET, "HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n".into(), false, None),
        (Method::GET, "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".into(), false, None),
        (Method::GET, "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n".into(), false, None),
        (Method::GET, "HTTP/1.1 100 Continue\r\n\r\n".repeat(100), false, None),
    ];
    for (method, bytes, ends, expected) in rows {
        let whole = [bytes.as_bytes()];
        let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).take(400).collect();
        let halves: Vec<&[u8]> = bytes.as_bytes().chunks(bytes.len().div_ceil(2).max(1)).collect();
        let mut ways: Vec<&[&[u8]]> = vec![&whole, &halves];
        if bytes.len() <= single.len() {
            ways.push(&single);
        }
        for pieces in ways {
            let seen = seen(&method, pieces, ends).await;
            assert_eq!(seen.as_ref().ok(), expected.as_ref(), "{method} {bytes:.200?} in {}: {seen:?}", pieces.len());
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_is_left_when_anything_comes() {
    for (bytes, ends, expected) in
        [(&b""[..], false, true), (b"", true, false), (b"HTTP/1.1 408 Late\r\n\r\n", false, false)]
    {
        let (mut connection, mut peer) = pair().await;
        assert!(connection.is_quiet());
        peer.write_all(bytes).await.unwrap();
        if ends {
            peer.shutdown().await.unwrap();
        }
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            if connection.is_quiet() == expected && !expected {
                break;
            }
        }
        assert_eq!(connection.is_quiet(), expected, "{bytes:?} {ends}");
    }
}

#[tokio::test]
async fn a_request_is_framed_by_its_length_or_in_chunks() {
    let held = |text: &'static str| RequestBody::held(Bytes::from_static(text.as_bytes()));
    let rows = [
        (vec![("host", "h")], held(""), "GET /p HTTP/1.1\r\nhost: h\r\n\r\n"),
        (vec![("content-length", "2")], held("ok"), "GET /p HTTP/1.1\r\ncontent-length: 2\r\n\r\nok"),
        (
            vec![("transfer-encoding", "chunked")],
            held("ok"),
            "GET /p HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
    ];
    for (fields, body, expected) in rows {
        let (connection, mut peer) = pair().await;
        let fields =
            fields.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        let mut awaiting = Awaiting::begin(connection, &Method::GET, "/p", &fields, body);
        let read = async {
            let mut seen = vec![0; expected.len()];
            peer.read_exact(&mut seen).await.unwrap();
            peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8(seen).unwrap()
        };
        let (head, seen) = tokio::join!(poll_fn(|cx| awaiting.poll(&mut spent(), cx)), read);
        assert_eq!((head.unwrap().status.as_u16(), seen.as_str()), (204, expected));
        assert!(awaiting.unsent().is_none(), "it has gone out");
    }
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_was_announced_is_never_completed() {
    for (length, text) in [("3", "ok"), ("1", "ok"), ("1", "")] {
        let (connection, _peer) = pair().await;
        let fields = HeaderMap::from_iter([(http::header::CONTENT_LENGTH, HeaderValue::from_static(length))]);
        let body = RequestBody::held(Bytes::from_static(text.as_bytes()));
        let mut awaiting = Awaiting::begin(connection, &Method::POST, "/", &fields, body);
        assert!(matches!(poll_fn(|cx| awaiting.poll(&mut spent(), cx)).await, Err(Failure::Body(_))), "{length}");
    }
}

/// Nothing of it is held besides what is read at once.
#[tokio::test]
async fn large_bodies_pass_in_parts() {
    const LENGTH: usize = 3 * 1024 * 1024;
    let (connection, mut peer) = pair().await;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let write = async {
        peer.write_all(head.as_bytes()).await.unwrap();
        peer.write_all(&vec![b'x'; LENGTH]).await.unwrap();
    };
    let read = async {
        let mut awaiting = begin(connection, &Method::GET);
        let head = poll_fn(|cx| awaiting.poll(&mut spent(), cx)).await.unwrap();
        let decoder = head.decoder(&Method::GET).unwrap();
        let mut answer = awaiting.into_body(decoder, true);
        let (mut count, mut largest) = (0, 0);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await {
            let data = frame.unwrap().into_data().unwrap();
            (count, largest) = (count + data.len(), largest.max(data.len()));
        }
        (count, largest, answer.take_rested().is_some())
    };
    let ((), (count, largest, keeps)) = tokio::join!(write, read);
    assert_eq!((count, keeps), (LENGTH, true));
    assert!(largest <= 64 * 1024, "{largest}");
}
