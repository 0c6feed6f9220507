//! How requests reach the proxy: over HTTP/1.1 and HTTP/2, with TLS and without.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::http2_frames::{END_STREAM, Frame, GOAWAY, PREFACE, RST_STREAM, settings};
use keyward_testkit::pki::Authority;
use keyward_testkit::process::PATIENCE;
use keyward_testkit::wire::{self, Message};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

/// What is asked for.
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    /// With the query.
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// As HTTP/1.1.
    pub(crate) fn text(&self) -> String {
        let Self { method, target, host, fields, body } = self;
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        )
    }
}

trait Transport: Read + Write {}
impl<T: Read + Write> Transport for T {}

/// Whoever calls one proxy.
pub(crate) struct Callers {
    port: u16,
    /// What they trust where TLS is spoken: for HTTP/1.1, and for HTTP/2.
    tls: Option<[Arc<ClientConfig>; 2]>,
    runtime: tokio::runtime::Runtime,
}

impl Callers {
    pub(crate) fn new(port: u16, authority: Option<&Authority>) -> Self {
        let tls = authority.map(|authority| [authority.client(&[b"http/1.1"]), authority.client(&[b"h2"])]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { port, tls, runtime }
    }

    fn connect(&self, version: usize) -> io::Result<Box<dyn Transport>> {
        let socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(socket)) };
        let name = "localhost".to_owned().try_into().map_err(io::Error::other)?;
        let connection = ClientConnection::new(tls[version].clone(), name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, socket)))
    }

    /// Sends what is written as HTTP/1.1, and reads the answer.
    pub(crate) fn http1(&self, request: &str) -> io::Result<Message> {
        let mut transport = self.connect(0)?;
        transport.write_all(request.as_bytes())?;
        transport.flush()?;
        wire::read_response(&mut BufReader::new(transport), false)
    }

    /// Asks over HTTP/2, and shows all that came: status, fields, body and trailers, as far as they did. Whether a head did
    /// is said, too.
    pub(crate) fn http2(&self, asked: &Asked) -> (bool, Vec<u8>) {
        let talk = async {
            let socket = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            match &self.tls {
                None => ask(TokioIo::new(socket), "http", asked).await,
                Some([_, config]) => {
                    let name = "localhost".to_owned().try_into().unwrap();
                    let stream = TlsConnector::from(config.clone()).connect(name, socket).await.unwrap();
                    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                    ask(TokioIo::new(stream), "https", asked).await
                }
            }
        };
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, talk).await.unwrap() })
    }

    /// Sends frames, and shows those that come until stream 1 has ended, as they are.
    pub(crate) fn frames(&self, frames: &[u8]) -> Vec<u8> {
        let mut transport = self.connect(1).unwrap();
        // The table of fields has no room, so that what comes is written out.
        let begin = [PREFACE, &settings(&[(1, 0)]), frames].concat();
        // It may have been turned away before everything was sent.
        let _ = transport.write_all(&begin).and_then(|()| transport.flush());
        let mut came = Vec::new();
        while let Ok(frame) = Frame::read(&mut transport) {
            came.extend_from_slice(&frame.payload);
            if matches!(frame.kind, GOAWAY | RST_STREAM) || frame.stream == 1 && frame.has(END_STREAM) {
                break;
            }
        }
        came
    }
}

async fn ask<T>(io: T, scheme: &str, asked: &Asked) -> (bool, Vec<u8>)
where
    T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(io).await.unwrap();
    let mut request = http::Request::builder()
        .method(asked.method)
        .uri(format!("{scheme}://{}{}", asked.host, asked.target))
        .version(http::Version::HTTP_2);
    for (name, value) in &asked.fields {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(asked.body.clone()))).unwrap();
    let exchange = async {
        let (head, mut body) = match sender.send_request(request).await {
            Ok(answer) => answer.into_parts(),
            Err(error) => return (false, format!("{error:?}").into_bytes()),
        };
        let mut came = format!("{} {:?} ", head.status, head.headers).into_bytes();
        while let Some(Ok(frame)) = body.frame().await {
            match frame.into_data() {
                Ok(data) => came.extend_from_slice(&data),
                Err(frame) => came.extend(format!("{:?}", frame.trailers_ref()).into_bytes()),
            }
        }
        (true, came)
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        shown = &mut exchange => shown,
        // What came before it ended is still to be read.
        _ = &mut connection => exchange.await,
    }
}
