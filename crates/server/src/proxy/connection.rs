//! One client connection: TLS, which HTTP it speaks, and serving it until it ends or the drain begins.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::scanned_io::{ScannedIo, Verdict};
use super::service::Service;
use crate::local_executor::LocalExecutor;

/// How connections are served.
pub struct ConnectionOptions {
    /// Serve TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// From the first byte of a head to its end.
    pub header_timeout: Duration,
    /// TLS handshakes, and telling the protocol.
    pub handshake_timeout: Duration,
    /// Idle keep-alive connections.
    pub idle_timeout: Duration,
}

/// What the service knows of a connection.
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Its address as text.
    pub peer_ip: Box<str>,
    /// Over TLS.
    pub tls: bool,
    /// What the scanner found.
    pub verdict: Verdict,
    /// Requests handed over so far.
    pub requests: Cell<u64>,
    /// Exchanges that have not ended.
    pub active: Cell<u32>,
}

/// Start of every HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Serves a connection to its end. Errors end the connection and nothing else.
pub async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    options: &ConnectionOptions,
    service: Rc<Service>,
    shutdown: watch::Receiver<bool>,
) {
    // Latency counts more than packets; a failure here only costs time.
    let _ = stream.set_nodelay(true);
    let connection = |tls| {
        Rc::new(Connection {
            peer,
            peer_ip: peer.ip().to_canonical().to_string().into(),
            tls,
            verdict: Verdict::default(),
            requests: Cell::new(0),
            active: Cell::new(0),
        })
    };
    match &options.tls {
        None => {
            let told = tokio::time::timeout(options.handshake_timeout.max(options.idle_timeout), speaks_http2(&stream));
            match told.await {
                Ok(Ok(true)) => serve_http2(stream, connection(false), options, service, shutdown).await,
                Ok(Ok(false)) => serve_http1(stream, connection(false), options, service, shutdown).await,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Some(config) => {
            let handshake = TlsAcceptor::from(config.clone()).accept(stream);
            let Ok(Ok(stream)) = tokio::time::timeout(options.handshake_timeout, handshake).await else { return };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_http2(stream, connection(true), options, service, shutdown).await;
            } else {
                serve_http1(stream, connection(true), options, service, shutdown).await;
            }
        }
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || !PREFACE.starts_with(&seen[..count]) {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
        // The rest of the preface is under way; readiness alone would spin on what is here already.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn serve_http1<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
    connection: Rc<Connection>,
    options: &ConnectionOptions,
    service: Rc<Service>,
    mut shutdown: watch::Receiver<bool>,
) {
    let io = TokioIo::new(ScannedIo::new(stream, connection.verdict.clone(), options.header_timeout));
    let own = connection.clone();
    let service = service_fn(move |request| service.clone().serve(request, connection.clone()));
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_headers(128).max_buf_size(64 * 1024).half_close(false).writev(false);
    let served = builder.serve_connection(io, service).with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        biased;
        _ = served.as_mut() => return,
        _ = shutdown.wait_for(|begun| *begun) => {}
        () = idle(&own, options.idle_timeout) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

/// Resolves when nothing has happened on a connection for the limit, give or take a quarter. Looks now and
/// then, so that no request pays for a timer.
async fn idle(connection: &Connection, limit: Duration) {
    let (mut seen, mut quiet) = (u64::MAX, 0);
    while quiet < 4 {
        tokio::time::sleep(limit / 4).await;
        let now = connection.requests.get();
        quiet = if now == seen && connection.active.get() == 0 { quiet + 1 } else { 0 };
        seen = now;
    }
}

async fn serve_http2<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: T,
    connection: Rc<Connection>,
    options: &ConnectionOptions,
    service: Rc<Service>,
    mut shutdown: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| service.clone().serve(request, connection.clone()));
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(options.idle_timeout)
        .max_concurrent_streams(100)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_header_list_size(32 * 1024)
        .max_local_error_reset_streams(256);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    tokio::select! {
        biased;
        _ = served.as_mut() => return,
        _ = shutdown.wait_for(|begun| *begun) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}
