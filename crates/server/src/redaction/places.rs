//! Places of values in a text.

use std::ops::Range;

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
