//! Sends a credentialed request and takes the head of the answer. Nothing else can be sent.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::DerefMut;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyward_core::pipeline::grant::{CredentialedRequest, Outgoing};
use keyward_core::ports::LocalFuture;
use keyward_core::rule::upstream::UpstreamOrigin;
use rustls::ClientConfig;

use super::connect::connect;
use super::error::{ForwardError, chain};
use super::framing;
use super::pool::{Lease, Pool, Taken};
use super::resolve::Resolver;
use crate::local_executor::LocalExecutor;
use crate::proxy::body::{RequestBody, RequestTally};
use crate::proxy::stall::Stall;

/// What an answer's head may hold.
const MAX_RESPONSE_HEADERS: usize = 128;
/// The read buffer of an upstream connection.
const MAX_BUFFER: usize = 64 * 1024;

/// Timers kept for reuse.
const MAX_TIMERS: usize = 1024;

/// One core's way to upstreams.
pub struct Forwarder {
    pool: Rc<Pool>,
    resolver: Rc<Resolver>,
    tls: UpstreamTls,
    connect_timeout: Duration,
    header_timeout: Duration,
    /// Timers at rest: moving one costs more than keeping it.
    timers: RefCell<Vec<Stall>>,
}

/// TLS to upstreams. An upgrade is HTTP/1.1's, so a connection for one must not negotiate HTTP/2.
#[derive(Clone)]
pub struct UpstreamTls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 only.
    pub http1: Arc<ClientConfig>,
}

/// The head of an answer, its body still to come.
pub struct Answer {
    /// Hop-by-hop fields are gone.
    pub response: Response<Incoming>,
    /// The connection, when it can be used again once the body has ended.
    pub lease: Option<Lease>,
}

impl Forwarder {
    /// A forwarder over a pool.
    pub fn new(
        pool: Rc<Pool>,
        resolver: Rc<Resolver>,
        tls: UpstreamTls,
        connect_timeout: Duration,
        header_timeout: Duration,
    ) -> Self {
        Self { pool, resolver, tls, connect_timeout, header_timeout, timers: RefCell::default() }
    }

