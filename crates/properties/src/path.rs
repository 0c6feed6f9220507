//! A canonical path is one that nobody reads in another way: not the rules, not what lies behind them.

use keyward_core::gate::path::{canonicalize, encode_literal, unescaped};
use keyward_core::rule::pattern::{Pattern, Strategy};
use keyward_core::rule::upstream::Upstream;

pub(crate) fn check(data: &[u8]) {
    let Ok(written) = std::str::from_utf8(data) else { return };
    let Ok(path) = canonicalize(written) else { return };
    let text = &*path.text;
    assert_eq!(canonicalize(text).as_ref(), Ok(&path), "{written}: not the same once more");
    assert!(text.starts_with('/') && !text.contains("//"), "{written}: {text}");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte)), "{written}: {text}");
    assert_eq!(path.has_encoded_slash, text.contains("%2F"), "{written}: {text}");
    check_escapes(text);
    let decoded = decoded(text.as_bytes());
    let shown = decoded.escape_ascii();
    assert!(std::str::from_utf8(&decoded).is_ok(), "{written}: not UTF-8: {shown}");
    assert!(!decoded.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\'), "{written}: {shown}");
    // Software that undoes all escapes, and leaves parameters out, finds no way up either.
    for segment in decoded.split(|byte| *byte == b'/') {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        assert!(!matches!(name, b"." | b".."), "{written}: {shown}");
    }
    assert!(!unescaped(text).bytes().any(|byte| byte.is_ascii_control()), "{written}");
    // What is matched is what is sent.
    assert_eq!(encode_literal(text), text);
    let pattern = Pattern::compile(&format!("http://h{text}"), Strategy::Glob).unwrap();
    assert_eq!(pattern.is_match(&format!("http://h{text}")), Ok(true), "{written}");
    assert_eq!(Upstream::parse("http://u", "").unwrap().target(text, None), text, "{written}");
}

/// Upper case, and only where they have to be (RFC 3986 section 6.2.2).
fn check_escapes(text: &str) {
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3).unwrap_or_else(|| panic!("a torn escape: {text}"));
        assert!(digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')), "{text}");
        let byte = u8::from_str_radix(digits, 16).unwrap();
        assert!(!byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte), "{text}");
    }
}

/// Without its escapes.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}
