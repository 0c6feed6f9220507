//! Requests as hyper's server reads them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::bodies::{Source, body};
use super::played::{PATIENCE, run};
use super::{Awaiting, Failure, pair};
use crate::proxy::body::RequestBody;
use crate::upstream::http1::Unsent;

/// A request as somebody means or reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whole {
    method: Method,
    target: String,
    fields: HeaderMap,
    body: Bytes,
}

/// Sends a request to hyper's server; the requests that came whole, and whether the connection may have another.
async fn sent(request: &Whole, body: RequestBody) -> (Vec<Whole>, Result<bool, String>) {
    let (connection, peer) = pair().await;
    peer.set_zero_linger().unwrap();
    let seen = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let (method, target, fields) = (head.method, head.uri.to_string(), head.headers);
        seen.borrow_mut().push(Whole { method, target, fields, body });
        let mut answer = Response::new(Empty::<Bytes>::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok::<_, hyper::Error>(answer)
    });
    let serve = http1::Builder::new().serve_connection(TokioIo::new(peer), service);
    let send = async {
        let mut awaiting = Awaiting::begin(connection, &request.method, &request.target, &request.fields, body);
        let head = timeout(PATIENCE, poll_fn(|cx| awaiting.poll(&mut HeaderMap::new(), cx)))
            .await
            .map_err(|_| "no answer".to_owned())?;
        let head = head.map_err(|failure| format!("{failure:?}"))?;
        let mut answer = awaiting.into_body(head.decoder(&request.method).unwrap(), true);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await {
            frame.map_err(|error| error.to_string())?;
        }
        Ok(answer.take_rested().is_some())
    };
    // The connection ends with the sender's side.
    let (_, rests) = tokio::join!(serve, send);
    (seen.into_inner(), rests)
}

fn parts() -> impl Strategy<Value = Vec<Bytes>> {
    let length = prop_oneof![3 => Just(0), 8 => 1..100_usize, 3 => 8_000..9_000_usize, 1 => 60_000..300_000_usize];
    let part = (length, any::<u8>()).prop_map(|(length, first)| {
        (0..length).map(|at| first.wrapping_add((at % 251) as u8)).collect::<Vec<u8>>().into()
    });
    vec(part, 0..6)
}

fn source() -> impl Strategy<Value = Source> {
    select(vec![Source::Held, Source::Http1, Source::Http2])
}

