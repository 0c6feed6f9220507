//! TLS to callers: certificate and key from settings, TLS 1.2 and later, HTTP/2 by ALPN.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward_core::diagnostic::{Diagnostic, Origin};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

use crate::config::settings::listeners::TlsFiles;
use crate::metrics::faults::Fault;

/// What a listener shows its callers.
pub struct Identity {
    /// How TLS is spoken.
    pub config: Arc<ServerConfig>,
    /// Until when its certificate is good, and the rest of the chain: seconds since 1970.
    pub expiry: Option<i64>,
}

/// Loads certificate and key, and checks that they belong together.
pub fn identity(files: &TlsFiles, key: &str) -> Result<Identity, Diagnostic> {
    let refuse = |part: &str, message: String| Diagnostic::error(format!("`{key}.tls.{part}`: {message}"));
    let (cert, private) = match files {
        TlsFiles::Paths { cert, key: private } => {
            let read = |part: &str, path: &std::path::Path| {
                std::fs::read(path).map(Zeroizing::new).map_err(|error| {
                    refuse(part, format!("the file cannot be read: {error}"))
                        .at(&Origin::whole(path.display().to_string()))
                })
            };
            (read("cert", cert)?, read("key", private)?)
        }
        TlsFiles::Inline { cert, key: private } => {
            let decode = |part: &str, text: &str| {
                // Line breaks in it are no part of it, as the reference sees it.
                let one_line = Zeroizing::new(text.replace(['\r', '\n'], ""));
                let decoded = STANDARD.decode(one_line.as_bytes()).map(Zeroizing::new);
                decoded.map_err(|_| refuse(part, "it is not standard base64".to_owned()))
            };
            (decode("cert", cert)?, decode("key", private.expose())?)
        }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&cert)
        .collect::<Result<_, _>>()
        .map_err(|error| refuse("cert", format!("it is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(refuse("cert", "it holds no certificate".to_owned()));
    }
    let expiry = chain.iter().filter_map(|certificate| expiry(certificate)).min();
    let private = PrivateKeyDer::from_pem_slice(&private)
        .map_err(|_| refuse("key", "it holds no private key in PEM".to_owned()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| refuse("cert", format!("certificate and key are not usable together: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { config: Arc::new(config), expiry })
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

/// What the reference answers to plain HTTP, byte for byte.
const SPOKE_PLAIN_HTTP: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// The most of such a request that is read, so that the answer is not lost with the connection.
const WASTE: u64 = 64 * 1024;

/// The handshake, within a time limit. A caller that speaks HTTP without TLS is told so. Who leaves without a word, as
/// those do who only look whether somebody listens, has done nothing wrong.
///
/// The stream is boxed: it is more than a kilobyte, and futures keep room for it in every place that it passes.
pub async fn handshake(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    limit: Duration,
) -> Result<Box<TlsStream<TcpStream>>, Option<Fault>> {
    let speaks = Cell::new(false);
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await.map_err(|_| None)? == 0 {
            return Err(None);
        }
        speaks.set(true);
        // No record of TLS begins with a capital letter, and every method of HTTP does.
        if first[0].is_ascii_uppercase() {
            tell_plain_http(stream).await;
            return Err(Some(Fault::PlainHttp));
        }
        TlsAcceptor::from(config).accept(stream).await.map(Box::new).map_err(|_| Some(Fault::Handshake))
    };
    let outcome = tokio::time::timeout(limit, handshake).await;
    outcome.unwrap_or_else(|_| Err(speaks.get().then_some(Fault::HandshakeTimeout)))
}

/// Errors mean that the caller is gone.
async fn tell_plain_http(mut stream: TcpStream) {
    if stream.write_all(SPOKE_PLAIN_HTTP).await.is_ok() && stream.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut stream.take(WASTE), &mut tokio::io::sink()).await;
    }
}
