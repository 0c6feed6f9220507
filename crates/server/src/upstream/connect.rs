//! Makes one connection to an upstream: name, TCP, TLS.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use keyward_core::gate::Scheme;
use keyward_core::rule::upstream::UpstreamOrigin;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ForwardError;
use super::resolve::{ResolveError, Resolver};

/// A connected stream, plain or TLS.
pub enum UpstreamStream {
    /// Plain.
    Plain(TcpStream),
    /// Verified TLS. Boxed: its state is large, and most of it cold.
    Tls(Box<TlsStream<TcpStream>>),
}

impl UpstreamStream {
    /// Whether ALPN chose HTTP/2.
    pub fn speaks_http2(&self) -> bool {
        match self {
            UpstreamStream::Plain(_) => false,
            UpstreamStream::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// Whether something came, be it bytes, the end or an error, as far as is known without asking the system.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            UpstreamStream::Plain(stream) => stream.poll_read_ready(cx),
            UpstreamStream::Tls(stream) => match stream.get_ref() {
                // What is decrypted, and was not read, is no longer with the system.
                (_, tls) if !tls.wants_read() => Poll::Ready(Ok(())),
                (tcp, _) => tcp.poll_read_ready(cx),
            },
        }
    }
}

/// The peer is told that nothing follows (RFC 8446 section 6.1), as far as that goes without waiting.
impl Drop for UpstreamStream {
    fn drop(&mut self) {
        if let UpstreamStream::Tls(stream) = self {
            let (tcp, tls) = stream.get_mut();
            tls.send_close_notify();
            // What the system does not take at once is not worth a wait: the connection ends anyway.
            let _ = tls.write_tls(&mut AtOnce(tcp));
        }
    }
}

/// Writes what can be written without waiting.
struct AtOnce<'s>(&'s TcpStream);

impl Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects within the limit, trying addresses in order. The name that TLS verifies is always the
/// configured one.
pub async fn connect(
    origin: &UpstreamOrigin,
    resolver: &Resolver,
    tls: &Arc<ClientConfig>,
    limit: Duration,
) -> Result<UpstreamStream, ForwardError> {
    match tokio::time::timeout(limit, attempt(origin, resolver, tls)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ForwardError::Timeout("for a connection")),
    }
}

async fn attempt(
    origin: &UpstreamOrigin,
    resolver: &Resolver,
    tls: &Arc<ClientConfig>,
) -> Result<UpstreamStream, ForwardError> {
    let failed = |error: io::Error| ForwardError::Connect(format!("{}: {error}", origin.authority()));
    let addresses = resolver.resolve(&origin.host, origin.port).await.map_err(|error| match error {
        ResolveError::Failed(error) => failed(error),
        refused @ ResolveError::Refused { .. } => ForwardError::Address(refused.to_string()),
    })?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for permitted in addresses {
        match TcpStream::connect(permitted.address()).await {
            Ok(stream) => return secured(stream, origin, tls).await.map_err(failed),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// TLS, where the scheme wants it.
async fn secured(stream: TcpStream, origin: &UpstreamOrigin, tls: &Arc<ClientConfig>) -> io::Result<UpstreamStream> {
    stream.set_nodelay(true)?;
    match origin.scheme {
        Scheme::Http => Ok(UpstreamStream::Plain(stream)),
        Scheme::Https => {
            let name = ServerName::try_from(origin.host.clone()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(tls.clone()).connect(name, stream).await?;
            Ok(UpstreamStream::Tls(Box::new(stream)))
        }
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
