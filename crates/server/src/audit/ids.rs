//! How records name a request: the caller's id or one of ours, and the id of its trace.

use std::cell::Cell;
use std::ops::Deref;

use http::{HeaderMap, HeaderName};

use crate::traces::context::{Parent, TRACEPARENT};
use crate::traces::ids::{TraceId, digits};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id of a caller that is repeated.
const MAX_REQUEST_ID: usize = 128;

/// Ids for requests that bring none: a random start per core, then counted.
pub struct RequestIds {
    prefix: [u8; 16],
    next: Cell<u64>,
}

/// What a request is called in records and logs.
#[derive(Debug)]
pub struct RequestName {
    /// The caller's `X-Request-Id`, or one of ours.
    pub id: RequestId,
    /// The trace that it is part of: what its caller says, unless traces are made here.
    pub trace_id: Option<TraceId>,
    /// From `traceparent`, when there is a single one and it is sound.
    pub parent: Option<Parent>,
}

/// The id of a request. Ours are in place: they have one length, and most requests get one.
#[derive(Clone, Debug)]
pub struct RequestId(Source);

#[derive(Clone, Debug)]
enum Source {
    Caller(Box<str>),
    Counted([u8; 32]),
}

impl RequestName {
    /// The id and the trace id, as log lines show them.
    pub fn shown(&self) -> (&str, Option<&str>) {
        (&self.id, self.trace_id.as_deref())
    }
}

impl RequestId {
    /// As it is recorded.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Source::Caller(id) => id.as_bytes(),
            Source::Counted(digits) => digits,
        }
    }
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl RequestIds {
    /// A series that starts at random.
    pub fn new() -> Self {
        let (prefix, next) = uuid::Uuid::new_v4().as_u64_pair();
        Self { prefix: digits(prefix), next: Cell::new(next) }
    }

    /// The name of a request with these headers. One walk over them: most have neither field.
    pub fn name(&self, headers: &HeaderMap) -> RequestName {
        let (mut id, mut parent, mut parents) = (None, None, 0);
        for (name, value) in headers {
            if *name == X_REQUEST_ID {
                id.get_or_insert(value);
            } else if *name == TRACEPARENT {
                parent = Some(value);
                parents += 1;
            }
        }
        let id = id
            .and_then(|value| value.to_str().ok())
            .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
            .map_or_else(|| self.next(), |id| RequestId(Source::Caller(id.into())));
        let parent = parent.filter(|_| parents == 1).and_then(Parent::parse);
        RequestName { id, trace_id: parent.map(|parent| parent.trace_id), parent }
    }

    /// The next one of ours.
    pub fn next(&self) -> RequestId {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let mut id = [0; 32];
        id[..16].copy_from_slice(&self.prefix);
        id[16..].copy_from_slice(&digits(number));
        RequestId(Source::Counted(id))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
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
        assert_eq!(&*ids.name(&with("x-request-id", "r-1")).id, "r-1");
        let own = [HeaderMap::new(), with("x-request-id", ""), HeaderMap::new()].map(|headers| ids.name(&headers).id);
        assert!(own.iter().all(|id| id.len() == 32) && *own[0] != *own[1] && *own[1] != *own[2], "{own:?}");
        assert_eq!(ids.name(&with("x-request-id", &"x".repeat(MAX_REQUEST_ID + 1))).id.len(), 32);
    }

    #[test]
    fn a_trace_has_one_parent() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let mut headers = with("traceparent", &format!("00-{id}-b7ad6b7169203331-01"));
        let name = RequestIds::new().name(&headers);
        assert_eq!((name.trace_id.as_deref(), name.parent.is_some_and(|parent| parent.is_sampled)), (Some(id), true));
        headers.append(TRACEPARENT, headers[TRACEPARENT].clone());
        let name = RequestIds::new().name(&headers);
        assert_eq!((name.trace_id, name.parent), (None, None));
        assert_eq!(RequestIds::new().name(&with("traceparent", "x")).trace_id, None);
    }
}