fn request() -> impl Strategy<Value = Whole> {
    let method = select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]);
    let target = "/([a-zA-Z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2}){0,40}([?][a-zA-Z0-9=&/?%+]{0,30})?";
    let name = "x-[a-z0-9!#$%&'*+.^_`|~-]{0,12}";
    let value = vec(prop_oneof![8 => 0x21..=0x7e_u8, 1 => Just(b' '), 1 => 0x80..=0xff_u8], 0..40);
    let value = value.prop_map(|bytes| bytes.trim_ascii().to_vec());
    (method, target, vec((name, value), 0..12)).prop_map(|(method, target, fields)| {
        let mut headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("h"))]);
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(&value).unwrap());
        }
        Whole { method: method.parse().unwrap(), target, fields: headers, body: Bytes::new() }
    })
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_meant(
        request in request(), parts in parts(), source in source(), says_length: bool,
    ) {
        let mut request = Whole { body: parts.concat().into(), ..request };
        let (seen, rests) = run(async {
            let body = body(source, &parts, true).await;
            if says_length {
                request.fields.insert(http::header::CONTENT_LENGTH, request.body.len().into());
            } else if !body.is_empty() {
                request.fields.insert(http::header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            sent(&request, body).await
        });
        // Of a body whose length is known, everything may have gone out and be answered before its end is seen.
        let may_be_early = says_length && !matches!(source, Source::Held);
        prop_assert!(rests == Ok(true) || (may_be_early && rests == Ok(false)), "{:?}", rests);
        prop_assert!(seen == [request], "{:?}", seen.iter().map(|seen| (&seen.target, seen.body.len())).collect::<Vec<_>>());
    }

    #[test]
    fn a_body_of_another_length_than_was_announced_never_completes(
        parts in parts(), source in source(), by in 1..20_000_usize, is_short: bool,
    ) {
        let whole = Bytes::from(parts.concat());
        prop_assume!(is_short || !whole.is_empty());
        let announced = if is_short { whole.len() + by } else { whole.len() - by.min(whole.len()) };
        let fields = HeaderMap::from_iter([
            (http::header::HOST, HeaderValue::from_static("h")),
            (http::header::CONTENT_LENGTH, announced.into()),
        ]);
        let request = Whole { method: Method::POST, target: "/".into(), fields, body: Bytes::new() };
        let (seen, rests) = run(async { sent(&request, body(source, &parts, true).await).await });
        prop_assert_ne!(rests, Ok(true));
        // All that was announced may have been there before there was too much.
        prop_assert!(!is_short || seen.is_empty(), "a short body was taken for a whole one");
        prop_assert!(seen.iter().all(|seen| seen.body == whole[..announced]));
    }
}

#[test]
fn the_body_is_given_back_when_nothing_of_its_request_went_out() {
    for (source, is_there) in [(Source::Held, false), (Source::Http1, true), (Source::Http2, true)] {
        for resets in [true, false] {
            let (failure, is_given_back) = run(async {
                // One that has not begun to come, where there is one.
                let body = body(source, &[], false).await;
                assert_eq!(!body.is_empty(), is_there);
                let (connection, peer) = pair().await;
                if resets {
                    peer.set_zero_linger().unwrap();
                }
                drop(peer);
                // Nobody has noticed yet. After a reset nothing can be written; after an end something can.
                let mut awaiting = Awaiting::begin(connection, &Method::PUT, "/", &HeaderMap::new(), body);
                let failure = poll_fn(|cx| awaiting.poll(&mut HeaderMap::new(), cx)).await.err();
                assert!(!awaiting.is_answered());
                (failure, matches!(awaiting.unsent(), Some(Unsent::Untouched(body)) if body.is_empty() != is_there))
            });
            assert!(matches!(failure, Some(Failure::Broken(_))), "{source:?} {resets}: {failure:?}");
            assert_eq!(is_given_back, resets, "{source:?}");
        }
    }
}

/// How the upstream reads a request whose first connection was reset before anything of it could be written.
async fn sent_again(length: usize) -> Option<(Vec<u8>, u16)> {
    let (connection, peer) = pair().await;
    peer.set_zero_linger().unwrap();
    drop(peer);
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_LENGTH, length.into());
    let body = RequestBody::held(Bytes::from(vec![b'x'; length]));
    let mut awaiting = Awaiting::begin(connection, &Method::POST, "/", &headers, body);
    let failure = poll_fn(|cx| awaiting.poll(&mut HeaderMap::new(), cx)).await.err();
    assert!(matches!(failure, Some(Failure::Broken(_))), "{failure:?}");
    let Some(Unsent::Written(written)) = awaiting.unsent() else { return None };
    let (connection, mut peer) = pair().await;
    let mut awaiting = Awaiting::resume(connection, *written);
    let serve = async {
        let mut seen = vec![0; format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n").len() + length];
        peer.read_exact(&mut seen).await.unwrap();
        peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        seen
    };
    let mut spent = HeaderMap::new();
    let (seen, head) = tokio::join!(serve, poll_fn(|cx| awaiting.poll(&mut spent, cx)));
    Some((seen, head.unwrap().status.as_u16()))
}

#[test]
fn a_request_whose_first_write_fails_is_sent_over_another_connection_as_it_was() {
    for (length, is_sent) in [(2, true), (7 * 1024, true), (12 * 1024, true), (32 * 1024, false)] {
        let again = run(sent_again(length));
        assert_eq!(again.is_some(), is_sent, "{length}");
        let Some((seen, status)) = again else { continue };
        let expected = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length));
        assert_eq!((String::from_utf8_lossy(&seen), status), (expected.into(), 204), "{length}");
    }
}
