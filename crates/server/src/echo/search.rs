//! Finds values in text.

use std::ops::Range;

use super::decoded::{self, Decoded, MOST_BYTES};
use super::values::Values;
use crate::redaction::joined;

impl Values {
    /// Whether one of them is there.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        // Most fields are shorter than any of them.
        text.len() >= self.shortest
            && (self.are_written_in(text)
                || self.is_encoded(text) && self.are_written_in(&Decoded::of(text).text.bytes))
    }

    /// Whether one of them may be there, written in another way than it is.
    fn is_encoded(&self, text: &[u8]) -> bool {
        self.may_be_encoded && decoded::is_encoded(text)
    }

    fn are_written_in(&self, text: &[u8]) -> bool {
        self.finders.iter().any(|finder| finder.find(text).is_some())
    }

    /// Where they are, in order. Places that overlap, or touch, are one.
    pub(super) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places = self.written_places(text);
        if self.is_encoded(text) {
            let decoded = Decoded::of(text).text;
            places.extend(self.written_places(&decoded.bytes).iter().map(|place| decoded.place(place)));
        }
        joined(places)
    }

    fn written_places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        for finder in &self.finders {
            let length = finder.needle().len();
            let mut from = 0;
            while let Some(found) = text.get(from..).and_then(|rest| finder.find(rest)) {
                places.push(from + found..from + found + length);
                // What overlaps is found too: none of it is left.
                from += found + 1;
            }
        }
        places
    }

    /// Where one of them begins, of which the text holds only the beginning.
    pub(super) fn begin_in(&self, text: &[u8]) -> Option<usize> {
        let written = self.first_beginning(text, false);
        let from = text.len().saturating_sub(self.reach() + MOST_BYTES);
        if !self.is_encoded(&text[from..]) {
            return written;
        }
        let decoded = Decoded::of(&text[from..]);
        let encoded = self
            .first_beginning(&decoded.text.bytes, decoded.is_torn)
            .map(|at| from + decoded.text.place(&(at..at)).start);
        written.into_iter().chain(encoded).min()
    }

    /// Where the longest rest of a text is that one of them begins with, and goes on after. Where more is known to come,
    /// that may be empty.
    fn first_beginning(&self, text: &[u8], may_be_empty: bool) -> Option<usize> {
        let needles = self.finders.iter().map(memchr::memmem::Finder::needle);
        let of_one = |needle: &[u8]| {
            let from = text.len().saturating_sub(needle.len().saturating_sub(1));
            let first = *needle.first()?;
            let mut begins = memchr::memchr_iter(first, &text[from..]).map(|at| from + at);
            begins.find(|at| needle.starts_with(&text[*at..]))
        };
        needles.filter_map(of_one).min().or(may_be_empty.then_some(text.len()))
    }
}
