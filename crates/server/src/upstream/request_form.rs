//! A request as it is written to an upstream, in the form of either version of HTTP.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};
use keyward_core::pipeline::grant::Outgoing;
use keyward_core::rule::upstream::UpstreamOrigin;

use super::error::ForwardError;
use crate::proxy::body::RequestBody;

/// In bytes.
const SMALL_TARGET: usize = 1024;
const FEW_HEADERS: usize = 32;

/// A request that may be sent again without doing anything twice (RFC 9110 section 9.2.2). A flat copy, since
/// nearly none is needed, in memory that serves the next one.
#[derive(Default)]
pub(super) struct Repeatable {
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Repeatable {
    /// A copy, if the request, in origin form, is one of those.
    pub(super) fn of(request: &Request<RequestBody>, memory: impl FnOnce() -> Self) -> Option<Self> {
        let method = request.method();
        let is_idempotent =
            matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
        if !is_idempotent || !request.body().is_empty() || request.headers().contains_key(UPGRADE) {
            return None;
        }
        let Self { mut target, mut headers, .. } = memory().emptied();
        target.push_str(request.uri().path_and_query().map_or("/", PathAndQuery::as_str));
        headers.extend(request.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
        Some(Self { method: method.clone(), target, headers })
    }

    /// The request again.
    pub(super) fn request(self) -> Option<Request<RequestBody>> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::try_from(self.target).ok()?;
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        Some(request)
    }

    /// Whether its memory is worth keeping; that of unusually large requests would be kept for small ones.
    pub(super) fn is_small(&self) -> bool {
        self.target.capacity() <= SMALL_TARGET && self.headers.capacity() <= FEW_HEADERS
    }

    /// Only the memory: credentials do not outlive their request.
    pub(super) fn emptied(mut self) -> Self {
        self.target.clear();
        self.headers.clear();
        self
    }
}

/// Origin form with `Host` (RFC 9112 section 3.2.1).
pub(super) fn http1_request(outgoing: Outgoing, body: RequestBody) -> Result<Request<RequestBody>, ForwardError> {
    let mut request = Request::new(body);
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = Uri::try_from(outgoing.target)
        .map_err(|_| ForwardError::Exchange("the target is not a valid request target".to_owned()))?;
    *request.headers_mut() = outgoing.headers;
    announce_body(&mut request);
    let headers = request.headers_mut();
    if let Some(protocol) = outgoing.upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    } else if outgoing.accepts_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    Ok(request)
}

/// Unless told so, hyper takes a GET or HEAD to have no body, and sends none. Where a body is to be expected, its
/// absence is said, since some upstreams answer 411 otherwise (RFC 9110 section 8.6).
fn announce_body(request: &mut Request<RequestBody>) {
    if request.headers().contains_key(CONTENT_LENGTH) {
        return;
    }
    if !request.body().is_empty() {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    } else if matches!(*request.method(), Method::PATCH | Method::POST | Method::PUT) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// The same request in HTTP/2's form: authority in the target, no connection fields (RFC 9113 section 8.2.2).
pub(super) fn http2_form(
    request: Request<RequestBody>,
    origin: &UpstreamOrigin,
) -> Result<Request<RequestBody>, ForwardError> {
    let (mut head, body) = request.into_parts();
    let host = head.headers.remove(HOST);
    head.headers.remove(CONNECTION);
    head.headers.remove(TRANSFER_ENCODING);
    let authority = match host.as_ref().and_then(|host| host.to_str().ok()) {
        Some(host) => host.to_owned(),
        None => origin.authority(),
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    head.uri = Uri::builder()
        .scheme(origin.scheme.as_str())
        .authority(authority)
        .path_and_query(target)
        .build()
        .map_err(|error| ForwardError::Exchange(error.to_string()))?;
    head.version = Version::HTTP_2;
    Ok(Request::from_parts(head, body))
}

/// Back to origin form: the next connection may speak HTTP/1.1.
pub(super) fn http1_form(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    if let Some(host) = uri.authority.take().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    uri.scheme = None;
    *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
    announce_body(&mut request);
    if request.headers().contains_key(TE) {
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("te"));
    }
    request
}
