//! `Retry-After`: how long a server that is overloaded wants to be left alone (RFC 9110 section 10.2.3).

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

/// How long an answer asks to wait, counted from `now`, where too much was asked for: seconds, or a date in the future.
/// Whoever waits has to limit it. A date that has passed asks for nothing: clocks differ.
pub(crate) fn retry_after(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;

    #[test]
    fn seconds_and_dates_of_overloaded_servers_count() {
        // Sunday, 1994-11-06 at 08:49:37, the example of RFC 9110 section 5.6.7.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let rows = [
            (503, "5", Some(5)),
            (429, " 5 ", Some(5)),
            (503, "0", Some(0)),
            (503, "Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            (429, "Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            (429, "Sun Nov  6 08:50:37 1994", Some(60)),
            (503, "Mon, 07 Nov 1994 08:49:37 GMT", Some(86_400)),
            (503, "Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            (503, "Sun, 06 Nov 1994 08:49:36 GMT", None),
            (503, "Sun, 06 Nov 1994 08:50:37 CET", None),
            (503, "-5", None),
            (503, "soon", None),
            (503, "", None),
            (500, "5", None),
            (200, "Sun, 06 Nov 1994 08:50:37 GMT", None),
        ];
        for (status, text, expected) in rows {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            let asked = retry_after(StatusCode::from_u16(status).unwrap(), &headers, now);
            assert_eq!(asked, expected.map(Duration::from_secs), "{status} {text}");
        }
        assert_eq!(retry_after(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), now), None);
    }
}
