//! The head of an answer, read from what came (RFC 9112 sections 2 and 4 to 6).

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::connection::Connection;
use super::decoder::Decoder;

/// Fields of a head.
const MAX_FIELDS: usize = 100;
/// The longest head, in bytes.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// A head.
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    version: Version,
}

/// Why there is none: what was wrong with it, never what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Takes a head off what came; nothing while it is not whole.
pub(super) fn read(connection: &mut Connection) -> Result<Option<Head>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let input = connection.input().clone();
    let length = match answer.parse(&input) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if input.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Malformed("the head of the answer is too large")),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed("the answer has too many fields")),
        Err(_) => return Err(Malformed("the head of the answer is malformed")),
    };
    let status =
        answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed("the answer has no status"))?;
    let version = if answer.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let headers = headers(answer.headers, &input)?;
    connection.take(length);
    Ok(Some(Head { status, headers, version }))
}

/// Fields as they were written; their values share the memory they came in.
pub(super) fn headers(fields: &[httparse::Header<'_>], input: &Bytes) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name =
            HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed("a field's name is malformed"))?;
        let value = HeaderValue::from_maybe_shared(input.slice_ref(field.value));
        headers.append(name, value.map_err(|_| Malformed("a field's value is malformed"))?);
    }
    Ok(headers)
}

impl Head {
    /// Whether the connection may have another request afterwards (RFC 9112 section 9.3).
    pub fn keeps_connection(&self) -> bool {
        let mut options =
            self.headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
        match self.version {
            Version::HTTP_10 => options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"keep-alive")),
            _ => !options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close")),
        }
    }

    /// How its body ends (RFC 9112 section 6.3), once the framing fields are settled.
    pub fn decoder(&self, method: &Method) -> Result<Decoder, Malformed> {
        if *method == Method::HEAD || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Decoder::of_length(0));
        }
        if self.headers.contains_key(TRANSFER_ENCODING) {
            return match self.version {
                Version::HTTP_10 => Err(Malformed("an answer of HTTP/1.0 has a transfer coding")),
                _ => Ok(Decoder::chunked()),
            };
        }
        let Some(length) = self.headers.get(CONTENT_LENGTH) else { return Ok(Decoder::until_the_end()) };
        let length = length.to_str().ok().and_then(|length| length.parse().ok());
        length.map(Decoder::of_length).ok_or(Malformed("the answer's length is not a number"))
    }
}
