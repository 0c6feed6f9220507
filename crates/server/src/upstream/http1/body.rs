//! What follows the head of an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::beside::Beside;
use super::connection::Connection;
use super::decoder::Decoder;
use super::sending::Sending;

/// A body as it comes.
pub struct AnswerBody(Way);

/// How it comes.
enum Way {
    /// Read by whoever wants it, since the connection has nothing else to do.
    Alone {
        /// Gone once the connection has its rest.
        connection: Option<Box<Connection>>,
        decoder: Decoder,
        /// Another request may follow.
        keeps: bool,
    },
    /// While the request is still being sent. Boxed, since it is rare and larger.
    Beside(Box<Beside>),
}

impl AnswerBody {
    pub(super) fn alone(connection: Box<Connection>, decoder: Decoder, keeps: bool) -> Self {
        Self(Way::Alone { connection: Some(connection), decoder, keeps })
    }

    pub(super) fn beside(sending: Sending, connection: Box<Connection>, decoder: Decoder, keeps: bool) -> Self {
        Self(Way::Beside(Box::new(Beside::begin(sending, connection, decoder, keeps))))
    }

    /// The connection, when request and answer have ended and another exchange may follow.
    pub fn take_rested(&mut self) -> Option<Box<Connection>> {
        let mut connection = match &mut self.0 {
            Way::Alone { connection, decoder, keeps } if *keeps && decoder.is_over() => connection.take()?,
            Way::Alone { .. } => return None,
            Way::Beside(beside) => beside.take_connection()?,
        };
        if !connection.is_quiet() {
            return None;
        }
        connection.rest();
        Some(connection)
    }

    /// The connection, after it has switched protocols; it does so only after the whole request.
    pub fn into_switched(self) -> Option<Box<Connection>> {
        match self.0 {
            Way::Alone { connection, .. } => connection,
            Way::Beside(_) => None,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.get_mut().0 {
            Way::Alone { connection: Some(connection), decoder, .. } => {
                decoder.poll_frame(connection, cx).map(Result::transpose)
            }
            Way::Alone { connection: None, .. } => Poll::Ready(None),
            Way::Beside(beside) => beside.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Way::Alone { decoder, .. } => decoder.is_over(),
            Way::Beside(beside) => beside.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Way::Alone { decoder, .. } => decoder.size_hint(),
            Way::Beside(beside) => beside.size_hint(),
        }
    }
}
