//! A session as JSON, in the reference's own shape: what side services get, and what `toJson` shows
//! (pipeline spec 1.6).

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::TemplateData;
use super::url::Url;
use super::value::Object;

impl TemplateData<'_> {
    /// The whole session.
    pub fn to_json(&self) -> Value {
        json!({
            "subject": self.subject,
            "extra": self.extra_json(),
            "header": if self.header.is_empty() { Value::Null } else { headers(self.header) },
            "match_context": self.match_context_json(),
        })
    }

    pub(super) fn extra_json(&self) -> Value {
        self.extra.map_or(Value::Null, |extra| Value::Object((**extra).clone()))
    }

    pub(super) fn match_context_json(&self) -> Value {
        json!({
            "regexp_capture_groups": self.captures,
            "url": if self.has_no_url() { Value::Null } else { Url::of(self).json().unwrap_or_default() },
            "method": self.method,
            "header": headers(self.request_header),
        })
    }
}

/// Headers by their names as the reference writes them. `Host` is no header there.
pub(super) fn headers(map: &HeaderMap) -> Value {
    let names = map.keys().filter(|name| *name != http::header::HOST);
    let values = |name: &HeaderName| -> Vec<Value> {
        map.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect()
    };
    Value::Object(names.map(|name| (canonical(name), values(name).into())).collect())
}

/// `x-user-id` as `X-User-Id`.
pub(super) fn canonical(name: &HeaderName) -> String {
    let mut starts = true;
    let letters = name.as_str().chars().map(|letter| {
        let shown = if starts { letter.to_ascii_uppercase() } else { letter };
        starts = letter == '-';
        shown
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_reference_writes_them() {
        for (name, expected) in [("x-user-id", "X-User-Id"), ("etag", "Etag"), ("x--a", "X--A")] {
            assert_eq!(canonical(&HeaderName::from_static(name)), expected);
        }
    }
}
