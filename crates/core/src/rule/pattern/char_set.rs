//! Sets of ASCII characters.
//!
//! A subject is a canonical URL, which the gate makes of ASCII only. Classes are therefore cut down to
//! their ASCII members: `\w{1,64}` stays a few kilobytes, where its Unicode form would need megabytes.

use std::fmt::Write as _;

/// A set of ASCII characters, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CharSet(u128);

const UPPER: u128 = 0x07FF_FFFE << 64;
const LOWER: u128 = UPPER << 32;

impl CharSet {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(u128::MAX);
    pub(super) const DIGIT: Self = Self(0x03FF << 48);
    pub(super) const SPACE: Self = Self(1 << 32 | 0x3E00);
    pub(super) const WORD: Self = Self(UPPER | LOWER | Self::DIGIT.0 | 1 << 95);

    /// From the bits themselves, lowest character first.
    pub(super) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The ASCII members of `low..=high`.
    pub(super) fn range(low: char, high: char) -> Self {
        let (low, high) = (u32::from(low), u32::from(high).min(127));
        if low > high { Self::NONE } else { Self((u128::MAX >> (127 - (high - low))) << low) }
    }

    pub(super) fn of(c: char) -> Self {
        Self::range(c, c)
    }

    pub(super) fn contains(self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn complement(self) -> Self {
        Self(!self.0)
    }

    /// With the lower-case form of every member.
    pub(super) fn with_lower_case(self) -> Self {
        Self(self.0 | (self.0 & UPPER) << 32)
    }

    /// The characters whose lower-case form is a member: how the reference ignores case.
    pub(super) fn ignoring_case(self) -> Self {
        Self(self.0 & !UPPER | (self.0 & LOWER) >> 32)
    }

    /// Writes it as the engines read it, hexadecimal where they could see syntax.
    pub(super) fn write(self, out: &mut String) {
        let ranges = self.ranges();
        match ranges[..] {
            [(low, high)] if low == high => write_char(out, low),
            // A class without members, which matches nothing.
            [] => out.push_str(r"[^\x00-\x{10FFFF}]"),
            _ => {
                out.push('[');
                for (low, high) in ranges {
                    write_char(out, low);
                    if low < high {
                        out.push('-');
                        write_char(out, high);
                    }
                }
                out.push(']');
            }
        }
    }

    /// The members as ranges, in order.
    pub(super) fn ranges(self) -> Vec<(char, char)> {
        let mut ranges: Vec<(char, char)> = Vec::new();
        for code in 0_u8..128 {
            if self.0 >> code & 1 == 0 {
                continue;
            }
            match ranges.last_mut() {
                Some((_, high)) if u32::from(*high) + 1 == u32::from(code) => *high = char::from(code),
                _ => ranges.push((char::from(code), char::from(code))),
            }
        }
        ranges
    }
}

fn write_char(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        let _ = write!(out, r"\x{:02X}", u32::from(c));
    }
}

/// The simple lower-case mapping of a character.
pub(super) fn lower_case(c: char) -> char {
    // Its full mapping has two characters; the simple one is the first.
    c.to_lowercase().next().unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back() {
        for (low, high) in [('a', 'z'), ('\0', '\x7f'), ('~', '\u{10ffff}'), ('0', '0')] {
            let expected = (low, high.min('\x7f'));
            assert_eq!(CharSet::range(low, high).ranges(), [expected]);
        }
        assert_eq!(CharSet::range('é', 'ü'), CharSet::NONE);
        assert_eq!(CharSet::WORD.ranges(), [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]);
        assert_eq!(CharSet::SPACE.ranges(), [('\t', '\r'), (' ', ' ')]);
        assert_eq!(CharSet::of('k').ignoring_case().ranges(), [('K', 'K'), ('k', 'k')]);
        assert_eq!(CharSet::of('K').ignoring_case(), CharSet::NONE);
        assert_eq!(CharSet::of('K').with_lower_case().ranges(), [('K', 'K'), ('k', 'k')]);
        assert_eq!(lower_case('\u{130}'), 'i');
        assert_eq!(lower_case('\u{212a}'), 'k');
    }
}
