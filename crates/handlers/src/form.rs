//! Forms as the reference writes them: keys in order, and its set of characters that need no escape.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// RFC 3986 section 2.3: everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Escapes one value; a space becomes `+`.
pub(crate) fn escape(text: impl AsRef<[u8]>) -> String {
    percent_encode(text.as_ref(), ESCAPED).to_string().replace("%20", "+")
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

/// The pairs of a query that the reference can read: none with `;` or a broken escape.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let readable = query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
    readable.filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((unescape_bytes(name)?, unescape_bytes(value)?))
    })
}

/// All [`pairs`], to be changed or written again.
pub(crate) fn parse(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    pairs(query).collect()
}

/// A query of these pairs, sorted by name.
pub(crate) fn write(mut pairs: Vec<(Vec<u8>, Vec<u8>)>) -> String {
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    let mut query = String::new();
    for (name, value) in &pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend([escape(name), "=".to_owned(), escape(value)]);
    }
    query
}

/// Undoes [`escape`]; `None` for a broken escape or what is no UTF-8.
pub(crate) fn unescape(text: &str) -> Option<String> {
    String::from_utf8(unescape_bytes(text)?).ok()
}

fn unescape_bytes(text: &str) -> Option<Vec<u8>> {
    let broken = text.match_indices('%').any(|(at, _)| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return None;
    }
    Some(percent_decode_str(&text.replace('+', " ")).collect())
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
    fn queries_are_written_again_like_the_reference() {
        let rows = [
            ("z=~*&a=*~", "a=%2A~&z=~%2A"),
            ("a=%7E%2A+b%20c&a=%2B", "a=~%2A+b+c&a=%2B"),
            ("b&=&a=", "=&a=&b="),
            ("a=%C3%A9&b=%FF", "a=%C3%A9&b=%FF"),
            ("a=1;b=2&c=3", "c=3"),
            ("a=%zz&b=1", "b=1"),
            ("q=!'()$,/?:@", "q=%21%27%28%29%24%2C%2F%3F%3A%40"),
            ("A=1&a=2&_=3&%2A=4&~=5", "%2A=4&A=1&_=3&a=2&~=5"),
        ];
        for (query, expected) in rows {
            assert_eq!(write(parse(query)), expected, "{query}");
        }
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
