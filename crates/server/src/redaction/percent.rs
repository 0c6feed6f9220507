//! Percent-encoded text as what it stands for (RFC 3986 section 2.1). Which characters are encoded is up to whoever
//! encodes, so that encoded forms of a value cannot be listed.

use memchr::memchr;

use super::places::Decoded;

/// Nothing when nothing is encoded.
pub(super) fn decoded(text: &[u8]) -> Option<Decoded> {
    memchr(b'%', text)?;
    let (mut decoded, mut at) = (Decoded::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let code = code(&text[at..]);
        decoded.push(&[code.unwrap_or(*byte)], at);
        at += if code.is_some() { 3 } else { 1 };
    }
    Some(decoded.ending(at))
}

fn code(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
