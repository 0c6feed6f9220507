//! Fetches small documents over http and https: time, size and destination are bounded, redirects are
//! not followed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keyward_core::rule::upstream::Upstream;
use rustls::ClientConfig;

use crate::upstream::connect::connect;
use crate::upstream::resolve::Resolver;

/// A client for documents. Connections are not kept: it is asked rarely.
pub struct HttpClient {
    resolver: Resolver,
    tls: Arc<ClientConfig>,
}

/// What a document fetch is limited to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole of it, connecting included.
    pub time: Duration,
    /// The body, in bytes.
    pub bytes: usize,
}

impl HttpClient {
    /// A client with the overrides and trust roots of the upstreams; `tls` must offer HTTP/1.1 only.
    pub fn new(resolver: Resolver, tls: Arc<ClientConfig>) -> Self {
        Self { resolver, tls }
    }

    /// Fetches a document. Anything but 200 is an error, whose text is for the operator.
    pub async fn get(&self, url: &str, limits: Limits) -> Result<Bytes, String> {
        match tokio::time::timeout(limits.time, self.attempt(url, limits)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no complete answer within {} ms", limits.time.as_millis())),
        }
    }

    async fn attempt(&self, url: &str, limits: Limits) -> Result<Bytes, String> {
        let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
        let place = Upstream::parse(address, "")?;
        let origin = place.origin();
        let stream =
            connect(origin, &self.resolver, &self.tls, limits.time).await.map_err(|error| error.to_string())?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(64 * 1024);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let connection = tokio::spawn(connection);
        let request = Request::get(place.target("/", query))
            .header(HOST, place.host())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(match answer.status().is_redirection() {
                true => format!("status {}; redirects are not followed", answer.status()),
                false => format!("status {}", answer.status()),
            });
        }
        let body = Limited::new(answer.into_body(), limits.bytes).collect().await.map_err(|error| error.to_string());
        connection.abort();
        Ok(body?.to_bytes())
    }
}
