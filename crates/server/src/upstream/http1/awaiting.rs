//! The wait for the head of an answer.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};

use super::body::AnswerBody;
use super::connection::Connection;
use super::decoder::Decoder;
use super::head::{self, Head, Malformed};
use super::sending::{SendError, Sending};
use crate::proxy::body::RequestBody;

/// Interim answers before the final one.
const MAX_INTERIM: u32 = 64;

/// A request on its way, or waiting for its answer.
pub struct Awaiting {
    connection: Box<Connection>,
    sending: Sending,
    interim: u32,
    /// Something of an answer came.
    is_answered: bool,
    /// So many bytes of what came are no whole head.
    seen: usize,
    /// Why the request could not be sent to its end; the upstream may answer all the same.
    refused: Option<io::Error>,
}

/// A request of which nothing has gone out.
pub enum Unsent {
    /// Nothing of its body was taken: that is here.
    Untouched(RequestBody),
    /// It was written in the form of HTTP/1.1, and can be sent in no other.
    Written(Box<Written>),
}

/// The beginning of a request as it was written, and what is left of it.
pub struct Written {
    output: BytesMut,
    sending: Sending,
}

/// What goes into one record of TLS, in bytes. Of more than that, records may have gone out before a write failed.
const ONE_RECORD: usize = 16 * 1024;

/// What went wrong.
#[derive(Debug)]
pub enum Failure {
    /// The connection broke.
    Broken(io::Error),
    /// The caller's body did.
    Body(io::Error),
    /// What came is not an answer.
    Malformed(Malformed),
}

impl Awaiting {
    /// Hands a request to a connection. The fields say how its body is framed.
    pub fn begin(
        mut connection: Box<Connection>,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Self {
        let sending = Sending::begin(&mut connection, method, target, headers, body);
        Self { connection, sending, interim: 0, is_answered: false, seen: 0, refused: None }
    }

    /// Hands a request to a connection that was written for another one.
    pub fn resume(mut connection: Box<Connection>, written: Written) -> Self {
        let Written { output, sending } = written;
        *connection.begin() = output;
        Self { connection, sending, interim: 0, is_answered: false, seen: 0, refused: None }
    }

    /// Sends, and reads until there is a head that is no interim one. Nothing that came with an interim one goes on. Once
    /// something of an answer came, the fields of the request are spent: the answer's are put into the same memory.
    pub fn poll(&mut self, spent: &mut HeaderMap, cx: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        if self.refused.is_none() && !self.sending.is_over() {
            match self.sending.poll(&mut self.connection, cx) {
                Poll::Ready(Err(SendError::Body(error))) => return Poll::Ready(Err(Failure::Body(error))),
                Poll::Ready(Err(SendError::Connection(error))) => self.refused = Some(error),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        loop {
            while !self.connection.input().is_empty() {
                let head = head::read(&mut self.connection, self.seen, spent).map_err(Failure::Malformed)?;
                self.seen = if head.is_some() { 0 } else { self.connection.input().len() };
                match head {
                    Some(head) if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS => {
                        self.interim += 1;
                        if self.interim > MAX_INTERIM {
                            return Poll::Ready(Err(Failure::Malformed(Malformed("interim answers do not end"))));
                        }
                    }
                    Some(head) => return Poll::Ready(Ok(head)),
                    None => break,
                }
            }
            let end = match ready!(self.connection.poll_fill(cx)) {
                Ok(0) => io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before the answer"),
                Ok(_) => {
                    self.is_answered = true;
                    continue;
                }
                Err(error) => error,
            };
            return Poll::Ready(Err(Failure::Broken(self.refused.take().unwrap_or(end))));
        }
    }

    /// Whether something of an answer came.
    pub fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// The request, when nothing of it has gone out.
    pub fn unsent(mut self) -> Option<Unsent> {
        let sending = match self.sending.untouched() {
            Ok(body) => return Some(Unsent::Untouched(body)),
            Err(sending) => sending,
        };
        let output = std::mem::take(&mut self.connection.output);
        let is_unsent = self.connection.sent() == 0 && output.len() + sending.waiting() <= ONE_RECORD;
        is_unsent.then(|| Unsent::Written(Box::new(Written { output, sending })))
    }

    /// Whether all of the request has gone out.
    pub fn is_sent(&self) -> bool {
        self.sending.is_over()
    }

    /// What follows the head. `keeps` says whether the connection may have another request afterwards. What is left of
    /// the request goes on being sent, whether anybody reads the answer or not.
    pub fn into_body(self, decoder: Decoder, keeps: bool) -> AnswerBody {
        let Self { connection, sending, refused, .. } = self;
        if refused.is_some() || sending.is_over() {
            AnswerBody::alone(connection, decoder, keeps && refused.is_none())
        } else {
            AnswerBody::beside(sending, connection, decoder, keeps)
        }
    }
}
