//! What hyper's client makes of the same bytes.

use bytes::{Bytes, BytesMut};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::task::yield_now;

use super::played::{End, Progress, TURNS, Taken};
use crate::upstream::error::chain;

/// An answer as hyper takes it, or why it does not.
pub(super) async fn taken_by_hyper(method: &Method, bytes: &[u8]) -> Result<Taken, String> {
    let (own, mut peer) = duplex(1024 * 1024);
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(own)).await.unwrap();
    let driver = tokio::task::spawn_local(connection);
    let request = Request::builder().method(method).uri("/").header("host", "h").body(Empty::new()).unwrap();
    let progress = Progress::default();
    let write = async {
        // hyper takes what comes before its request for an error.
        peer.read_u8().await.unwrap();
        progress.write(&mut peer, &[bytes], End::Late).await;
        let _ = peer.shutdown().await;
        peer
    };
    let read = async {
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        let mut taken = Taken {
            status: head.status.as_u16(),
            fields: head.headers,
            body: Bytes::new(),
            trailers: None,
            keeps: false,
        };
        let mut parts = BytesMut::new();
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => parts.extend_from_slice(&data),
                Err(frame) => taken.trailers = frame.into_trailers().ok().filter(|fields| !fields.is_empty()),
            }
        }
        taken.body = parts.freeze();
        progress.everything().await;
        // hyper needs a while to find that it has rested.
        for _ in 0..TURNS {
            taken.keeps = sender.is_ready();
            if taken.keeps {
                break;
            }
            yield_now().await;
        }
        Ok(taken)
    };
    let (_peer, taken) = tokio::join!(write, read);
    driver.abort();
    taken.map_err(|error: hyper::Error| chain(&error))
}
