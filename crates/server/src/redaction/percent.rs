//! Percent-encoded text as what it stands for (RFC 3986 section 2.1), and the way back. Which characters are encoded is
//! up to whoever encodes, so that encoded forms of a value cannot be listed.

use std::ops::Range;

use memchr::memchr;

pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Where each of them stands in the text; at the end, where that ends.
    places: Vec<usize>,
}

impl Decoded {
    /// Nothing when nothing is encoded.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        memchr(b'%', text)?;
        let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let code = code(&text[at..]);
            places.push(at);
            bytes.push(code.unwrap_or(*byte));
            at += if code.is_some() { 3 } else { 1 };
        }
        places.push(at);
        Some(Self { bytes, places })
    }

    /// Where something that was found in `bytes` stands in the text.
    pub(super) fn place(&self, found: &Range<usize>) -> Range<usize> {
        self.places[found.start]..self.places[found.end]
    }
}

fn code(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
