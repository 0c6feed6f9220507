//! The fields of an answer.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::values::Values;

/// What one look at the fields of a head tells.
pub struct Looked {
    /// A field holds one of the values.
    pub holds_value: bool,
    /// The body is text of a kind that is looked into, and not packed.
    pub is_text: bool,
    /// The body is made of events, each of which somebody waits for.
    pub is_events: bool,
}

impl Values {
    /// Looks at every field once.
    pub fn look(&self, fields: &HeaderMap) -> Looked {
        let mut looked = Looked { holds_value: false, is_text: true, is_events: false };
        let mut is_packed = false;
        for (name, value) in fields {
            looked.holds_value |= self.are_in(value.as_bytes());
            if *name == CONTENT_TYPE {
                let kind = media_type(value.as_bytes());
                looked.is_text = is_text(kind);
                looked.is_events = kind.eq_ignore_ascii_case(b"text/event-stream");
            } else if *name == CONTENT_ENCODING {
                is_packed |= !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
            }
        }
        looked.is_text &= !is_packed;
        looked
    }

    /// Takes out the fields that hold a value. `true` when there were any.
    pub fn remove_from(&self, fields: &mut HeaderMap) -> bool {
        let holds = |(_, value): &(&HeaderName, &HeaderValue)| self.are_in(value.as_bytes());
        let names: Vec<HeaderName> = fields.iter().filter(holds).map(|(name, _)| name.clone()).collect();
        for name in &names {
            let all = fields.get_all(name).iter();
            let kept: Vec<HeaderValue> = all.filter(|value| !self.are_in(value.as_bytes())).cloned().collect();
            fields.remove(name);
            for value in kept {
                fields.append(name, value);
            }
        }
        !names.is_empty()
    }
}

fn media_type(value: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    value[..end].trim_ascii()
}

fn is_text(kind: &[u8]) -> bool {
    const KINDS: [&[u8]; 4] =
        [b"application/json", b"application/xml", b"application/x-www-form-urlencoded", b"application/x-ndjson"];
    let ends_with =
        |suffix: &[u8]| kind.len() > suffix.len() && kind[kind.len() - suffix.len()..].eq_ignore_ascii_case(suffix);
    KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known))
        || kind.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"text/"))
        || ends_with(b"+json")
        || ends_with(b"+xml")
        || kind.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_by_its_media_type() {
        let rows = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/x-ndjson", true),
            ("text/html;charset=utf-8", true),
            ("TEXT/event-stream", true),
            ("application/xml", true),
            ("image/svg+xml", true),
            ("application/x-www-form-urlencoded", true),
            ("", true),
            ("application/octet-stream", false),
            ("image/png", false),
            ("application/jsonish", false),
            ("text", false),
            ("+json", false),
        ];
        for (value, expected) in rows {
            assert_eq!(is_text(media_type(value.as_bytes())), expected, "{value}");
        }
    }
}
