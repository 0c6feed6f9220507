//! Forms as the reference writes them: keys in order, and its set of characters that need no escape.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// RFC 3986 section 2.3: everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Escapes one value; a space becomes `+`.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+")
}

/// The body of a form, its fields sorted by name.
pub(crate) fn encode(fields: &mut [(&str, &str)]) -> String {
    fields.sort_unstable();
    let mut body = String::new();
    for (name, value) in fields.iter() {
        if !body.is_empty() {
            body.push('&');
        }
        body.extend([name, "=", &escape(value)]);
    }
    body
}

/// Undoes [`escape`]; `None` for a broken escape or what is no UTF-8.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let broken = text.match_indices('%').any(|(at, _)| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_sorted_and_escaped_like_the_reference() {
        let mut fields = [("token", "a b+c/~*é"), ("scope", "")];
        assert_eq!(encode(&mut fields), "scope=&token=a+b%2Bc%2F~%2A%C3%A9");
    }

    #[test]
    fn unescaping() {
        let rows = [
            ("a+b", Some("a b")),
            ("a%2Bb", Some("a+b")),
            ("%C3%A9", Some("é")),
            ("%zz", None),
            ("%4", None),
            ("%", None),
            ("%ff", None),
            ("", Some("")),
        ];
        for (text, plain) in rows {
            assert_eq!(unescape(text).as_deref(), plain, "{text}");
        }
    }
}
