//! A small server for the ports that are not the proxy: answers are short and in memory. HTTP/2 over TLS only, as in
//! the reference.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyward_core::ports::LocalFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::settings::listeners::PortTimeouts;
use crate::http2::{self, Busy, Limits};
use crate::proxy::late_head;
use crate::proxy::panics::survived;
use crate::proxy::scanned_io::{ScannedIo, Verdict};
use crate::proxy::tls::handshake;
use crate::serving::Port;

/// Connections at a time; what comes beyond is closed.
const MAX_CONNECTIONS: usize = 1024;

/// The largest field section of HTTP/2, as that counts.
const MAX_FIELD_SECTION: u32 = 32 * 1024;

/// What answers.
pub type Handler = Rc<dyn Fn(Request<Incoming>, Arrived) -> LocalFuture<'static, Response<Full<Bytes>>>>;

/// What a new connection gets, asked for each.
pub type PortInForce = Rc<dyn Fn() -> Port>;

/// How a request came.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// The other end.
    pub peer: SocketAddr,
    /// Over TLS.
    pub tls: bool,
}

/// Serves until the shutdown begins; connections in use end with their current request.
pub async fn serve(listener: TcpListener, port: PortInForce, handler: Handler, mut shutdown: watch::Receiver<bool>) {
    let open = Rc::new(Cell::new(0_usize));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|begun| *begun) => return,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors: others must close first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if open.get() >= MAX_CONNECTIONS {
            continue;
        }
        open.set(open.get() + 1);
        let Port { tls, timeouts } = port();
        let (open, handler, shutdown) = (open.clone(), handler.clone(), shutdown.clone());
        tokio::task::spawn_local(async move {
            // Small answers should not wait for the peer's acknowledgement; failing costs only time.
            let _ = stream.set_nodelay(true);
            match tls {
                None => connection(stream, Arrived { peer, tls: false }, timeouts, handler, shutdown).await,
                Some(config) => {
                    if let Ok(stream) = handshake(stream, config, timeouts.handshake).await {
                        let arrived = Arrived { peer, tls: true };
                        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                            connection_http2(stream, arrived, timeouts, handler, shutdown).await;
                        } else {
                            connection(stream, arrived, timeouts, handler, shutdown).await;
                        }
                    }
                }
            }
            open.set(open.get() - 1);
        });
    }
}

/// Serves one connection until the shutdown begins, HTTP/1.1 only.
pub async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    arrived: Arrived,
    timeouts: PortTimeouts,
    handler: Handler,
    mut shutdown: watch::Receiver<bool>,
) {
    let verdict = Verdict::default();
    let io = ScannedIo::new(stream, verdict.clone(), timeouts.header, timeouts.write);
    let (heads, open) = (Cell::new(0), Rc::new(Cell::new(0)));
    let service = service_fn(|request: Request<Incoming>| {
        let number = heads.replace(heads.get() + 1);
        let is_sound = verdict.on(number).is_none() && names_one_host(&request);
        let answer = is_sound.then(|| (handler(request, arrived), Exchange::begin(&open)));
        async move {
            let Some((answer, exchange)) = answer else { return Ok::<_, Infallible>(refused()) };
            let answer = survived(answer).await.unwrap_or_else(panicked);
            drop(exchange);
            Ok(answer)
        }
    });
    let mut builder = http1::Builder::new();
    // hyper's clock for a head begins when the one before has ended; ours, with its first byte.
    builder.header_read_timeout(None).max_buf_size(64 * 1024);
    let mut served = builder.serve_connection(TokioIo::new(io), service);
    // What it waits for inside of a head, or before the peer has read an answer, is not its idling.
    let busy = || {
        let requests = heads.get();
        Busy { requests, active: open.get() + u32::from(!verdict.is_at_rest_after(requests)) }
    };
    let over = async {
        tokio::select! {
            _ = shutdown.wait_for(|begun| *begun) => {}
            () = http2::idle(busy, timeouts.idle) => {}
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = &mut served => outcome,
        () = over => {
            std::pin::Pin::new(&mut served).graceful_shutdown();
            (&mut served).await
        }
    };
    // Another error is the peer's going away.
    if outcome.is_err() {
        let io = served.into_parts().io.into_inner();
        if io.is_late() {
            late_head::tell(io, timeouts.write).await;
        }
    }
}

async fn connection_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    arrived: Arrived,
    timeouts: PortTimeouts,
    handler: Handler,
    shutdown: watch::Receiver<bool>,
) {
    let (requests, active) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (seen, open) = (requests.clone(), active.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        seen.set(seen.get() + 1);
        let is_head = request.method() == Method::HEAD;
        let (answer, exchange) = (survived(handler(request, arrived)), Exchange::begin(&open));
        async move {
            let answer = answer.await.unwrap_or_else(panicked);
            drop(exchange);
            Ok::<_, Infallible>(if is_head { http2::without_body(answer, Full::default()) } else { answer })
        }
    });
    let busy = || Busy { requests: requests.get(), active: active.get() };
    let PortTimeouts { header, idle, write, .. } = timeouts;
    let limits = Limits { header, idle, write, field_section: MAX_FIELD_SECTION };
    http2::serve(stream, service, busy, limits, |_| {}, shutdown).await;
}

/// Counts an exchange until it ends, also where the caller leaves before.
struct Exchange(Rc<Cell<u32>>);

impl Exchange {
    fn begin(open: &Rc<Cell<u32>>) -> Self {
        open.set(open.get() + 1);
        Self(open.clone())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What is said where a handler panicked.
pub(crate) fn panicked() -> Response<Full<Bytes>> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
}

/// RFC 9112 section 3.2; only HTTP/1.0 can do without. As in the reference, the host may be empty.
fn names_one_host(request: &Request<Incoming>) -> bool {
    let mut lines = request.headers().get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(only), None) => only.as_bytes().iter().copied().all(is_of_host),
        (Some(_), Some(_)) => false,
    }
}

/// What can stand in a host or its port (RFC 3986 section 3.2).
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

/// What is framed in two ways may be read in two ways: nothing else is read on its connection.
fn refused() -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::BAD_REQUEST, "bad request\n");
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A text answer.
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", text)
}

/// A JSON answer with a final line feed.
pub fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    typed(status, "application/json; charset=utf-8", format!("{value}\n"))
}

/// An answer of a media type.
pub fn typed(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
