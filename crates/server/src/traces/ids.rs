//! The ids of traces and spans, as they stand in headers: lower-case hexadecimal digits, not all of them 0.

use std::cell::RefCell;
use std::ops::Deref;

/// So many random numbers are made at a time: asking for each alone costs more than all that is done with it.
const RESERVE: usize = 64;

/// The id of a trace: 16 bytes.
pub type TraceId = Id<32>;
/// The id of a span: 8 bytes.
pub type SpanId = Id<16>;

/// An id of so many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<const DIGITS: usize>([u8; DIGITS]);

impl<const DIGITS: usize> Id<DIGITS> {
    /// Reads one; `None` unless it is written as W3C Trace Context demands.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let id: [u8; DIGITS] = digits.try_into().ok()?;
        let is_sound = id.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        (is_sound && id.iter().any(|digit| *digit != b'0')).then_some(Self(id))
    }

    /// The bytes that the digits stand for.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
    }
}

impl<const DIGITS: usize> Deref for Id<DIGITS> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TraceId {
    /// A new one, and the half of it that samplers look at.
    pub(super) fn random() -> (Self, u64) {
        let (first, last) = (random(), random());
        let mut id = [0; 32];
        id[..16].copy_from_slice(&digits(first));
        id[16..].copy_from_slice(&digits(last));
        (Self(id), last)
    }
}

impl SpanId {
    /// A new one.
    pub(super) fn random() -> Self {
        Self(digits(random()))
    }
}

/// The digits of a number, most significant first.
pub(crate) fn digits(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - place * 4) & 15) as usize])
}

fn value(digit: u8) -> u8 {
    match digit {
        b'a'..=b'f' => digit - b'a' + 10,
        digit => digit.wrapping_sub(b'0'),
    }
}

/// A number that nobody can foresee, and that is not 0.
pub(super) fn random() -> u64 {
    thread_local!(static NUMBERS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) });
    NUMBERS.with_borrow_mut(|numbers| {
        if numbers.is_empty() {
            let mut bytes = [0; RESERVE * 8];
            // Without randomness traces run into one another, which is no reason to refuse requests.
            let _ = aws_lc_rs::rand::fill(&mut bytes);
            let (words, _) = bytes.as_chunks::<8>();
            numbers.extend(words.iter().map(|word| u64::from_ne_bytes(*word)));
        }
        numbers.pop().unwrap_or_default().max(1)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_written_as_they_are_read_and_differ() {
        let (id, last) = TraceId::random();
        assert_eq!(TraceId::parse(id.as_bytes()), Some(id));
        assert_eq!(id.bytes()[8..], last.to_be_bytes());
        let mut spans: Vec<String> = (0..3 * RESERVE).map(|_| SpanId::random().to_string()).collect();
        spans.sort_unstable();
        spans.dedup();
        assert_eq!(spans.len(), 3 * RESERVE);
        assert_eq!(SpanId::parse(b"00f067aa0ba902b7").unwrap().bytes(), 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    }
}
