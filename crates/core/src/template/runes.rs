//! Text as Go's runes, and Go's one-to-one mappings of case.
//!
//! Go maps each character to one character; Rust's mappings may give several. Where they do, the
//! character has either no such mapping or the one listed here.

use std::sync::LazyLock;

use ::regex::Regex;

/// The first character and its length in bytes; a byte that is no UTF-8 counts as U+FFFD.
pub(super) fn first(bytes: &[u8]) -> Option<(char, usize)> {
    let lead = bytes.first()?;
    if lead.is_ascii() {
        return Some((char::from(*lead), 1));
    }
    (2..=bytes.len().min(4))
        .find_map(|length| std::str::from_utf8(&bytes[..length]).ok())
        .and_then(|text| text.chars().next())
        .map(|c| (c, c.len_utf8()))
        .or(Some((char::REPLACEMENT_CHARACTER, 1)))
}

/// The last character and its length.
pub(super) fn last(bytes: &[u8]) -> Option<(char, usize)> {
    bytes.last()?;
    (1..=bytes.len().min(4))
        .filter_map(|length| std::str::from_utf8(&bytes[bytes.len() - length..]).ok())
        .find_map(|text| text.chars().next())
        .map(|c| (c, c.len_utf8()))
        .or(Some((char::REPLACEMENT_CHARACTER, 1)))
}

/// How many characters there are.
pub(super) fn count(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let mut count = 0;
    while let Some((_, length)) = first(rest) {
        count += 1;
        rest = &rest[length..];
    }
    count
}

/// All characters.
pub(super) fn all(bytes: &[u8]) -> Vec<char> {
    let mut rest = bytes;
    let mut found = Vec::with_capacity(bytes.len());
    while let Some((c, length)) = first(rest) {
        found.push(c);
        rest = &rest[length..];
    }
    found
}

/// Go's `unicode.ToUpper`.
pub(super) fn upper(c: char) -> char {
    match c {
        c if c.is_ascii() => c.to_ascii_uppercase(),
        '\u{1f80}'..='\u{1faf}' if c as u32 & 8 == 0 => moved(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => moved(c, 9),
        _ => single(c, c.to_uppercase()),
    }
}

/// Go's `unicode.ToLower`.
pub(super) fn lower(c: char) -> char {
    match c {
        c if c.is_ascii() => c.to_ascii_lowercase(),
        'İ' => 'i',
        _ => single(c, c.to_lowercase()),
    }
}

/// Go's `unicode.ToTitle`: differs from upper case for digraphs and Georgian.
pub(super) fn title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        c => upper(c),
    }
}

/// A class of characters, such as `Lu`.
pub(super) struct Class(LazyLock<Regex>);

impl Class {
    /// Whether a character is of this class.
    pub(super) fn has(&self, c: char) -> bool {
        self.0.is_match(c.encode_utf8(&mut [0; 4]))
    }
}

macro_rules! class {
    ($name:ident, $pattern:literal) => {
        pub(super) static $name: Class = Class(LazyLock::new(|| {
            #[allow(clippy::expect_used, reason = "a constant, compiled by the tests")]
            Regex::new($pattern).expect("a class of characters")
        }));
    };
}

class!(UPPER, r"^\p{Lu}$");
class!(LOWER, r"^\p{Ll}$");
class!(TITLE, r"^\p{Lt}$");
class!(LETTER, r"^\p{L}$");
class!(NUMBER, r"^\p{N}$");
class!(DIGIT, r"^\p{Nd}$");
class!(PUNCTUATION, r"^\p{P}$");

fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(mapped), None) => mapped,
        _ => c,
    }
}

fn moved(c: char, distance: u32) -> char {
    char::from_u32(c as u32 + distance).unwrap_or(c)
}
