//! An upstream that speaks HTTP/2 over TLS, and says what reaches it.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::pki::Authority;
use keyward_testkit::ports::listener;

/// A request: its target, fields, and body.
pub(crate) type Seen = (String, http::HeaderMap, Vec<u8>);

/// Starts one that is called `api.example`; its port, and what it sees.
pub(crate) fn http2(authority: &Authority) -> (u16, Receiver<Seen>) {
    let config = authority.server(&["api.example"], &[b"h2"]);
    let (listener, (sender, seen)) = (listener(), channel());
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(config);
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.unwrap();
                    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let sender = sender.clone();
                        async move {
                            let (head, body) = request.into_parts();
                            if let Ok(body) = body.collect().await {
                                let body = body.to_bytes().to_vec();
                                // Nobody listens once the test has ended.
                                let _ = sender.send((head.uri.to_string(), head.headers, body));
                            }
                            Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from("seen"))))
                        }
                    });
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    (port, seen)
}
