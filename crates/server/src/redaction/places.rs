//! Places of values in a text.

use std::ops::Range;

use zeroize::Zeroizing;

/// What a text stands for, and where each byte of that is written. Wiped on drop: it may be a value.
pub(crate) struct Decoded {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Where what stands for each of them begins; at the end, where the last ends.
    places: Vec<usize>,
}

impl Decoded {
    /// Nothing yet of a text of this length, which may not stand for more bytes than it has.
    pub(crate) fn with_capacity(length: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(length)), places: Vec::with_capacity(length + 1) }
    }

    /// The next bytes, which are written together.
    pub(crate) fn push(&mut self, bytes: &[u8], at: usize) {
        self.bytes.extend_from_slice(bytes);
        self.places.resize(self.bytes.len(), at);
    }

    /// Nothing follows after this place.
    pub(crate) fn ending(mut self, at: usize) -> Self {
        self.places.push(at);
        self
    }

    /// Where something that was found in `bytes` is written.
    pub(crate) fn place(&self, found: &Range<usize>) -> Range<usize> {
        self.places[found.start]..self.places[found.end]
    }
}

/// The same places in order. Those that overlap, or touch, are one: of none of the values is anything left.
pub(crate) fn joined(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| place.start);
    places.dedup_by(|next, last| {
        let is_one = next.start <= last.end;
        last.end = if is_one { last.end.max(next.end) } else { last.end };
        is_one
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_overlap_or_touch_are_one() {
        assert_eq!(joined(vec![7..9, 0..4, 2..3, 4..5, 12..13]), [0..5, 7..9, 12..13]);
        assert!(joined(Vec::new()).is_empty());
    }
}
