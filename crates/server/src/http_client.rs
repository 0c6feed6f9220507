//! Fetches small documents over http and https: time, size and destination are bounded, redirects are
//! not followed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keyward_core::rule::upstream::{Upstream, UpstreamOrigin};
use keyward_core::side_url::SideUrl;
use rustls::ClientConfig;

use crate::upstream::connect::connect;
use crate::upstream::resolve::Resolver;

/// A client for documents. Connections are not kept: it is asked rarely.
#[derive(Clone)]
pub struct HttpClient {
    resolver: Arc<Resolver>,
    tls: Arc<ClientConfig>,
}

/// What a document fetch is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole of it, connecting included.
    pub time: Duration,
    /// The body, in bytes.
    pub bytes: usize,
}

impl HttpClient {
    /// A client with the overrides and trust roots of the upstreams; `tls` must offer HTTP/1.1 only.
    pub fn new(resolver: Resolver, tls: Arc<ClientConfig>) -> Self {
        Self { resolver: Arc::new(resolver), tls }
    }

    /// Whether this is a copy of the other.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.resolver, &other.resolver) && Arc::ptr_eq(&self.tls, &other.tls)
    }

    /// Fetches a document. Anything but 200 is an error, whose text is for the operator.
    pub async fn get(&self, url: &str, limits: Limits) -> Result<Bytes, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.ask(url, headers, limits).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status if status.is_redirection() => Err(format!("status {status}; redirects are not followed")),
            status => Err(format!("status {status}")),
        }
    }

    /// Asks for a document, with further headers. Any status is an answer.
    pub async fn ask(&self, url: &str, headers: HeaderMap, limits: Limits) -> Result<Response<Bytes>, String> {
        let url = SideUrl::parse(url)?;
        let place = Upstream::parse(url.origin(), "")?;
        let mut request = Request::get(url.target())
            .header(HOST, place.host())
            .header(USER_AGENT, concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        request.headers_mut().extend(headers);
        url.authorize(request.headers_mut());
        self.exchange(place.origin(), request, limits).await
    }

    /// Sends a request to the absolute URL that it names, as it is: it may be signed. Any status is an answer.
    pub async fn send(&self, mut request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, String> {
        let uri = std::mem::take(request.uri_mut()).into_parts();
        let (Some(scheme), Some(authority)) = (uri.scheme, uri.authority) else {
            return Err("the URL is not absolute".to_owned());
        };
        let place = Upstream::parse(&format!("{scheme}://{authority}"), "")?;
        request.headers_mut().entry(HOST).or_insert_with(|| place.host().clone());
        *request.uri_mut() = uri.path_and_query.map_or_else(|| Uri::from_static("/"), Uri::from);
        self.exchange(place.origin(), request, limits).await
    }

    async fn exchange(
        &self,
        origin: &UpstreamOrigin,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, String> {
        match tokio::time::timeout(limits.time, self.attempt(origin, request, limits)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no complete answer within {} ms", limits.time.as_millis())),
        }
    }

    async fn attempt(
        &self,
        origin: &UpstreamOrigin,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, String> {
        let stream =
            connect(origin, &self.resolver, &self.tls, limits.time).await.map_err(|error| error.to_string())?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(64 * 1024);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request.map(Full::new)).await.map_err(|error| error.to_string())?;
        let (head, body) = answer.into_parts();
        if body.size_hint().lower() > limits.bytes as u64 {
            return Err(format!("the answer is larger than {} bytes", limits.bytes));
        }
        let body = Limited::new(body, limits.bytes).collect().await.map_err(|error| error.to_string());
        connection.abort();
        Ok(Response::from_parts(head, body?.to_bytes()))
    }
}
