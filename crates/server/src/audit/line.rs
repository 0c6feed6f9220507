//! How a record becomes one line of JSON, whatever it holds: by hand, into a buffer.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::Offset;

/// A record on its way into a buffer. Nearly none holds anything that has to be escaped, so strings are
/// first written as they are, and the whole line is looked at once.
pub(super) struct Line<'o> {
    out: &'o mut Vec<u8>,
    /// The quotation marks that belong to the line itself: of its names, and around its strings.
    quotes: usize,
    escapes: bool,
}

/// A member's name, with the punctuation around it, before each kind of value: a piece less to write.
pub(super) struct Key {
    pub(super) string: &'static str,
    pub(super) other: &'static str,
    pub(super) null: &'static str,
}

impl<'o> Line<'o> {
    /// Strings are written as they are; ask [`is_sound`](Self::is_sound) afterwards.
    pub(super) fn plain(out: &'o mut Vec<u8>) -> Self {
        Self { out, quotes: 0, escapes: false }
    }

    /// Strings are escaped.
    pub(super) fn escaping(out: &'o mut Vec<u8>) -> Self {
        Self { out, quotes: 0, escapes: true }
    }

    /// Whether nothing that was written since a place in the buffer had to be escaped.
    pub(super) fn is_sound(&self, start: usize) -> bool {
        is_plain(&self.out[start..], self.quotes)
    }

    /// Punctuation without quotation marks.
    pub(super) fn punctuation(&mut self, text: &'static str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A string or null.
    pub(super) fn text(&mut self, key: Key, value: Option<&str>) {
        self.pieces(key, value.map(|value| [value.as_bytes()]));
    }

    /// A string that comes in pieces, or null.
    #[inline]
    pub(super) fn pieces<const N: usize>(&mut self, key: Key, value: Option<[&[u8]; N]>) {
        match value {
            Some(pieces) => self.string(key.string, pieces),
            None => self.null(key),
        }
    }

    /// A list of strings.
    pub(super) fn strings<'v>(&mut self, key: Key, values: impl Iterator<Item = &'v str>) {
        self.out.extend_from_slice(key.other.as_bytes());
        self.quotes += 2;
        let mut before = "[\"";
        for value in values {
            self.string(before, [value.as_bytes()]);
            self.quotes -= 2;
            before = ",\"";
        }
        self.punctuation(if before == "[\"" { "[]" } else { "]" });
    }

    /// A number or null.
    #[inline]
    pub(super) fn number(&mut self, key: Key, value: Option<u64>) {
        let Some(value) = value else { return self.null(key) };
        self.quotes += 2;
        self.out.extend_from_slice(key.other.as_bytes());
        self.decimal(value);
    }

    fn decimal(&mut self, value: u64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn null(&mut self, key: Key) {
        self.quotes += 2;
        self.punctuation(key.null);
    }

    /// Milliseconds with three decimals, or null.
    #[inline]
    pub(super) fn milliseconds(&mut self, key: Key, value: Option<Duration>) {
        let micros = value.map(|value| u64::try_from(value.as_micros()).unwrap_or(u64::MAX));
        self.number(key, micros.map(|micros| micros / 1000));
        if let Some(micros) = micros {
            let mut decimals = *b".000";
            digits(&mut decimals[1..], micros % 1000);
            self.out.extend_from_slice(&decimals);
        }
    }

    /// RFC 3339 in UTC with milliseconds; the name comes with its quotation marks.
    pub(super) fn time(&mut self, key: &'static str, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (mut second, mut text) = SECOND.get();
        if second != since.as_secs() {
            (second, text) = (since.as_secs(), until_seconds(since.as_secs()));
            SECOND.set((second, text));
        }
        let mut millis = *b"000Z";
        digits(&mut millis[..3], u64::from(since.subsec_millis()));
        self.string(key, [&text, &millis]);
    }

    /// A string in pieces, behind its name. Control characters are escaped, so a record is always one line.
    #[inline]
    fn string<const N: usize>(&mut self, key: &'static str, pieces: [&[u8]; N]) {
        self.quotes += 4;
        self.out.extend_from_slice(key.as_bytes());
        for piece in pieces {
            if self.escapes {
                escape(self.out, piece);
            } else {
                self.out.extend_from_slice(piece);
            }
        }
        self.out.push(b'"');
    }
}

/// As wide as what every machine of this kind compares at once.
const LANES: usize = 16;

/// Whether nothing in a line had to be escaped, given how many quotation marks are its own.
fn is_plain(line: &[u8], own_quotes: usize) -> bool {
    let (chunks, rest) = line.as_chunks::<LANES>();
    let mut last = [b' '; LANES];
    last[..rest.len()].copy_from_slice(rest);
    // Lanes count to 255; what comes after that many chunks is counted anew.
    let parts = chunks.chunks(usize::from(u8::MAX)).chain([std::slice::from_ref(&last)]);
    let mut quotes = 0;
    for part in parts {
        let Some(more) = quotes_in(part) else { return false };
        quotes += more;
    }
    quotes == own_quotes
}

/// How many quotation marks there are; nothing where something has to be escaped. A lane is all ones where it holds.
fn quotes_in(chunks: &[[u8; LANES]]) -> Option<usize> {
    let lanes = |holds: bool| if holds { u8::MAX } else { 0 };
    let (mut escaped, mut quotes) = ([0_u8; LANES], [0_u8; LANES]);
    for chunk in chunks {
        for lane in 0..LANES {
            escaped[lane] |= lanes(is_escaped(chunk[lane]));
            quotes[lane] = quotes[lane].wrapping_sub(lanes(chunk[lane] == b'"'));
        }
    }
    (escaped == [0; LANES]).then(|| quotes.iter().map(|quotes| usize::from(*quotes)).sum())
}

/// Bytes that JSON wants escaped, and DEL; besides the quotation mark, which is counted.
const fn is_escaped(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'\\') | (byte == 0x7f)
}

#[cold]
fn escape(out: &mut Vec<u8>, value: &[u8]) {
    let mut plain = 0;
    for (index, byte) in value.iter().enumerate().filter(|(_, byte)| is_escaped(**byte) || **byte == b'"') {
        out.extend_from_slice(&value[plain..index]);
        plain = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            byte => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&value[plain..]);
}

thread_local! {
    /// The last second that was written: a core writes many records in one.
    static SECOND: Cell<(u64, [u8; 20])> = const { Cell::new((0, *b"1970-01-01T00:00:00.")) };
}

fn until_seconds(seconds: u64) -> [u8; 20] {
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = Offset::UTC.to_datetime(at.unwrap_or_default());
    let mut text = *b"0000-00-00T00:00:00.";
    digits(&mut text[0..4], u64::from(at.year().unsigned_abs()));
    let places = [(5, at.month()), (8, at.day()), (11, at.hour()), (14, at.minute()), (17, at.second())];
    for (place, value) in places {
        digits(&mut text[place..place + 2], u64::from(value.unsigned_abs()));
    }
    text
}

/// A number in as many digits as there are places.
fn digits(places: &mut [u8], mut value: u64) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_has_to_be_escaped_is_found_wherever_it_stands() {
        for length in [1, 31, 32, 33, 70, 32 * 256 + 5] {
            for place in (0..length).rev().take(100).chain(0..length.min(100)) {
                for byte in [0, 0x1f, b' ', b'"', b'\\', b'~', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let plain = !(byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f));
                    assert_eq!(is_plain(&bytes, 0), plain, "{byte:#x} at {place} of {length}");
                }
            }
            assert!(is_plain(&vec![b'"'; length], length), "{length} quotation marks, all its own");
        }
    }
}
