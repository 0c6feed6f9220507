//! A request on its way to an upstream (RFC 9112 sections 3, 6 and 7).

use std::fmt::Write;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Method};
use http_body::{Body, Frame};

use super::connection::Connection;
use crate::proxy::body::RequestBody;

/// Parts of a body up to so many bytes go out together with what is before them.
const TOGETHER: usize = 8 * 1024;
/// Room for most heads.
const HEAD: usize = 1024;

/// What of a request has not gone out yet.
pub(super) struct Sending {
    body: RequestBody,
    framing: Framing,
    /// A large part of the body, which goes out without being copied.
    part: Bytes,
    stage: Stage,
    /// Something of it was taken, or has gone out.
    is_touched: bool,
}

/// What could not be sent.
pub(super) enum SendError {
    /// The body did not come to its end.
    Body(io::Error),
    /// The connection takes nothing more.
    Connection(io::Error),
}

/// How the upstream is told where the body ends.
enum Framing {
    /// By its length, of which so many bytes have not come yet.
    Length(u64),
    /// In chunks.
    Chunks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The body has more.
    Body,
    /// What is left is in buffers.
    Rest,
    Over,
}

impl Sending {
    /// Writes the head into the connection's buffer. Its fields say how the body is framed: by `Content-Length`, or else,
    /// where there is one, in chunks.
    pub(super) fn begin(
        connection: &mut Connection,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Self {
        let length = put_head(connection.begin(), method, target, headers);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let framing = match length {
            Some(length) => Framing::Length(length),
            None if !body.is_empty() => Framing::Chunks,
            None => Framing::Length(0),
        };
        let has_body = !body.is_empty() || !matches!(framing, Framing::Length(0));
        let stage = if has_body { Stage::Body } else { Stage::Rest };
        Self { body, framing, part: Bytes::new(), stage, is_touched: false }
    }

    /// The body, as long as nothing of it was taken and nothing of the request has gone out; otherwise what there is.
    pub(super) fn untouched(self) -> Result<RequestBody, Self> {
        if self.is_touched { Err(self) } else { Ok(self.body) }
    }

    /// How many bytes of the body wait to be written from where they are.
    pub(super) fn waiting(&self) -> usize {
        self.part.len()
    }

    /// Whether all of it has gone out.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Sends what can be sent; ready when all of it has gone out, or when it went wrong.
    pub(super) fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            match self.stage {
                Stage::Over => return Poll::Ready(Ok(())),
                Stage::Rest => {
                    ready!(self.poll_write(connection, cx))?;
                    self.stage = Stage::Over;
                    // Memory that another exchange can have at once is still in the processor's cache.
                    connection.output = BytesMut::new();
                }
                Stage::Body => {
                    // What is small waits for more.
                    if !self.part.is_empty() || connection.output.len() > TOGETHER {
                        ready!(self.poll_write(connection, cx))?;
                    }
                    let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                        ready!(self.poll_write(connection, cx))?;
                        return Poll::Pending;
                    };
                    self.is_touched = true;
                    let framed = match frame {
                        Some(frame) => frame.and_then(|frame| self.take(connection, frame)),
                        None => self.end(connection),
                    };
                    framed.map_err(SendError::Body)?;
                }
            }
        }
    }

    fn poll_write(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let written = connection.poll_write(cx, &mut self.part);
        self.is_touched |= connection.sent() > 0;
        written.map_err(SendError::Connection)
    }

    /// Frames a part of the body.
    fn take(&mut self, connection: &mut Connection, frame: Frame<Bytes>) -> io::Result<()> {
        // Trailers of callers do not come this far.
        let Ok(data) = frame.into_data() else { return Ok(()) };
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| broken("longer"))?;
                if data.len() > TOGETHER {
                    self.part = data;
                } else {
                    connection.output.put_slice(&data);
                }
            }
            Framing::Chunks if data.is_empty() => {}
            Framing::Chunks => {
                // Writing to memory cannot fail.
                let _ = write!(connection.output, "{:x}\r\n", data.len());
                connection.output.put_slice(&data);
                connection.output.put_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// The body is over.
    fn end(&mut self, connection: &mut Connection) -> io::Result<()> {
        match self.framing {
            Framing::Length(0) => {}
            Framing::Length(_) => return Err(broken("shorter")),
            Framing::Chunks => connection.output.put_slice(b"0\r\n\r\n"),
        }
        self.stage = Stage::Rest;
        Ok(())
    }
}

/// The head of a request (RFC 9112 sections 3 and 5). Of its fields, the body's length is told.
#[inline]
pub(in crate::upstream) fn put_head<'h>(
    out: &mut BytesMut,
    method: &Method,
    target: &str,
    headers: &'h HeaderMap,
) -> Option<&'h HeaderValue> {
    let mut length = None;
    out.reserve(HEAD);
    for piece in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.put_slice(piece.as_bytes());
    }
    for (name, value) in headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.put_slice(piece);
        }
        if *name == CONTENT_LENGTH {
            length.get_or_insert(value);
        }
    }
    out.put_slice(b"\r\n");
    length
}

fn broken(how: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the body is {how} than was announced"))
}
