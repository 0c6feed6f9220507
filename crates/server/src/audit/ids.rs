//! How records name a request: the caller's id or one of ours, and the id of its trace.

use std::cell::Cell;

use http::{HeaderMap, HeaderName};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest id of a caller that is repeated.
const MAX_REQUEST_ID: usize = 128;

/// Ids for requests that bring none: a random start per core, then counted.
pub struct RequestIds {
    prefix: String,
    next: Cell<u64>,
}

impl RequestIds {
    /// A series that starts at random.
    pub fn new() -> Self {
        let (prefix, next) = uuid::Uuid::new_v4().as_u64_pair();
        Self { prefix: format!("{prefix:016x}"), next: Cell::new(next) }
    }

    /// The caller's `X-Request-Id`, or the next one of ours.
    pub fn of(&self, headers: &HeaderMap) -> String {
        headers
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
            .map_or_else(|| self.next(), str::to_owned)
    }

    fn next(&self) -> String {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let digits: [u8; 16] =
            std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - place * 4) & 15) as usize]);
        let mut id = String::with_capacity(32);
        id.push_str(&self.prefix);
        id.push_str(std::str::from_utf8(&digits).unwrap_or_default());
        id
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

/// The trace id of a `traceparent` (W3C Trace Context section 3.2.2).
pub fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok())?;
    let id = parent.split('-').nth(1)?;
    let is_valid =
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.bytes().any(|byte| byte != b'0');
    is_valid.then(|| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter(HeaderValue::from_str(value).map(|value| (http::HeaderName::from_static(name), value)))
    }

    #[test]
    fn a_callers_id_is_repeated_unless_it_is_empty_or_too_long() {
        let ids = RequestIds::new();
        assert_eq!(ids.of(&with("x-request-id", "r-1")), "r-1");
        let own = [ids.of(&HeaderMap::new()), ids.of(&with("x-request-id", "")), ids.of(&HeaderMap::new())];
        assert!(own.iter().all(|id| id.len() == 32) && own[0] != own[1] && own[1] != own[2], "{own:?}");
        assert_eq!(ids.of(&with("x-request-id", &"x".repeat(MAX_REQUEST_ID + 1))).len(), 32);
    }

    #[test]
    fn trace_ids() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let rows = [
            (format!("00-{id}-b7ad6b7169203331-01"), Some(id)),
            (format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()), Some(id)),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            ("00-xyz-1-01".to_owned(), None),
            ("x".to_owned(), None),
        ];
        for (parent, expected) in rows {
            assert_eq!(trace_id(&with("traceparent", &parent)).as_deref(), expected, "{parent}");
        }
    }
}
