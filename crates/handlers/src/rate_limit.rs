//! A 429 of a side service, passed on with what it says about when to come back (pipeline spec 1.7).

use http::{HeaderMap, HeaderName};
use keyward_core::pipeline::denial::{Denial, ErrorKind, Reason};

/// The headers that are passed on; no other is.
const PASSED_ON: [HeaderName; 5] = [
    http::header::RETRY_AFTER,
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
    HeaderName::from_static("x-ratelimit-type"),
];

/// The denial for an answer with these headers. `detail` is for the log.
pub(crate) fn too_many_requests(answered: &HeaderMap, detail: impl Into<String>) -> Denial {
    let mut denial = Denial::new(ErrorKind::TooManyRequests, Reason::SideServiceFailed).because("").detail(detail);
    for name in &PASSED_ON {
        if let Some(value) = answered.get(name).filter(|value| !value.is_empty()) {
            denial.headers.insert(name, value.clone());
        }
    }
    denial
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// [T] of pipeline spec 1.7.
    #[test]
    fn first_values_of_five_headers_are_passed_on() {
        let mut answered = HeaderMap::new();
        let rows = [
            ("retry-after", "7"),
            ("retry-after", "8"),
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", ""),
            ("x-ratelimit-type", "burst"),
            ("x-secret", "s"),
            ("set-cookie", "a=b"),
        ];
        for (name, value) in rows {
            answered.append(name, value.parse().unwrap());
        }
        let denial = too_many_requests(&answered, "");
        let mut passed: Vec<_> =
            denial.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        passed.sort();
        assert_eq!(passed, [("retry-after", "7"), ("x-ratelimit-limit", "100"), ("x-ratelimit-type", "burst")]);
        assert_eq!(denial.error.status(), 429);
    }
}
