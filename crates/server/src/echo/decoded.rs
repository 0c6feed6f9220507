//! Text as what it stands for, where it is written for a URL, for JSON or for HTML. Which characters are written that way
//! is up to whoever writes, so that the forms of a value cannot be listed.

use std::ops::RangeInclusive;

use crate::redaction;

/// The most bytes in which one character is written.
pub(super) const MOST_BYTES: usize = 10;

/// What a text stands for.
pub(super) struct Decoded {
    pub(super) text: redaction::Decoded,
    /// The text ends in the middle of what stands for another one.
    pub(super) is_torn: bool,
}

/// What a text begins with.
enum Unit {
    /// A byte that is written in so many.
    Byte(u8, usize),
    /// A character that is written in so many bytes.
    Character(char, usize),
    /// The text ends before that can be said.
    Torn,
}

/// Whether anything may be written that way.
pub(super) fn is_encoded(text: &[u8]) -> bool {
    memchr::memchr3(b'%', b'\\', b'&', text).is_some()
}

impl Decoded {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut decoded = redaction::Decoded::with_capacity(text.len());
        let (mut at, mut is_torn) = (0, false);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            at += match encoded(rest).unwrap_or(Unit::Byte(rest[0], 1)) {
                Unit::Byte(byte, length) => {
                    decoded.push(&[byte], at);
                    length
                }
                Unit::Character(character, length) => {
                    decoded.push(character.encode_utf8(&mut [0; 4]).as_bytes(), at);
                    length
                }
                Unit::Torn => {
                    is_torn = true;
                    break;
                }
            };
        }
        Self { text: decoded.ending(at), is_torn }
    }
}

/// Nothing when it begins with a byte that stands for itself.
fn encoded(text: &[u8]) -> Option<Unit> {
    match text {
        [b'%', rest @ ..] => digits(rest, 16, 2..=2, 1).map(|unit| match unit {
            Unit::Character(character, length) => Unit::Byte(character as u8, length),
            other => other,
        }),
        [b'\\', b'u', rest @ ..] => digits(rest, 16, 4..=4, 2),
        [b'\\', b'x', rest @ ..] => digits(rest, 16, 2..=2, 2),
        [b'\\'] => Some(Unit::Torn),
        [b'\\', quoted, ..] if quoted.is_ascii_punctuation() => Some(Unit::Byte(*quoted, 2)),
        [b'&', b'#', b'x' | b'X', rest @ ..] => ended(digits(rest, 16, 1..=6, 3)?, text),
        [b'&', b'#', rest @ ..] => ended(digits(rest, 10, 1..=7, 2)?, text),
        [b'&', rest @ ..] => named(rest),
        _ => None,
    }
}

/// A character by its number, after so many bytes.
fn digits(text: &[u8], base: u32, range: RangeInclusive<usize>, before: usize) -> Option<Unit> {
    let most = *range.end();
    let count = text.iter().take(most).take_while(|byte| char::from(**byte).is_digit(base)).count();
    if count == text.len() && count < most {
        return Some(Unit::Torn);
    }
    let number = std::str::from_utf8(&text[..count]).ok().filter(|_| range.contains(&count))?;
    let character = u32::from_str_radix(number, base).ok().and_then(char::from_u32)?;
    Some(Unit::Character(character, before + count))
}

/// With the semicolon that ends a reference.
fn ended(unit: Unit, text: &[u8]) -> Option<Unit> {
    match unit {
        Unit::Character(character, length) => match text.get(length) {
            Some(b';') => Some(Unit::Character(character, length + 1)),
            Some(_) => None,
            None => Some(Unit::Torn),
        },
        other => Some(other),
    }
}

/// The references that those who write HTML use for what tokens and passwords are made of.
const NAMES: [(&[u8], char); 8] = [
    (b"amp;", '&'),
    (b"lt;", '<'),
    (b"gt;", '>'),
    (b"quot;", '"'),
    (b"apos;", '\''),
    (b"plus;", '+'),
    (b"sol;", '/'),
    (b"equals;", '='),
];

fn named(text: &[u8]) -> Option<Unit> {
    if NAMES.iter().any(|(name, _)| text.len() < name.len() && name.starts_with(text)) {
        return Some(Unit::Torn);
    }
    let (name, character) = NAMES.iter().find(|(name, _)| text.starts_with(name))?;
    Some(Unit::Character(*character, name.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_what_it_stands_for() {
        let rows = [
            ("plain", "plain", false),
            ("a%2Fb%2fc%zz%", "a/b/c%zz", true),
            ("%4", "", true),
            ("100%", "100", true),
            (r"a\/b\u002b\u00e9\x2Fc\nd\q", r"a/b+é/c\nd\q", false),
            (r"a\", "a", true),
            (r"a\u00", "a", true),
            (r"a\u002f", "a/", false),
            ("a&#43;b&#x2F;c&amp;d&equals;e&nbsp;f&;", "a+b/c&d=e&nbsp;f&;", false),
            ("a&amp;", "a&", false),
            ("a&#4", "a", true),
            ("a&#x2F", "a", true),
            ("a&quo", "a", true),
            ("a&", "a", true),
            ("a&#43b", "a&#43b", false),
            ("&#00000000000043;", "&#00000000000043;", false),
            ("%C3%A9", "é", false),
        ];
        for (text, expected, is_torn) in rows {
            let decoded = Decoded::of(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&decoded.text.bytes), expected, "{text}");
            assert_eq!(decoded.is_torn, is_torn, "{text}");
        }
    }

    #[test]
    fn what_was_found_stands_where_it_is_written() {
        let decoded = Decoded::of(b"x%41%42&#67;\\u0044y").text;
        assert_eq!(decoded.place(&(1..5)), 1..18);
        assert_eq!(decoded.place(&(2..3)), 4..7);
        assert_eq!(decoded.place(&(0..6)), 0..19);
    }
}
