//! The canonical path: one form for matching and for forwarding.

use std::borrow::Cow;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// `..` would leave the root.
    AboveRoot,
    /// An octet that is no path character (RFC 3986 section 3.3), raw or encoded.
    BadCharacter,
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// A dot segment with parameters or beside an encoded slash: other software may resolve it.
    HiddenDots,
    /// Not starting with `/`.
    NotAbsolute,
    /// Escapes that are not UTF-8.
    NotUtf8,
}

/// A canonical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'p> {
    /// Percent-encoded, upper-case escapes, unreserved characters decoded, no dot or empty segments.
    pub text: Cow<'p, str>,
    /// Whether it holds `%2F`.
    pub has_encoded_slash: bool,
}

/// Brings a path into canonical form or refuses it (RFC 3986 sections 5.2.4 and 6.2.2).
pub fn canonicalize(path: &str) -> Result<CanonicalPath<'_>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    // The common case costs one pass.
    if is_canonical(path.as_bytes()) {
        return Ok(CanonicalPath { text: path.into(), has_encoded_slash: false });
    }
    let decoded = normalize_escapes(path)?;
    let mut text = String::with_capacity(decoded.len());
    let mut segments = decoded[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." if is_last => text.push('/'),
            "" if is_last => text.push('/'),
            "" | "." => {}
            ".." => {
                let parent = text.rfind('/').ok_or(PathError::AboveRoot)?;
                text.truncate(parent);
                if is_last {
                    text.push('/');
                }
            }
            segment => {
                text.push('/');
                text.push_str(segment);
            }
        }
    }
    if text.is_empty() {
        text.push('/');
    }
    let has_encoded_slash = text.contains("%2F");
    Ok(CanonicalPath { text: text.into(), has_encoded_slash })
}

/// A canonical path with its escapes undone, as far as they stand for ASCII, and all but `%2F`, which is no
/// separator. Borrowed when it has none.
pub fn unescaped(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'%', &bytes[at..]) {
        at += found;
        match escape_at(bytes, at) {
            Some(value) if value.is_ascii() && value != b'/' => {
                out.push_str(&path[copied..at]);
                out.push(char::from(value));
                at += 3;
                copied = at;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return path.into();
    }
    out.push_str(&path[copied..]);
    out.into()
}

/// A pattern's literal text in the form paths have: what cannot be in a path as it stands is encoded.
pub fn encode_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, escape_at(bytes, at)) {
            (b'%', Some(value)) => {
                if is_unreserved(value) {
                    out.push(char::from(value));
                } else {
                    push_escape(&mut out, value);
                }
                at += 3;
                continue;
            }
            (0x21..=0x7e, _) => out.push(char::from(byte)),
            (byte, _) => push_escape(&mut out, byte),
        }
        at += 1;
    }
    out
}

fn is_canonical(path: &[u8]) -> bool {
    let mut follows_slash = false;
    path.iter().all(|&byte| {
        let may_stand = CANONICAL_CHARACTERS[usize::from(follows_slash)][usize::from(byte)];
        follows_slash = byte == b'/';
        may_stand
    })
}

/// What may stand in a path that is canonical as it is, and what may follow a slash there: one look instead of several
/// comparisons.
static CANONICAL_CHARACTERS: [[bool; 256]; 2] = {
    let mut tables = [[false; 256]; 2];
    let mut byte = 0;
    while byte < tables[0].len() {
        let may_stand = byte as u8 == b'/' || is_path_character(byte as u8);
        tables[0][byte] = may_stand;
        tables[1][byte] = may_stand && !matches!(byte as u8, b'/' | b'.');
        byte += 1;
    }
    tables
};

/// Decodes unreserved escapes, puts the others in upper case, refuses what is ambiguous.
fn normalize_escapes(path: &str) -> Result<String, PathError> {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    let mut segment_start = 1;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'/' => {
                refuse_hidden_dots(&out[segment_start.min(out.len())..])?;
                out.push('/');
                segment_start = out.len();
                at += 1;
            }
            b'%' => {
                let value = escape_at(bytes, at).ok_or(PathError::BadEscape)?;
                match value {
                    0..=0x1f | 0x7f | b'\\' => return Err(PathError::BadCharacter),
                    value if is_unreserved(value) => out.push(char::from(value)),
                    value => push_escape(&mut out, value),
                }
                at += 3;
            }
            byte if is_path_character(byte) => {
                out.push(char::from(byte));
                at += 1;
            }
            _ => return Err(PathError::BadCharacter),
        }
    }
    refuse_hidden_dots(&out[segment_start.min(out.len())..])?;
    if percent_encoding::percent_decode_str(&out).decode_utf8().is_err() {
        return Err(PathError::NotUtf8);
    }
    Ok(out)
}

