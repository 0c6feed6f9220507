//! What follows the head of an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connection::Connection;
use super::decoder::Decoder;
use super::sending::{SendError, Sending};

/// A body as it comes. What is left of the request is sent meanwhile.
pub struct AnswerBody {
    connection: Box<Connection>,
    decoder: Decoder,
    /// The request, until it can no longer be sent.
    sending: Option<Sending>,
    keeps: bool,
}

impl AnswerBody {
    pub(super) fn new(connection: Box<Connection>, decoder: Decoder, sending: Option<Sending>, keeps: bool) -> Self {
        Self { connection, decoder, sending, keeps }
    }

    /// The connection, when request and answer have ended and another exchange may follow.
    pub fn into_rested(self) -> Option<Box<Connection>> {
        let Self { mut connection, decoder, sending, keeps } = self;
        let is_sent = sending.is_some_and(|sending| sending.is_over());
        if !keeps || !is_sent || !decoder.is_over() || !connection.is_quiet() {
            return None;
        }
        connection.rest();
        Some(connection)
    }

    /// The connection, after it has switched protocols.
    pub fn into_switched(self) -> Box<Connection> {
        self.connection
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if let Some(sending) = this.sending.as_mut().filter(|sending| !sending.is_over())
            && let Poll::Ready(Err(error)) = sending.poll(&mut this.connection, cx)
        {
            this.sending = None;
            if let SendError::Body(error) = error {
                return Poll::Ready(Some(Err(error)));
            }
        }
        this.decoder.poll_frame(&mut this.connection, cx).map(Result::transpose)
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }
}
