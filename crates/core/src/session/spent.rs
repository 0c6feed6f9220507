//! The memory in which the headers of a session were, for those of the next session on the same thread: nearly every
//! session sets one or two, and goes at once.

use std::cell::Cell;

use http::HeaderMap;

/// A map that has grown larger goes.
const MOST_HEADERS: usize = 16;

thread_local! {
    static SPENT: Cell<Option<HeaderMap>> = const { Cell::new(None) };
}

/// An empty map, with memory if there is some.
pub(super) fn take() -> HeaderMap {
    SPENT.take().unwrap_or_default()
}

/// Keeps the memory of a map that is empty again.
pub(crate) fn keep(headers: HeaderMap) {
    if headers.is_empty() && headers.capacity() <= MOST_HEADERS {
        SPENT.set(Some(headers));
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn memory_is_used_again_and_nothing_that_was_in_it() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer of the one before"));
        let capacity = headers.capacity();
        keep(headers.clone());
        assert_eq!(take().capacity(), 0);
        drop(headers.drain());
        keep(headers);
        let again = take();
        assert!(again.is_empty() && again.get(AUTHORIZATION).is_none());
        assert_eq!((again.capacity(), take().capacity()), (capacity, 0));
    }

    #[test]
    fn maps_that_have_grown_go() {
        let name = |number| HeaderName::from_bytes(format!("x-{number}").as_bytes()).unwrap_or(AUTHORIZATION);
        let mut headers: HeaderMap =
            (0..=MOST_HEADERS).map(|number| (name(number), HeaderValue::from_static("v"))).collect();
        drop(headers.drain());
        keep(headers);
        assert_eq!(take().capacity(), 0);
    }
}
