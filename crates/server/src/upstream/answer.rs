//! An upstream's answer, and what of it may be passed on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::error::ForwardError;
use super::framing;
use super::http1::{self, Awaiting, Head};
use super::pool::Home;

/// The head of an answer, its body still to come. Hop-by-hop fields are gone. Boxed where it is made, since it goes from
/// hand to hand.
pub type Answer = Response<AnswerBody>;

/// A body as it comes.
pub enum AnswerBody {
    /// Over HTTP/1.1; where the connection goes back to, if it may have another request afterwards.
    Http1(http1::AnswerBody, Option<Home>),
    /// Over HTTP/2.
    Http2(Incoming),
}

/// What may be passed on of an answer over HTTP/1.1.
pub(super) fn of_http1(
    mut head: Head,
    awaiting: Awaiting,
    method: &Method,
    upgrade: Option<&HeaderValue>,
    home: Option<Home>,
) -> Result<Box<Answer>, ForwardError> {
    check_upgrade(head.status, &head.headers, upgrade)?;
    let said_twice = framing::settle(&mut head.headers)?;
    let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
    if switches && !awaiting.is_sent() {
        return Err(ForwardError::Upgrade("switched protocols before it had the whole request"));
    }
    let decoder = head.decoder(method)?;
    let keeps = head.keeps_connection() && !said_twice && !switches && !decoder.ends_with_connection();
    remove_hop_by_hop(&mut head.headers, switches);
    let body = AnswerBody::Http1(awaiting.into_body(decoder, keeps), home.filter(|_| keeps));
    let mut answer = Box::new(Response::new(body));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    Ok(answer)
}

/// What may be passed on of an answer over HTTP/2.
pub(super) fn of_http2(mut answer: Response<Incoming>) -> Result<Box<Answer>, ForwardError> {
    check_upgrade(answer.status(), answer.headers(), None)?;
    framing::settle(answer.headers_mut())?;
    remove_hop_by_hop(answer.headers_mut(), false);
    Ok(Box::new(answer.map(AnswerBody::Http2)))
}

impl AnswerBody {
    /// The answer has ended as it should, just now: its connection may have the next request.
    pub fn give_back(&mut self, now: Instant) {
        if let AnswerBody::Http1(body, Some(home)) = self
            && let Some(connection) = body.take_rested()
        {
            home.put(connection, now);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            AnswerBody::Http1(body, _) => Pin::new(body).poll_frame(cx),
            AnswerBody::Http2(body) => Pin::new(body).poll_frame(cx).map_err(io::Error::other),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Http1(body, _) => body.is_end_stream(),
            AnswerBody::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Http1(body, _) => body.size_hint(),
            AnswerBody::Http2(body) => body.size_hint(),
        }
    }
}

/// A 101 counts only when it was asked for, and names the same protocol (CVE-2026-73548).
fn check_upgrade(status: StatusCode, headers: &HeaderMap, asked: Option<&HeaderValue>) -> Result<(), ForwardError> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let given = headers.get(UPGRADE);
    match (asked, given) {
        (None, _) => Err(ForwardError::Upgrade("switched protocols without being asked")),
        (Some(asked), Some(given)) if given.as_bytes().eq_ignore_ascii_case(asked.as_bytes()) => Ok(()),
        _ => Err(ForwardError::Upgrade("switched to another protocol than was asked for")),
    }
}

/// Fields that end at one hop (RFC 9110 section 7.6.1), and `Proxy-Connection`, which some still send.
fn ends_at_this_hop(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == TRANSFER_ENCODING
        || *name == UPGRADE
        || *name == TE
        || *name == PROXY_AUTHENTICATE
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Removes the fields of the upstream's own hop. A 101 keeps the protocol it names.
fn remove_hop_by_hop(headers: &mut HeaderMap, switches: bool) {
    let mut doomed: Vec<HeaderName> = Vec::new();
    let mut has_connection = false;
    // Trailers can only follow chunks.
    let announces_in_vain = |name: &HeaderName| *name == TRAILER && headers.contains_key(CONTENT_LENGTH);
    for (name, value) in headers.iter().filter(|(name, _)| ends_at_this_hop(name) || announces_in_vain(name)) {
        if *name != CONNECTION {
            doomed.push(name.clone());
            continue;
        }
        has_connection = true;
        // What nearly every answer says names no other field.
        if !matches!(value.as_bytes(), b"keep-alive" | b"close") {
            let names = value.as_bytes().split(|byte| *byte == b',');
            doomed.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()));
        }
    }
    if has_connection {
        headers.remove(CONNECTION);
    }
    for name in doomed.iter().filter(|name| !(switches && **name == UPGRADE)) {
        headers.remove(name);
    }
}
