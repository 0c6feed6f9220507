//! Where a body ends (RFC 9112 sections 6.3 and 7.1).

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::connection::Connection;
use super::head;

/// A chunk's size with its extensions, in bytes.
const MAX_SIZE_LINE: usize = 4 * 1024;
/// Trailers together, in bytes.
const MAX_TRAILERS: usize = 16 * 1024;
/// Fields of trailers.
const MAX_TRAILER_FIELDS: usize = 100;

/// Follows a body through what comes.
#[derive(Debug)]
pub struct Decoder(Left);

/// What is left.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// So many bytes.
    Bytes(u64),
    /// Everything until the connection ends.
    UntilTheEnd,
    /// A chunk, beginning with its size.
    Size,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line break after a chunk.
    ChunkEnd,
    /// What follows the last chunk.
    Trailers,
}

impl Decoder {
    /// A body of a known length.
    pub(super) fn of_length(length: u64) -> Self {
        Self(Left::Bytes(length))
    }

    /// A body in chunks.
    pub(super) fn chunked() -> Self {
        Self(Left::Size)
    }

    /// A body that ends with the connection.
    pub(super) fn until_the_end() -> Self {
        Self(Left::UntilTheEnd)
    }

    /// Whether all of it has come.
    pub fn is_over(&self) -> bool {
        self.0 == Left::Bytes(0)
    }

    /// Whether the connection has to end for it to end.
    pub fn ends_with_connection(&self) -> bool {
        self.0 == Left::UntilTheEnd
    }

    /// What is known of its length.
    pub fn size_hint(&self) -> SizeHint {
        match self.0 {
            Left::Bytes(length) => SizeHint::with_exact(length),
            _ => SizeHint::default(),
        }
    }

    /// The next part of it; nothing once it is over.
    pub fn poll_frame(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Frame<Bytes>>>> {
        loop {
            match self.0 {
                Left::Bytes(0) => return Poll::Ready(Ok(None)),
                Left::Bytes(left) | Left::Chunk(left) if !connection.input().is_empty() => {
                    let data = connection.take(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - data.len() as u64;
                    self.0 = match self.0 {
                        Left::Bytes(_) => Left::Bytes(left),
                        _ if left > 0 => Left::Chunk(left),
                        _ => Left::ChunkEnd,
                    };
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                Left::UntilTheEnd if !connection.input().is_empty() => {
                    return Poll::Ready(Ok(Some(Frame::data(connection.take(usize::MAX)))));
                }
                Left::Size => {
                    if let Some((size, length)) = size_line(connection.input())? {
                        connection.skip(length);
                        self.0 = if size > 0 { Left::Chunk(size) } else { Left::Trailers };
                        continue;
                    }
                }
                Left::ChunkEnd => match connection.input() {
                    [b'\r', b'\n', ..] => {
                        connection.skip(2);
                        self.0 = Left::Size;
                        continue;
                    }
                    [] | [b'\r'] => {}
                    _ => return Poll::Ready(Err(broken("a chunk is longer than its size"))),
                },
                Left::Trailers => {
                    if let Some((trailers, length)) = trailers(connection.input())? {
                        connection.skip(length);
                        self.0 = Left::Bytes(0);
                        return Poll::Ready(Ok(trailers.map(Frame::trailers)));
                    }
                }
                Left::Bytes(_) | Left::Chunk(_) | Left::UntilTheEnd => {}
            }
            if ready!(connection.poll_fill(cx))? == 0 {
                if self.0 == Left::UntilTheEnd {
                    self.0 = Left::Bytes(0);
                    return Poll::Ready(Ok(None));
                }
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the answer ended before its end",
                )));
            }
        }
    }
}

/// A chunk's size and the length of the line that says it; nothing while that is not whole. Extensions are dropped.
fn size_line(input: &[u8]) -> io::Result<Option<(u64, usize)>> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        return if input.len() < MAX_SIZE_LINE { Ok(None) } else { Err(broken("a chunk's size has too long a line")) };
    };
    let line =
        input[..end].strip_suffix(b"\r").ok_or_else(|| broken("a line of the framing has no carriage return"))?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at(digits);
    let extension = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    if end > MAX_SIZE_LINE || extension.is_some_and(|byte| *byte != b';') || rest.contains(&b'\r') {
        return Err(broken("a chunk's size is malformed"));
    }
    let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
    size.map(|size| Some((size, end + 1))).ok_or_else(|| broken("a chunk's size is malformed"))
}

/// What follows the last chunk, and its length; nothing while it is not whole.
fn trailers(input: &[u8]) -> io::Result<Option<(Option<HeaderMap>, usize)>> {
    if input.starts_with(b"\r\n") {
        return Ok(Some((None, 2)));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    match httparse::parse_headers(input, &mut fields) {
        Ok(httparse::Status::Complete((length, fields)))
            if length <= MAX_TRAILERS && !has_lone_lf(&input[..length]) =>
        {
            let headers = head::trailers(fields).map_err(|malformed| broken(malformed.0))?;
            Ok(Some((Some(headers), length)))
        }
        Ok(httparse::Status::Partial) if input.len() < MAX_TRAILERS => Ok(None),
        _ => Err(broken("the trailers are malformed, or too many")),
    }
}

/// Whether a line ends without a carriage return: chunks do not, and readers differ about trailers that do.
fn has_lone_lf(lines: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', lines).any(|end| end == 0 || lines[end - 1] != b'\r')
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
