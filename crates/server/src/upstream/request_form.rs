//! A request in the form of either version of HTTP.

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use keyward_core::pipeline::grant::Outgoing;

use super::error::ForwardError;
use super::http1::put_head;
use crate::proxy::body::RequestBody;

/// The fields of HTTP/1.1, with those that hold for this hop (RFC 9112 section 6, RFC 9110 section 7.6.1).
pub(super) fn add_hop_fields(outgoing: &mut Outgoing, body: &RequestBody) {
    let headers = &mut outgoing.headers;
    announce_body(headers, &outgoing.method, body);
    if let Some(protocol) = &outgoing.upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    } else if outgoing.accepts_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// A request's head as an upstream that speaks HTTP/1.1 gets it: for who checks that it says there what it says here.
pub fn http1_head(mut outgoing: Box<Outgoing>, body: &RequestBody) -> BytesMut {
    add_hop_fields(&mut outgoing, body);
    let mut head = BytesMut::new();
    put_head(&mut head, &outgoing.method, &outgoing.target, &outgoing.headers);
    head
}

/// Where a body is to be expected, its absence is said, since some upstreams answer 411 otherwise (RFC 9110 section 8.6).
fn announce_body(headers: &mut HeaderMap, method: &Method, body: &RequestBody) {
    let is_expected = matches!(*method, Method::PATCH | Method::POST | Method::PUT);
    if body.is_empty() && !is_expected || headers.contains_key(CONTENT_LENGTH) {
        return;
    }
    if body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    } else {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// The request in HTTP/2's form: authority in the target, no connection fields (RFC 9113 section 8.2.2).
pub(super) fn http2_request(
    mut outgoing: Box<Outgoing>,
    body: RequestBody,
) -> Result<Request<RequestBody>, ForwardError> {
    add_hop_fields(&mut outgoing, &body);
    let Outgoing { method, origin, target, mut headers, .. } = *outgoing;
    let host = headers.remove(HOST);
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    let authority = match host.as_ref().and_then(|host| host.to_str().ok()) {
        Some(host) => host.to_owned(),
        None => origin.authority(),
    };
    let uri = Uri::builder().scheme(origin.scheme.as_str()).authority(authority).path_and_query(target).build();
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri.map_err(|error| ForwardError::Exchange(error.to_string()))?;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Whether a request does nothing twice when it is sent again (RFC 9110 section 9.2.2), and can be.
pub(super) fn is_repeatable(outgoing: &Outgoing, body: &RequestBody) -> bool {
    matches!(outgoing.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
        && body.is_empty()
        && outgoing.upgrade.is_none()
}
