//! Calls side services over connections that are kept, one pool per core. Time, size and the number of
//! attempts are bounded; redirects are not followed, bodies are not decompressed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keyward_core::ports::{CallPolicy, LocalFuture, SideAnswer, SideClient, SideError, SideRequest};
use keyward_core::rule::upstream::Upstream;
use rustls::ClientConfig;
use thread_local::ThreadLocal;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::retry_after::retry_after;
use crate::upstream::connect::{UpstreamStream, connect};
use crate::upstream::error::chain;
use crate::upstream::resolve::Resolver;

/// Idle connections kept per service and core.
const MAX_IDLE: usize = 32;
/// How long they are kept: below what servers usually allow.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls side services.
pub struct PooledSideClient {
    connector: Connector,
    /// A connection is driven by the core that made it, so every core has its own.
    clients: ThreadLocal<Client<Connector, Full<Bytes>>>,
}

impl PooledSideClient {
    /// A client with the overrides and trust roots of the upstreams; `tls` must offer HTTP/1.1 only.
    pub fn new(resolver: Resolver, tls: Arc<ClientConfig>, connect_timeout: Duration) -> Self {
        let connector = Connector { resolver: Arc::new(resolver), tls, connect_timeout };
        Self { connector, clients: ThreadLocal::new() }
    }

    fn client(&self) -> &Client<Connector, Full<Bytes>> {
        self.clients.get_or(|| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(MAX_IDLE)
                .build(self.connector.clone())
        })
    }

    async fn call(&self, request: &SideRequest, policy: &CallPolicy) -> Result<SideAnswer, SideError> {
        let mut wait = policy.first_wait;
        let mut attempts = 1;
        loop {
            let outcome = self.attempt(request, policy).await;
            if policy.attempts <= 1 {
                return outcome;
            }
            let (last, asked) = match outcome {
                Ok(answer) if !is_retried(answer.status) => return Ok(answer),
                Err(SideError::TooLong) => return Err(SideError::TooLong),
                Ok(answer) => (
                    format!("status {}", answer.status.as_u16()),
                    retry_after(answer.status, &answer.headers, SystemTime::now()),
                ),
                Err(error) => (error.to_string(), None),
            };
            if attempts == policy.attempts {
                return Err(SideError::GaveUp { attempts, last });
            }
            tokio::time::sleep(asked.unwrap_or(wait).min(policy.max_wait)).await;
            wait = wait.saturating_mul(2);
            attempts += 1;
        }
    }

    async fn attempt(&self, request: &SideRequest, policy: &CallPolicy) -> Result<SideAnswer, SideError> {
        let mut headers = request.headers.clone();
        // RFC 9110 section 8.6: said where content is usual, and there is none. hyper leaves it out.
        if request.body.is_empty() && matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let uri: Uri = request.url.parse().map_err(|_| SideError::Broken("its URL cannot be requested".to_owned()))?;
        let exchange = async {
            let answer = loop {
                let mut message = Request::new(Full::new(request.body.clone()));
                *message.method_mut() = request.method.clone();
                *message.uri_mut() = uri.clone();
                *message.headers_mut() = headers.clone();
                match self.client().request(message).await {
                    Ok(answer) => break answer,
                    // Each time one kept connection is gone, and a new one ends it.
                    Err(error) if request.method.is_safe() && ended_unheard(&error) => {}
                    Err(error) => return Err(SideError::Broken(chain(&error))),
                }
            };
            if let Some(Heard { anything, .. }) = answer.extensions().get() {
                anything.store(true, Ordering::Relaxed);
            }
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, policy.max_body).collect().await.map_err(|error| {
                match error.is::<LengthLimitError>() {
                    true => SideError::TooLong,
                    false => SideError::Cut(chain(&*error)),
                }
            })?;
            Ok(SideAnswer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(policy.attempt_timeout, exchange).await.unwrap_or(Err(SideError::TimedOut))
    }
}

impl SideClient for PooledSideClient {
    fn call<'a>(
        &'a self,
        request: SideRequest,
        policy: &'a CallPolicy,
    ) -> LocalFuture<'a, Result<SideAnswer, SideError>> {
        Box::pin(async move { self.call(&request, policy).await })
    }
}

/// Whether a call broke on a connection that had served others, and nothing was heard since: its end may have crossed
/// the call on the way (RFC 9112 section 9.3.1), so a call that changes nothing may be repeated.
fn ended_unheard(error: &hyper_util::client::legacy::Error) -> bool {
    let mut of_connection = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut of_connection);
    }
    let of_connection: Option<&Heard> = of_connection.get();
    of_connection
        .is_some_and(|heard| heard.anything.load(Ordering::Relaxed) && !heard.since_call.load(Ordering::Relaxed))
}

/// Statuses that say nothing about the request itself (pipeline spec 1.8).
pub(crate) fn is_retried(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// Connects as upstreams are connected to.
#[derive(Clone)]
struct Connector {
    resolver: Arc<Resolver>,
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<SideStream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { resolver, tls, connect_timeout } = self.clone();
        Box::pin(async move {
            let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
            let origin = format!("{scheme}://{}", authority.map_or("", |authority| authority.as_str()));
            let place = Upstream::parse(&origin, "").map_err(std::io::Error::other)?;
            let stream = connect(place.origin(), &resolver, &tls, connect_timeout).await;
            stream.map(|stream| TokioIo::new(SideStream(stream, Heard::default()))).map_err(std::io::Error::other)
        })
    }
}

/// What a connection has brought.
#[derive(Clone, Default)]
struct Heard {
    /// An answer to any call.
    anything: Arc<AtomicBool>,
    /// A byte since the latest call was written.
    since_call: Arc<AtomicBool>,
}

/// A connection of the pool.
struct SideStream(UpstreamStream, Heard);

impl Connection for SideStream {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.1.clone())
    }
}

impl AsyncRead for SideStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let Self(stream, heard) = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            heard.since_call.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncWrite for SideStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let Self(stream, heard) = self.get_mut();
        heard.since_call.store(false, Ordering::Relaxed);
        Pin::new(stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
