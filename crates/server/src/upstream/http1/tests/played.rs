//! One exchange with an upstream that plays given bytes, and what comes of it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::Body;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::super::connection::Connection;
use super::{begin, pair, spent};
use crate::upstream::answer::{AnswerBody, of_http1};
use crate::upstream::error::ForwardError;
use crate::upstream::http1;

/// How many turns a reader gets for what has come before nothing more is expected of it.
pub(super) const TURNS: usize = 16;

/// Much longer than an exchange takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as its reader took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) status: u16,
    pub(super) fields: HeaderMap,
    pub(super) body: Bytes,
    /// None when there are no fields in them.
    pub(super) trailers: Option<HeaderMap>,
    /// Its connection may have the next request.
    pub(super) keeps: bool,
}

/// How an upstream ends a connection after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Not before its reader has done with it.
    Never,
    /// The same, when the reader is to leave it since more came than an answer.
    NotUntilLeft,
    /// Not before its reader has made of the bytes what it can.
    Late,
    /// At once.
    AtOnce,
    /// At once, and with a reset.
    Reset,
}

/// How far a writer is.
#[derive(Default)]
pub(super) struct Progress {
    is_written: Cell<bool>,
}

impl Progress {
    /// Writes the pieces, each of which its reader has seen before the next one, and gives it time for the last.
    pub(super) async fn write(&self, peer: &mut (impl AsyncWrite + Unpin), pieces: &[&[u8]], end: End) {
        for piece in pieces {
            // The reader may have had enough.
            if peer.write_all(piece).await.is_err() {
                break;
            }
            yield_now().await;
        }
        self.is_written.set(true);
        for _ in 0..if end == End::Late { TURNS } else { 0 } {
            yield_now().await;
        }
    }

    /// Waits until everything was written and has arrived.
    pub(super) async fn everything(&self) {
        while !self.is_written.get() {
            yield_now().await;
        }
        yield_now().await;
        yield_now().await;
    }
}

/// A runtime of one thread, where tasks may stay.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// What is made of these bytes, or why nothing.
pub(super) async fn played(method: &Method, pieces: &[&[u8]], end: End) -> Result<Taken, String> {
    let (connection, mut peer) = pair().await;
    let progress = Progress::default();
    let write = async {
        progress.write(&mut peer, pieces, end).await;
        if matches!(end, End::Late | End::AtOnce) {
            let _ = peer.shutdown().await;
        }
        // Leaves no connection behind that the system would remember for a minute.
        peer.set_zero_linger().unwrap();
        if end == End::Reset {
            drop(peer);
            return None;
        }
        Some(peer)
    };
    let read = async {
        let (mut taken, mut answer) = read(connection, method).await?;
        progress.everything().await;
        let mut rested = answer.take_rested();
        // What was written may take its time to arrive.
        for _ in 0..if end == End::NotUntilLeft { 1000 } else { 0 } {
            if !rested.as_mut().is_some_and(|connection| connection.is_quiet()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        taken.keeps = rested.is_some_and(|mut connection| connection.is_quiet());
        Ok(taken)
    };
    let (_peer, taken) = tokio::join!(write, timeout(PATIENCE, read));
    taken.unwrap_or_else(|_| Err("it does not end".to_owned()))
}

/// Reads an answer to its end; why there is none.
pub(super) async fn taken(connection: Box<Connection>, method: &Method) -> Result<Taken, String> {
    read(connection, method).await.map(|(taken, _)| taken)
}

async fn read(connection: Box<Connection>, method: &Method) -> Result<(Taken, http1::AnswerBody), String> {
    let text = |error: ForwardError| error.to_string();
    let mut awaiting = begin(connection, method);
    let head = poll_fn(|cx| awaiting.poll(&mut spent(), cx)).await.map_err(|failure| text(failure.into()))?;
    let (status, fields) = (head.status.as_u16(), head.headers.clone());
    let answer = of_http1(head, awaiting, method, None, None).map_err(text)?;
    let AnswerBody::Http1(mut answer, _) = answer.into_body() else { panic!("it came over HTTP/1.1") };
    let mut taken = Taken { status, fields, body: Bytes::new(), trailers: None, keeps: false };
    let (length, mut parts) = (answer.size_hint().exact(), BytesMut::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await {
        match frame.map_err(|error| error.to_string())?.into_data() {
            Ok(data) => parts.extend_from_slice(&data),
            Err(frame) => taken.trailers = frame.into_trailers().ok().filter(|fields| !fields.is_empty()),
        }
    }
    taken.body = parts.freeze();
    assert!(answer.is_end_stream());
    assert!(length.is_none_or(|length| length == taken.body.len() as u64), "{length:?} were announced");
    Ok((taken, answer))
}
