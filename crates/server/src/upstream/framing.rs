//! The framing fields of an upstream's answer: one way to read its length, or no answer, since the caller's next reader
//! may choose another one.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::error::ForwardError;

/// Settles how long the answer is (RFC 9112 section 6.3). `true` when the upstream said it in two ways:
/// the transfer coding counts, and the connection is not to be used again.
pub(super) fn settle(headers: &mut HeaderMap) -> Result<bool, ForwardError> {
    let ambiguous = |what: &str| ForwardError::Exchange(format!("the answer's framing is ambiguous: {what}"));
    let (mut is_chunked, mut length) = (false, None);
    let (mut is_repeated, mut is_one) = (false, true);
    for (name, value) in headers.iter() {
        if *name == TRANSFER_ENCODING {
            if is_chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(ambiguous("a transfer coding other than `chunked` alone"));
            }
            is_chunked = true;
        } else if *name == CONTENT_LENGTH {
            is_repeated |= length.is_some();
            is_one &= *length.get_or_insert(value) == value;
        }
    }
    if is_chunked {
        return Ok(headers.remove(CONTENT_LENGTH).is_some());
    }
    let Some(length) = length else { return Ok(false) };
    if length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit) {
        return Err(ambiguous("a length that is not a number"));
    }
    if !is_one {
        return Err(ambiguous("several lengths"));
    }
    if is_repeated {
        let length = length.clone();
        headers.insert(CONTENT_LENGTH, length);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn one_length_is_left_or_none() {
        /// Fields, and when they are sound: the lengths that stay, and whether it was said in two ways.
        type Row = (&'static [(&'static str, &'static str)], Option<(&'static [&'static str], bool)>);
        let rows: &[Row] = &[
            (&[], Some((&[], false))),
            (&[("content-length", "5")], Some((&["5"], false))),
            (&[("content-length", "5"), ("content-length", "5")], Some((&["5"], false))),
            (&[("transfer-encoding", "Chunked")], Some((&[], false))),
            (&[("transfer-encoding", "chunked"), ("content-length", "5")], Some((&[], true))),
            (&[("content-length", "5"), ("content-length", "6")], None),
            (&[("content-length", "5, 5")], None),
            (&[("content-length", "+5")], None),
            (&[("content-length", "")], None),
            (&[("transfer-encoding", "gzip")], None),
            (&[("transfer-encoding", "gzip, chunked")], None),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "identity")], None),
        ];
        for (fields, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *fields {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let settled = settle(&mut headers).ok();
            let left: Vec<&str> = headers.get_all(CONTENT_LENGTH).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(settled.map(|twice| (&left[..], twice)), *expected, "{fields:?}");
        }
    }
}
