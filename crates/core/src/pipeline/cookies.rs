//! The upstream request's `Cookie` header: what is taken out of it and what is put in.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::session::SessionCookie;

/// Drops one cookie by name from every `Cookie` line.
pub(super) fn remove(headers: &mut HeaderMap, name: &str) {
    let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for line in lines {
        let kept: Vec<&[u8]> = pairs(&line).filter(|pair| name_of(pair) != name.as_bytes()).collect();
        if kept.is_empty() {
            continue;
        }
        if let Ok(value) = HeaderValue::from_bytes(&kept.join(&b"; "[..])) {
            headers.append(COOKIE, value);
        }
    }
}

/// One `Cookie` value: the session's cookies, then the caller's whose names are not among them. Empty
/// when there are none, so that the caller's header never survives by accident.
pub(super) fn compose(ours: &[SessionCookie], theirs: &[HeaderValue]) -> HeaderValue {
    let mut joined: Vec<u8> = Vec::new();
    let mut push = |name: &[u8], value: Option<&[u8]>| {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(name);
        if let Some(value) = value {
            joined.push(b'=');
            joined.extend_from_slice(value);
        }
    };
    for cookie in ours {
        push(cookie.name.as_bytes(), Some(cookie.value.as_bytes()));
    }
    for pair in theirs.iter().flat_map(pairs) {
        if !ours.iter().any(|cookie| cookie.name.as_bytes() == name_of(pair)) {
            push(pair, None);
        }
    }
    let mut value = HeaderValue::from_bytes(&joined).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(ours.iter().any(|cookie| cookie.sensitive));
    value
}

fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_credential_cookie_is_removed_and_the_others_stay() {
        let rows = [
            ("sid=1", None),
            ("a=1; sid=2; b=3", Some("a=1; b=3")),
            ("asid=1", Some("asid=1")),
            ("sid =1; x=2", Some("x=2")),
        ];
        for (line, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(line));
            remove(&mut headers, "sid");
            assert_eq!(headers.get(COOKIE).map(|value| value.to_str().unwrap()), expected, "{line}");
        }
    }

    #[test]
    fn the_rules_cookies_replace_the_callers_of_the_same_name() {
        let cookie =
            |name: &str, value: &str| SessionCookie { name: name.into(), value: value.into(), sensitive: false };
        let theirs = [HeaderValue::from_static("user=admin;issuer=issuer; other=1")];
        let composed = compose(&[cookie("user", "anonymous"), cookie("issuer", "")], &theirs);
        assert_eq!(composed, "user=anonymous; issuer=; other=1");
        assert_eq!(compose(&[], &[]), "");
    }
}