    /// The pool, for upkeep.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Sends a request. It is sent again, once and on a fresh connection, only when a pooled one turned
    /// out to be dead before anything went out, or when the method is idempotent and the body empty.
    ///
    /// What can be done at once is done before there is a future: every future that a request's parts pass
    /// through copies them.
    pub fn send<'f>(
        &'f self,
        request: CredentialedRequest,
        body: RequestBody,
        now: Instant,
    ) -> impl Future<Output = Result<Answer, ForwardError>> + use<'f> {
        let outgoing = request.into_outgoing();
        let (origin, upgrade, tally) = (outgoing.origin.clone(), outgoing.upgrade.clone(), body.tally());
        let begun = self.begin(&origin, outgoing, body);
        async move {
            let wait = Wait { tally: tally.as_deref(), since: now };
            let outcome = match begun? {
                Begun::Sent { sent, lease, repeatable } => self.ended(sent, lease, repeatable, &origin, &wait).await,
                Begun::Otherwise(future) => self.within(future, &wait).await.flatten(),
            };
            if let Err(ForwardError::Timeout(_)) = outcome {
                // Its peer may be gone without a word, and others must not wait for it too.
                self.pool.forget_http2(&origin);
            }
            self.cleaned(outcome?, upgrade.as_ref())
        }
    }

    /// What comes from a pooled connection, or else from a fresh one.
    async fn ended(
        &self,
        sent: LocalFuture<'static, Sent>,
        lease: Lease,
        repeatable: Option<Box<Request<RequestBody>>>,
        origin: &Arc<UpstreamOrigin>,
        wait: &Wait<'_>,
    ) -> Result<Answer, ForwardError> {
        let mut error = match self.within(sent, wait).await? {
            Ok(response) => return Ok(Answer { response, lease: Some(lease) }),
            Err(error) => error,
        };
        match error.take_message().or_else(|| repeatable.map(|again| *again)) {
            Some(again) => self.within(Box::pin(self.fresh(origin.clone(), again)), wait).await?,
            None => Err(exchange_error(error)),
        }
    }

    /// An answer that may be passed on.
    fn cleaned(&self, mut answer: Answer, upgrade: Option<&HeaderValue>) -> Result<Answer, ForwardError> {
        check_upgrade(&answer.response, upgrade)?;
        let said_twice = framing::settle(answer.response.headers_mut())?;
        let switches = answer.response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
        if switches || said_twice {
            answer.lease = None;
        }
        remove_hop_by_hop(answer.response.headers_mut(), switches);
        Ok(answer)
    }

    /// Limits the wait for an answer's head. While the caller's body moves, the wait has not begun.
    async fn within<F: Future + ?Sized>(
        &self,
        mut exchange: Pin<impl DerefMut<Target = F>>,
        wait: &Wait<'_>,
    ) -> Result<F::Output, ForwardError> {
        let progress = || wait.tally.map(|tally| (tally.bytes.get(), tally.ended.get()));
        let mut before = progress();
        let mut timer = self.timers.borrow_mut().pop().unwrap_or_else(|| Stall::new(self.header_timeout));
        timer.begin(wait.since);
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(outcome) = exchange.as_mut().poll(cx) {
                return Poll::Ready(Ok(outcome));
            }
            while timer.poll(cx).is_ready() {
                if progress() == before {
                    return Poll::Ready(Err(ForwardError::Timeout("for the upstream to answer")));
                }
                before = progress();
                timer.reset();
            }
            Poll::Pending
        })
        .await;
        let mut timers = self.timers.borrow_mut();
        if timers.len() < MAX_TIMERS {
            timers.push(timer);
        }
        outcome
    }

    /// Hands the request to a connection, where one is at rest. What is rare or large is boxed.
    fn begin<'f>(
        &'f self,
        origin: &Arc<UpstreamOrigin>,
        outgoing: Outgoing,
        body: RequestBody,
    ) -> Result<Begun<'f>, ForwardError> {
        let mut lease = match self.pool.take(origin, outgoing.upgrade.is_none()) {
            Taken::Http1(lease) => lease,
            Taken::Http2(sender) => {
                return Ok(Begun::Otherwise(Box::pin(self.over_http2(sender, origin.clone(), outgoing, body))));
            }
            Taken::Nothing => {
                let request = http1_request(outgoing, body)?;
                return Ok(Begun::Otherwise(Box::pin(self.fresh(origin.clone(), request))));
            }
        };
        let request = http1_request(outgoing, body)?;
        let repeatable = repeatable(&request).map(Box::new);
        Ok(Begun::Sent { sent: Box::pin(lease.sender.try_send_request(request)), lease, repeatable })
    }

    async fn over_http2(
        &self,
        sender: http2::SendRequest<RequestBody>,
        origin: Arc<UpstreamOrigin>,
        outgoing: Outgoing,
        body: RequestBody,
    ) -> Result<Answer, ForwardError> {
        let request = http1_request(outgoing, body)?;
        let repeatable = repeatable(&request);
        match try_send_http2(sender, http2_form(request, &origin)?).await {
            Ok(answer) => Ok(answer),
            Err((Some(unsent), _)) => self.fresh(origin, http1_form(unsent)).await,
            Err((None, error)) => match repeatable {
                Some(again) => self.fresh(origin, again).await,
                None => Err(error),
            },
        }
    }

    async fn fresh(&self, origin: Arc<UpstreamOrigin>, request: Request<RequestBody>) -> Result<Answer, ForwardError> {
        let tls = if request.headers().contains_key(UPGRADE) { &self.tls.http1 } else { &self.tls.any };
        let stream = connect(&origin, &self.resolver, tls, self.connect_timeout).await?;
        let broken = |error: hyper::Error| ForwardError::Connect(format!("{}: {error}", origin.authority()));
        if stream.speaks_http2() {
            let mut builder = http2::Builder::new(LocalExecutor);
            builder.timer(TokioTimer::new()).max_header_list_size(32 * 1024).max_concurrent_reset_streams(64);
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
            tokio::task::spawn_local(connection);
            self.pool.keep_http2(&origin, sender.clone());
            return try_send_http2(sender, http2_form(request, &origin)?).await.map_err(|(_, error)| error);
        }
        let mut builder = http1::Builder::new();
        builder.writev(false).max_headers(MAX_RESPONSE_HEADERS).max_buf_size(MAX_BUFFER);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::task::spawn_local(connection.with_upgrades());
        sender.ready().await.map_err(broken)?;
        let mut lease = self.pool.lease(&origin, sender);
        match lease.sender.try_send_request(request).await {
            Ok(response) => Ok(Answer { response, lease: Some(lease) }),
            Err(error) => Err(exchange_error(error)),
        }
    }
}

