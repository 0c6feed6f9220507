//! One client connection: TLS, which HTTP it speaks, and serving it until it ends or the drain begins.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::scanned_io::Verdict;
use super::service::Service;
use super::tls;
use super::{drain, http1};
use crate::http2::{self, Busy, Limits};

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
    /// The longest a caller may leave unread what it is sent.
    pub write_timeout: Duration,
    /// The largest field section of HTTP/2 that is read.
    pub field_section: u32,
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
    /// What the connection became: it is open as long as this lasts.
    pub tunnel: Cell<Option<JoinHandle<()>>>,
}

/// Start of every HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// Between two looks at a preface that comes in pieces.
const LONGEST_PEEK_PAUSE: Duration = Duration::from_millis(200);

impl Connection {
    /// How busy it is.
    fn busy(&self) -> Busy {
        Busy { requests: self.requests.get(), active: self.active.get() }
    }
}

/// Serves a connection to its end. Errors end the connection and nothing else.
///
/// What not every connection needs is boxed: each has room for what is not, whatever it speaks.
pub async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    options: &ConnectionOptions,
    service: Rc<Service>,
    mut shutdown: watch::Receiver<bool>,
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
            tunnel: Cell::default(),
        })
    };
    match &options.tls {
        None => {
            let told = tokio::select! {
                biased;
                told = begins(&stream, options) => told,
                // Nothing has been asked for.
                () = drain::is_over(&mut shutdown) => return,
            };
            let Ok(told) = told else { return };
            let header_timeout = match told {
                Begins::Http2 => {
                    return Box::pin(serve_http2(stream, connection(false), options, service, shutdown)).await;
                }
                Begins::Http1 => options.header_timeout,
                Begins::Late => Duration::ZERO,
            };
            http1::serve(stream, connection(false), options, header_timeout, service, shutdown).await;
        }
        Some(config) => {
            let handshake = Box::pin(tls::handshake(stream, config.clone(), options.handshake_timeout));
            let stream = match handshake.await {
                Ok(stream) => stream,
                Err(fault) => return fault.into_iter().for_each(|fault| service.fault(fault, peer)),
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                Box::pin(serve_http2(stream, connection(true), options, service, shutdown)).await;
            } else {
                http1::serve(stream, connection(true), options, options.header_timeout, service, shutdown).await;
            }
        }
    }
}

/// How a connection begins.
enum Begins {
    /// With the preface of HTTP/2.
    Http2,
    /// Otherwise.
    Http1,
    /// As either would, and no more than that came in the time that a head has.
    Late,
}

/// Looks at the first bytes without taking them.
async fn begins(stream: &TcpStream, options: &ConnectionOptions) -> std::io::Result<Begins> {
    let mut seen = [0; PREFACE.len()];
    let mut count = timeout(options.idle_timeout, stream.peek(&mut seen)).await??;
    let deadline = Instant::now() + options.header_timeout;
    let mut pause = Duration::from_millis(5);
    loop {
        if count == 0 || !PREFACE.starts_with(&seen[..count]) {
            return Ok(Begins::Http1);
        }
        if count == PREFACE.len() {
            return Ok(Begins::Http2);
        }
        // The rest of the preface is under way; readiness alone would spin on what is here already.
        tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
        if Instant::now() >= deadline {
            return Ok(Begins::Late);
        }
        pause = (pause * 2).min(LONGEST_PEEK_PAUSE);
        count = stream.peek(&mut seen).await?;
    }
}

async fn serve_http2<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: T,
    connection: Rc<Connection>,
    options: &ConnectionOptions,
    service: Rc<Service>,
    shutdown: watch::Receiver<bool>,
) {
    let own = connection.clone();
    let peer = connection.peer;
    let told = service.clone();
    let tell = move |fault| told.fault(fault, peer);
    let limits = Limits {
        header: options.header_timeout,
        idle: options.idle_timeout,
        write: options.write_timeout,
        field_section: options.field_section,
    };
    let service = service_fn(move |request| service.clone().serve(request, connection.clone()));
    http2::serve(stream, service, || own.busy(), limits, tell, shutdown).await;
}
