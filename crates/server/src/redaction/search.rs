//! Finds all values at once.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind, packed};
use keyward_core::secret::Secret;

use super::REDACTED;
use super::forms::{self, Form};
use super::percent;
use super::places::joined;

/// Of longer forms the beginning is looked for, and what follows is compared. Beyond it a private key differs from
/// others of its kind.
const LOOKED_FOR: usize = 128;

/// As many patterns can be told from everything else by looking at many bytes at once: several searches for so many take
/// less time than one for all,
const AT_ONCE: usize = 64;
/// unless they are more than that.
const MOST_SEARCHES: usize = 12;

/// Not printable: it holds the values. What the search is made of cannot be wiped, and goes when values change.
pub(super) struct Searcher {
    /// Tells whether anything is there at all, in one pass, where the values are few enough.
    any: Option<packed::Searcher>,
    written: Vec<AhoCorasick>,
    base64: Vec<AhoCorasick>,
    /// Forms of which only the beginning is a pattern.
    long: Vec<Form>,
    /// The values cannot be looked for, so that nothing may be told.
    hides_all: bool,
}

impl Searcher {
    /// Nothing when there is nothing to be found.
    pub(super) fn new<'s>(values: impl Iterator<Item = &'s Secret>) -> Option<Self> {
        let (mut written, mut base64) = (Vec::new(), Vec::new());
        for value in values {
            written.extend(forms::written(value.expose()));
            base64.extend(forms::base64(value.expose()));
        }
        if written.is_empty() {
            return None;
        }
        // Building fails only for gigabytes of patterns.
        let (Ok(by_text), Ok(by_code)) = (searches(&written), searches(&base64)) else {
            return Some(Self::hiding_all());
        };
        let any = any(written.iter().chain(&base64));
        let long = written.into_iter().chain(base64).filter(|form| form.len() > LOOKED_FOR).collect();
        Some(Self { any, written: by_text, base64: by_code, long, hides_all: false })
    }

    /// Takes everything for a value.
    fn hiding_all() -> Self {
        Self { any: None, written: Vec::new(), base64: Vec::new(), long: Vec::new(), hides_all: true }
    }

    /// Whether there is anything in a text in which nothing is encoded.
    pub(super) fn finds(&self, text: &[u8]) -> bool {
        match &self.any {
            Some(any) => any.find(text).is_some(),
            None if self.hides_all => true,
            None => self.written.iter().chain(&self.base64).any(|search| search.is_match(text)),
        }
    }

    /// The text without the values; nothing when there is none in it.
    pub(super) fn replaced(&self, text: &[u8]) -> Option<Vec<u8>> {
        let found = self.places(text);
        if found.is_empty() {
            return None;
        }
        let (mut out, mut end) = (Vec::with_capacity(text.len()), 0);
        for place in found {
            out.extend_from_slice(&text[end..place.start]);
            out.extend_from_slice(REDACTED.as_bytes());
            end = place.end;
        }
        out.extend_from_slice(&text[end..]);
        Some(out)
    }

    /// Where there are values.
    fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        if self.hides_all {
            return std::iter::once(0..text.len()).collect();
        }
        let mut places = self.found(text);
        if let Some(decoded) = percent::decoded(text) {
            places.extend(self.found(&decoded.bytes).iter().map(|place| decoded.place(place)));
        }
        joined(places)
    }

    fn found(&self, text: &[u8]) -> Vec<Range<usize>> {
        let of = |searches: &[AhoCorasick]| searches.iter().flat_map(|search| all(search, text)).collect::<Vec<_>>();
        let written = of(&self.written).into_iter().map(|place| self.to_the_end(place, text));
        let base64 = of(&self.base64).into_iter().map(|place| with_neighbours(self.to_the_end(place, text), text));
        written.chain(base64).collect()
    }

    /// Of a long form, all that is there.
    fn to_the_end(&self, found: Range<usize>, text: &[u8]) -> Range<usize> {
        let same = |form: &Form| form.as_bytes().iter().zip(&text[found.start..]).take_while(|(a, b)| a == b).count();
        let end = found.start + self.long.iter().map(same).fold(found.len(), usize::max);
        // What differs may differ in the middle of a character.
        found.start..end + text[end..].iter().take_while(|byte| **byte & 0xc0 == 0x80).count()
    }
}

fn any<'f>(forms: impl Iterator<Item = &'f Form>) -> Option<packed::Searcher> {
    let patterns = patterns(forms);
    if patterns.len() <= AT_ONCE { packed::Searcher::new(patterns) } else { None }
}

fn searches(forms: &[Form]) -> Result<Vec<AhoCorasick>, BuildError> {
    let patterns = patterns(forms.iter());
    let size = if patterns.len() > MOST_SEARCHES * AT_ONCE { patterns.len() } else { AT_ONCE };
    let mut builder = AhoCorasick::builder();
    // A table of all transitions would take megabytes.
    builder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA));
    patterns.chunks(size).map(|patterns| builder.build(patterns)).collect()
}

/// What is looked for, each once.
fn patterns<'f>(forms: impl Iterator<Item = &'f Form>) -> Vec<&'f [u8]> {
    let mut patterns: Vec<&[u8]> = forms.map(|form| beginning(form)).collect();
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}

/// No character is cut in two.
fn beginning(form: &str) -> &[u8] {
    let end = (0..=form.len().min(LOOKED_FOR)).rev().find(|end| form.is_char_boundary(*end));
    &form.as_bytes()[..end.unwrap_or(0)]
}

/// The longest pattern at each place where there is one, overlapping ones too.
fn all<'a>(search: &'a AhoCorasick, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = search.find(Input::new(text).range(from..))?;
        from = found.start() + 1;
        Some(found.range())
    })
}

/// The characters around what only a value decides are made of it in part; padding tells how long it is.
fn with_neighbours(found: Range<usize>, text: &[u8]) -> Range<usize> {
    let is_base64 = |index: usize| text.get(index).is_some_and(|byte| forms::is_base64(*byte));
    let start = found.start - usize::from(found.start > 0 && is_base64(found.start - 1));
    let end = found.end + usize::from(is_base64(found.end));
    start..end + text[end..].iter().take_while(|byte| **byte == b'=').count()
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn what_cannot_be_searched_is_not_told() {
        let searcher = Searcher::hiding_all();
        assert_eq!(searcher.replaced(b"nothing to see").as_deref(), Some(REDACTED.as_bytes()));
        assert!(searcher.finds(b"nothing to see"));
        let told = json::replaced(br#"{"a": ["nothing", "\u0041", 1]}"#, &searcher);
        assert_eq!(*told, *br#"{"[redacted]": ["[redacted]", "[redacted]", 1]}"#);
    }
}
