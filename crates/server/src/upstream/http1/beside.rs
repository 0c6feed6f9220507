//! An answer that begins before its request has ended.
//!
//! Here both directions go on by themselves: a caller that reads nothing until it has sent everything would otherwise
//! wait for an upstream that waits for its answer to be read.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

use super::connection::Connection;
use super::decoder::Decoder;
use super::sending::{SendError, Sending};
use crate::proxy::stall::Stall;

/// The longest pause in what is still sent after the answer has ended.
const PAUSE: Duration = Duration::from_secs(30);

/// The answer's side.
pub(super) struct Beside {
    parts: Receiver<Part>,
    task: AbortHandle,
    hint: SizeHint,
    /// The answer has ended; with the connection, if another request may follow.
    end: Option<Option<Box<Connection>>>,
}

/// Something that came.
struct Part {
    frame: Option<io::Result<Frame<Bytes>>>,
    end: Option<Option<Box<Connection>>>,
}

impl Beside {
    /// Goes on with both.
    pub(super) fn begin(sending: Sending, connection: Box<Connection>, decoder: Decoder, keeps: bool) -> Self {
        // Whoever reads is at most one part behind: nothing piles up.
        let (sender, parts) = channel(1);
        let hint = decoder.size_hint();
        let end = decoder.is_over().then_some(None);
        let exchange = Both { connection, upload: Upload(Some(sending)), decoder };
        let task = tokio::task::spawn_local(exchange.run(sender, keeps)).abort_handle();
        Self { parts, task, hint, end }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.hint
    }

    /// The next part of the body; nothing once it is over.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        self.parts.poll_recv(cx).map(|part| {
            let lost = || io::Error::new(io::ErrorKind::UnexpectedEof, "the exchange was given up");
            let Some(Part { frame, end }) = part else { return Some(Err(lost())) };
            self.end = end;
            if let (Some(length), Some(Ok(frame))) = (self.hint.exact(), &frame) {
                let came = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.hint = SizeHint::with_exact(length.saturating_sub(came));
            }
            frame
        })
    }

    /// The connection, when request and answer have ended and another request may follow.
    pub(super) fn take_connection(&mut self) -> Option<Box<Connection>> {
        self.end.as_mut().and_then(Option::take)
    }
}

/// Nobody wants the rest of an answer: the exchange ends. Once the answer has ended, its request may still be sent.
impl Drop for Beside {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.task.abort();
        }
    }
}

/// The connection's side.
struct Both {
    connection: Box<Connection>,
    upload: Upload,
    decoder: Decoder,
}

/// What is left of the request, as long as it can be sent.
struct Upload(Option<Sending>);

impl Upload {
    /// Sends what can be sent. An error is the caller's: an upstream that takes no more of the request may answer it all
    /// the same.
    fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(sending) = self.0.as_mut().filter(|sending| !sending.is_over()) else { return Ok(()) };
        let Poll::Ready(Err(error)) = sending.poll(connection, cx) else { return Ok(()) };
        self.0 = None;
        match error {
            SendError::Body(error) => Err(error),
            SendError::Connection(_) => Ok(()),
        }
    }

    fn is_sent(&self) -> bool {
        self.0.as_ref().is_some_and(Sending::is_over)
    }
}

impl Both {
    async fn run(mut self, parts: Sender<Part>, keeps: bool) {
        while !self.decoder.is_over() {
            let mut fault = Ok(());
            let room = {
                let (mut room, connection, upload) = (pin!(parts.reserve()), &mut self.connection, &mut self.upload);
                poll_fn(|cx| {
                    if fault.is_ok() {
                        fault = upload.poll(connection, cx);
                    }
                    room.as_mut().poll(cx)
                })
                .await
            };
            let Ok(room) = room else { return };
            let (connection, decoder, upload) = (&mut self.connection, &mut self.decoder, &mut self.upload);
            let frame = match fault {
                Err(error) => Err(error),
                Ok(()) => {
                    poll_fn(|cx| match upload.poll(connection, cx) {
                        Err(error) => Poll::Ready(Err(error)),
                        Ok(()) => decoder.poll_frame(connection, cx),
                    })
                    .await
                }
            };
            let is_broken = frame.is_err();
            let frame = frame.transpose();
            if self.decoder.is_over() && keeps && self.upload.is_sent() {
                room.send(Part { frame, end: Some(Some(self.connection)) });
                return;
            }
            room.send(Part { frame, end: self.decoder.is_over().then_some(None) });
            if is_broken {
                return;
            }
        }
        self.send_the_rest().await;
    }

    /// The answer has ended. Who has been answered early may not look before everything is sent.
    async fn send_the_rest(mut self) {
        let (mut stall, mut sent) = (Stall::new(PAUSE), self.connection.sent());
        poll_fn(|cx| {
            if self.upload.poll(&mut self.connection, cx).is_err()
                || self.upload.0.as_ref().is_none_or(Sending::is_over)
            {
                return Poll::Ready(());
            }
            if std::mem::replace(&mut sent, self.connection.sent()) != self.connection.sent() {
                stall.reset();
            }
            stall.poll(cx)
        })
        .await;
    }
}