/// `..;x`, a dot segment beside an encoded slash, and both at once, encoded or not: a reader that undoes escapes or
/// leaves parameters out would find a way up. (Encoded dots are decoded by now, and those alone are resolved.)
fn refuse_hidden_dots(segment: &str) -> Result<(), PathError> {
    let is_dots = |part: &str| matches!(without_parameters(part), "." | "..");
    let hides = !matches!(segment, "." | "..") && segment.split("%2F").any(is_dots);
    if hides { Err(PathError::HiddenDots) } else { Ok(()) }
}

fn without_parameters(segment: &str) -> &str {
    let start = segment.find(';').into_iter().chain(segment.find("%3B")).min();
    start.map_or(segment, |start| &segment[..start])
}

/// The byte that the escape at a place stands for.
pub(crate) fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (high, low) = (digit(*bytes.get(at + 1)?)?, digit(*bytes.get(at + 2)?)?);
    u8::try_from(high * 16 + low).ok()
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// pchar of RFC 3986 section 3.3, without `%`.
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'!' | b'$' | b'&'..=b',' | b':' | b';' | b'=' | b'@')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The vectors' strict column refuses them; the product resolves them, like the reference, before
    /// matching: what is matched is what is sent.
    const RESOLVED: [&str; 5] = ["/a/%2e/b", "/a/%2e%2e/b", "/a/%2E%2e/b", "/a/.%2e/b", "//a/b"];

    /// Every case of `vectors/own/paths.json`, against its `strict` column.
    #[test]
    fn escapes_are_undone_where_they_are_ascii_and_no_slash() {
        let rows = [
            ("/a%20b/%40%3B", "/a b/@;"),
            ("/a%2Fb%25%2F", "/a%2Fb%%2F"),
            ("/%C3%BC%20", "/%C3%BC "),
            ("/plain", "/plain"),
            ("/%2F", "/%2F"),
            ("/%zz%", "/%zz%"),
        ];
        for (path, undone) in rows {
            assert_eq!(unescaped(path), undone, "{path}");
            assert_eq!(matches!(unescaped(path), Cow::Owned(_)), path != undone, "{path}");
        }
    }

    /// Software that takes `%2F` for a slash and leaves parameters out would resolve them.
    #[test]
    fn dots_with_parameters_are_refused_beside_encoded_slashes_and_with_encoded_semicolons() {
        for path in ["/a%2F..;x/b", "/..;%2Fb", "/a%2f.%3bx", "/a/..%3Bx/b", "/%2e%2e%3b/b", "/a%2F%2E%2E;/b"] {
            assert_eq!(canonicalize(path), Err(PathError::HiddenDots), "{path}");
        }
        for path in ["/a%2F...;x/b", "/a;..%2Fb", "/a%3B../b", "/..a;x", "/a%2Fb..;x"] {
            assert_eq!(canonicalize(path).unwrap().text, path);
        }
    }

    #[test]
    fn what_is_canonical_already_is_not_copied() {
        for (path, borrowed) in [("/a/b.c", true), ("/", true), ("/a//b", false), ("/a/.b", false), ("/%41", false)] {
            assert_eq!(matches!(canonicalize(path).unwrap().text, Cow::Borrowed(_)), borrowed, "{path}");
        }
    }

    #[test]
    fn literals_of_patterns_get_the_form_of_paths() {
        for (text, encoded) in [("/a b", "/a%20b"), ("/%41%2f%", "/A%2F%"), ("/\u{e9}", "/%C3%A9"), ("/a?", "/a?")] {
            assert_eq!(encode_literal(text), encoded, "{text}");
        }
    }

    #[test]
    fn a_directory_stays_one() {
        for (path, expected) in [("/a/.", "/a/"), ("/a//", "/a/"), ("/a/b/..", "/a/"), ("/a/./b", "/a/b"), ("/.", "/")]
        {
            assert_eq!(canonicalize(path).unwrap().text, expected, "{path}");
        }
    }

    #[test]
    fn the_strict_column_holds() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../../vectors/own/paths.json")).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 63);
        for case in cases {
            let target = case["target"].as_str().unwrap();
            // Absolute forms are the authority's business.
            if target.contains("://") {
                continue;
            }
            let path = target.split('?').next().unwrap();
            let seen = canonicalize(path).ok().filter(|path| !path.has_encoded_slash).map(|path| path.text);
            let column = if RESOLVED.contains(&target) { "clean" } else { "strict" };
            let expected = Some(case[column].as_str().unwrap()).filter(|strict| *strict != "reject");
            assert_eq!(seen.as_deref(), expected, "{target}: {}", case["why"]);
        }
    }

    proptest::proptest! {
        #[test]
        fn canonical_paths_are_clean_and_stay_as_they_are(path in "(/[a.%2efFc;~ é]{0,4}){0,5}") {
            if let Ok(once) = canonicalize(&path) {
                let twice = canonicalize(&once.text).unwrap();
                proptest::prop_assert_eq!(&once, &twice);
                proptest::prop_assert!(!once.text.contains("//") && once.text.starts_with('/'));
                proptest::prop_assert!(once.text.split('/').all(|segment| segment != "." && segment != ".."));
                proptest::prop_assert!(once.text.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
