//! The head of an answer, read from what came (RFC 9112 sections 2 and 4 to 6).

use std::mem::MaybeUninit;

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

/// Takes a head off what came; nothing while it is not whole. `seen` bytes were looked at before, in vain. The memory of
/// `spent` is used for the fields.
pub(super) fn read(connection: &mut Connection, seen: usize, spent: &mut HeaderMap) -> Result<Option<Head>, Malformed> {
    const NONE: MaybeUninit<httparse::Header<'_>> = MaybeUninit::uninit();
    let input = connection.input();
    // A head ends with a line: without the end of another one there is no use in looking again.
    if memchr::memchr(b'\n', &input[seen..]).is_none() && input.len() < MAX_HEAD {
        return Ok(None);
    }
    let mut fields = [NONE; MAX_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut answer, input, &mut fields);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if input.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Malformed("the head of the answer is too large")),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed("the answer has too many fields")),
        Err(_) => return Err(Malformed("the head of the answer is malformed")),
    };
    let status =
        answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed("the answer has no status"))?;
    let version = if answer.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut places = [Place::default(); MAX_FIELDS];
    let count = answer.headers.len();
    for (place, field) in places.iter_mut().zip(&*answer.headers) {
        *place = Place { name: within(input, field.name.as_bytes()), value: within(input, field.value) };
    }
    let head = connection.take(length);
    let mut headers = std::mem::take(spent);
    headers.clear();
    let range = |(from, to): (u32, u32)| from as usize..to as usize;
    // Values share the memory they came in.
    let fields = places[..count].iter().map(|place| (&head[range(place.name)], head.slice(range(place.value))));
    append(&mut headers, fields)?;
    Ok(Some(Head { status, headers, version }))
}

/// Where a field stands in a head.
#[derive(Clone, Copy, Default)]
struct Place {
    name: (u32, u32),
    value: (u32, u32),
}

/// The beginning and the end of a part of the bytes before [`MAX_HEAD`].
fn within(whole: &[u8], part: &[u8]) -> (u32, u32) {
    // What is empty may stand anywhere.
    if part.is_empty() {
        return (0, 0);
    }
    let from = part.as_ptr() as usize - whole.as_ptr() as usize;
    (from as u32, (from + part.len()) as u32)
}

/// Fields as they were written, by name and value.
fn append<'f>(headers: &mut HeaderMap, fields: impl Iterator<Item = (&'f [u8], Bytes)>) -> Result<(), Malformed> {
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name).map_err(|_| Malformed("a field's name is malformed"))?;
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Malformed("a field's value is malformed"))?;
        headers.append(name, value);
    }
    Ok(())
}

/// Trailers, which are fields without a first line (RFC 9112 section 7.1.2).
pub(super) fn trailers(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    let fields = fields.iter().map(|field| (field.name.as_bytes(), Bytes::copy_from_slice(field.value)));
    append(&mut headers, fields)?;
    Ok(headers)
}

impl Head {
    /// Whether the connection may have another request afterwards (RFC 9112 section 9.3).
    pub fn keeps_connection(&self) -> bool {
        let (mut closes, mut keeps) = (false, self.version != Version::HTTP_10);
        // To walk over the few fields of an answer is cheaper than to look one up.
        for (_, value) in self.headers.iter().filter(|(name, _)| **name == CONNECTION) {
            // What nearly every answer says.
            if value == "keep-alive" {
                keeps = true;
                continue;
            }
            for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                closes |= option.eq_ignore_ascii_case(b"close");
                keeps |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        keeps && !closes
    }

    /// How its body ends (RFC 9112 section 6.3), once the framing fields are settled.
    pub fn decoder(&self, method: &Method) -> Result<Decoder, Malformed> {
        if *method == Method::HEAD || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Decoder::of_length(0));
        }
        let (mut is_chunked, mut length) = (false, None);
        for (name, value) in &self.headers {
            is_chunked |= *name == TRANSFER_ENCODING;
            if *name == CONTENT_LENGTH {
                length.get_or_insert(value);
            }
        }
        if is_chunked {
            return match self.version {
                Version::HTTP_10 => Err(Malformed("an answer of HTTP/1.0 has a transfer coding")),
                _ => Ok(Decoder::chunked()),
            };
        }
        let Some(length) = length else { return Ok(Decoder::until_the_end()) };
        let length = length.to_str().ok().and_then(|length| length.parse().ok());
        length.map(Decoder::of_length).ok_or(Malformed("the answer's length is not a number"))
    }
}
