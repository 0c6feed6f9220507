//! Bodies of callers, in parts that tests choose.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::sync::oneshot::channel;
use tokio::task::{spawn_local, yield_now};

use crate::local_executor::LocalExecutor;
use crate::proxy::body::{RequestBody, RequestTally};

/// Where a body comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// It was read before: one part.
    Held,
    /// A caller's chunks. There are no empty ones.
    Http1,
    /// A caller's DATA frames, empty ones too.
    Http2,
}

/// A body in these parts; without an end, there is always more to be expected.
pub(super) async fn body(source: Source, parts: &[Bytes], ends: bool) -> RequestBody {
    let (near, far) = duplex(256 * 1024);
    let (give, given) = channel();
    let give = Cell::new(Some(give));
    let service = service_fn(move |request: Request<Incoming>| {
        if let Some(give) = give.take() {
            let _ = give.send(request.into_body());
        }
        // Nobody answers here.
        pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let parts = parts.to_vec();
    match source {
        Source::Held => return RequestBody::held(parts.concat().into()),
        Source::Http1 => {
            spawn_local(http1::Builder::new().serve_connection(TokioIo::new(far), service));
            spawn_local(send_chunks(near, parts, ends));
        }
        Source::Http2 => {
            spawn_local(http2::Builder::new(LocalExecutor).serve_connection(TokioIo::new(far), service));
            spawn_local(send_frames(near, parts, ends));
        }
    }
    RequestBody::new(given.await.unwrap(), Rc::new(RequestTally::default()), Duration::from_secs(60), None)
}

async fn send_chunks(mut stream: tokio::io::DuplexStream, parts: Vec<Bytes>, ends: bool) {
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let chunk = [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
        if stream.write_all(&chunk).await.is_err() {
            return;
        }
        yield_now().await;
    }
    if ends {
        let _ = stream.write_all(b"0\r\n\r\n").await;
    }
    pending().await
}

async fn send_frames(stream: tokio::io::DuplexStream, parts: Vec<Bytes>, ends: bool) {
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    spawn_local(connection);
    let request = Request::post("https://h/").body(()).unwrap();
    let (_answer, mut body) = sender.ready().await.unwrap().send_request(request, false).unwrap();
    for part in parts {
        if body.send_data(part, false).is_err() {
            return;
        }
        yield_now().await;
    }
    if ends {
        let _ = body.send_data(Bytes::new(), true);
    }
    pending().await
}
