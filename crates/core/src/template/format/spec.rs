//! Flags, width and precision of a directive, and the padding they ask for.

use super::MAX_SHOWN;
use crate::template::runes;

/// How a value is to be printed.
#[derive(Clone, Default)]
pub(super) struct Spec {
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%#v`: as Go source.
    pub(super) as_source: bool,
    /// `%+v`: with the names of fields.
    pub(super) with_names: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Spec {
    /// Whether nothing is asked for: the value's own form.
    pub(super) fn is_plain(&self) -> bool {
        let flags = self.plus || self.minus || self.sharp || self.space || self.zero || self.as_source;
        !flags && self.width.is_none() && self.precision.is_none()
    }

    /// Writes text, padded to the width.
    pub(super) fn pad(&self, text: &[u8], out: &mut Vec<u8>) {
        let missing = self.width.map_or(0, |width| width.saturating_sub(runes::count(text)));
        if self.minus {
            out.extend(text);
            self.fill(missing, out);
        } else {
            self.fill(missing, out);
            out.extend(text);
        }
    }

    /// The same, but never with zeros.
    pub(super) fn pad_with_spaces(&self, text: &[u8], out: &mut Vec<u8>) {
        Self { zero: false, ..self.clone() }.pad(text, out);
    }

    /// Padding; zeros only before what is padded. No more than may be shown at all.
    pub(super) fn fill(&self, count: usize, out: &mut Vec<u8>) {
        let byte = if self.zero && !self.minus { b'0' } else { b' ' };
        let room = (MAX_SHOWN + 1).saturating_sub(out.len());
        out.extend(std::iter::repeat_n(byte, count.min(room)));
    }

    /// The width that zeros fill up, where they do.
    pub(super) fn zero_width(&self) -> Option<usize> {
        self.width.filter(|_| self.zero && !self.minus)
    }

    /// Text cut to the precision, in characters.
    pub(super) fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.precision else { return text };
        let mut rest = text;
        for _ in 0..precision {
            let Some((_, length)) = runes::first(rest) else { return text };
            rest = &rest[length..];
        }
        &text[..text.len() - rest.len()]
    }
}