/// What comes of handing a request to an HTTP/1 connection; an error carries the request back when nothing
/// of it went out.
type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// An exchange that has begun.
enum Begun<'f> {
    /// A pooled connection has the request.
    Sent { sent: LocalFuture<'static, Sent>, lease: Lease, repeatable: Option<Box<Request<RequestBody>>> },
    /// It takes more than that.
    Otherwise(LocalFuture<'f, Result<Answer, ForwardError>>),
}

/// What the wait for an answer depends on.
struct Wait<'w> {
    tally: Option<&'w RequestTally>,
    since: Instant,
}

/// The request, when nothing of it went out, and why.
type Unsent = (Option<Request<RequestBody>>, ForwardError);

fn exchange_error<T>(error: TrySendError<T>) -> ForwardError {
    ForwardError::Exchange(chain(&error.into_error()))
}

/// A copy that may be sent again without doing anything twice (RFC 9110 section 9.2.2).
fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent =
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].contains(request.method());
    if !idempotent || !request.body().is_empty() || request.headers().contains_key(UPGRADE) {
        return None;
    }
    let mut again = Request::new(RequestBody::Empty);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// Origin form with `Host` (RFC 9112 section 3.2.1).
fn http1_request(outgoing: Outgoing, body: RequestBody) -> Result<Request<RequestBody>, ForwardError> {
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

/// Unless told so, hyper takes a GET or HEAD to have no body, and sends none.
fn announce_body(request: &mut Request<RequestBody>) {
    if !request.body().is_empty() && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// The same request in HTTP/2's form: authority in the target, no connection fields (RFC 9113 section 8.2.2).
fn http2_form(request: Request<RequestBody>, origin: &UpstreamOrigin) -> Result<Request<RequestBody>, ForwardError> {
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
fn http1_form(mut request: Request<RequestBody>) -> Request<RequestBody> {
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

/// Sends over an HTTP/2 connection; an error carries the request back when nothing of it went out.
async fn try_send_http2(
    mut sender: http2::SendRequest<RequestBody>,
    request: Request<RequestBody>,
) -> Result<Answer, Unsent> {
    if let Err(error) = sender.ready().await {
        return Err((Some(request), ForwardError::Exchange(chain(&error))));
    }
    match sender.try_send_request(request).await {
        Ok(response) => Ok(Answer { response, lease: None }),
        Err(mut error) => Err((error.take_message(), exchange_error(error))),
    }
}

/// A 101 counts only when it was asked for, and names the same protocol (CVE-2026-73548).
fn check_upgrade(response: &Response<Incoming>, asked: Option<&HeaderValue>) -> Result<(), ForwardError> {
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let given = response.headers().get(UPGRADE);
    match (asked, given) {
        (None, _) => Err(ForwardError::Upgrade("switched protocols without being asked")),
        (Some(asked), Some(given)) if given.as_bytes().eq_ignore_ascii_case(asked.as_bytes()) => Ok(()),
        _ => Err(ForwardError::Upgrade("switched to another protocol than was asked for")),
    }
}

/// Fields that end at one hop (RFC 9110 section 7.6.1), and `Proxy-Connection`, which some still send.
fn ends_at_this_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "transfer-encoding"
            | "upgrade"
            | "te"
            | "proxy-authenticate"
            | "keep-alive"
            | "proxy-connection"
    )
}

/// Removes the fields of the upstream's own hop. A 101 keeps the protocol it names.
fn remove_hop_by_hop(headers: &mut HeaderMap, switches: bool) {
    let mut doomed: Vec<HeaderName> = Vec::new();
    let mut has_connection = false;
    for name in headers.keys().filter(|name| ends_at_this_hop(name)) {
        if *name == CONNECTION {
            has_connection = true;
        } else {
            doomed.push(name.clone());
        }
    }
    if has_connection {
        let values = headers.get_all(CONNECTION).iter().map(HeaderValue::as_bytes);
        // What nearly every answer says names no other field.
        let lists = values.filter(|value| !matches!(*value, b"keep-alive" | b"close"));
        doomed.extend(
            lists
                .flat_map(|list| list.split(|byte| *byte == b','))
                .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()),
        );
        headers.remove(CONNECTION);
    }
    for name in doomed.iter().filter(|name| !(switches && **name == UPGRADE)) {
        headers.remove(name);
    }
}
