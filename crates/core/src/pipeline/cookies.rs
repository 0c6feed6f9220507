//! `Cookie` headers: how they are read, and what is taken out of the upstream request's and put into it.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method};

use crate::session::SessionCookie;

/// A cookie of a request (RFC 6265 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'l> {
    /// Its name.
    pub name: &'l str,
    /// Its value, without the quotes that it may stand in.
    pub value: &'l str,
    is_quoted: bool,
}

/// The cookies of a line, those left out that the reference cannot parse. A name alone has an empty value.
pub fn parse(line: &[u8]) -> impl Iterator<Item = Cookie<'_>> {
    line.split(|byte| *byte == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (pair[..end].trim_ascii(), pair.get(end + 1..).unwrap_or_default());
        let unquoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        // A cookie's name is a token, as a header's and a method's is.
        let is_name = Method::from_bytes(name).is_ok();
        let bare = unquoted.unwrap_or(value);
        let is_value = bare.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
        if !(is_name && is_value) {
            return None;
        }
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some(Cookie { name: text(name)?, value: text(bare)?, is_quoted: unquoted.is_some() })
    })
}

/// Drops one cookie by name from every `Cookie` line. A line without it stays as it is.
pub(super) fn remove(headers: &mut HeaderMap, name: &str) {
    let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for line in lines {
        let is_another = |pair: &&[u8]| name_of(pair) != name.as_bytes();
        if pairs(&line).all(|pair| is_another(&pair)) {
            headers.append(COOKIE, line);
            continue;
        }
        let kept: Vec<&[u8]> = pairs(&line).filter(is_another).collect();
        if kept.is_empty() {
            continue;
        }
        if let Ok(value) = HeaderValue::from_bytes(&kept.join(&b"; "[..])) {
            headers.append(COOKIE, value);
        }
    }
}

/// One `Cookie` value: the session's cookies, then the caller's whose names are not among them, written anew so
/// that no reader finds other cookies in them. Empty when there are none, so that the caller's header never
/// survives by accident.
pub(super) fn compose(ours: &[SessionCookie], theirs: &[HeaderValue]) -> HeaderValue {
    let mut joined = String::new();
    let mut push = |name: &str, value: &str, is_quoted: bool| {
        let quote = if is_quoted { "\"" } else { "" };
        joined.extend([if joined.is_empty() { "" } else { "; " }, name, "=", quote, value, quote]);
    };
    for cookie in ours {
        push(&cookie.name, &cookie.value, false);
    }
    for Cookie { name, value, is_quoted } in theirs.iter().flat_map(|line| parse(line.as_bytes())) {
        if !ours.iter().any(|cookie| cookie.name == name) {
            push(name, value, !value.is_empty() && (is_quoted || value.contains([' ', ','])));
        }
    }
    let mut value = HeaderValue::from_str(&joined).unwrap_or_else(|_| HeaderValue::from_static(""));
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
            ("a=1;b ;; c=2;", Some("a=1;b ;; c=2;")),
            ("", Some("")),
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
    fn cookies_are_what_the_reference_can_parse() {
        type Row<'r> = (&'r [u8], Option<(&'r str, &'r str)>);
        let rows: [Row<'_>; 18] = [
            (b" sid=1", Some(("sid", "1"))),
            (b"sid = 1", Some(("sid", " 1"))),
            (b"sid=a=b", Some(("sid", "a=b"))),
            (b"sid=\"1\"", Some(("sid", "1"))),
            (b"sid=\"a.b, c\"", Some(("sid", "a.b, c"))),
            (b"sid=\"\"", Some(("sid", ""))),
            (b"sid", Some(("sid", ""))),
            (b"sid=", Some(("sid", ""))),
            (b"", None),
            (b"=1", None),
            (b"s id=1", None),
            (b"sid=a\"b", None),
            (b"sid=\"a.b.c", None),
            (b"sid=\"", None),
            (b"sid=a\\b", None),
            (b"sid=\xc3\xa9", None),
            (b"sid=a\tb", None),
            (b"s\xc3\xa9=1", None),
        ];
        for (pair, expected) in rows {
            let found = parse(pair).next().map(|cookie| (cookie.name, cookie.value));
            assert_eq!(found, expected, "{}", pair.escape_ascii());
        }
        let names: Vec<&str> = parse(b"a=\xff; b=1;;c").map(|cookie| cookie.name).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn the_callers_cookies_are_written_anew() {
        let rows = [
            ("a=b; c", "a=b; c="),
            ("=x; a=1", "a=1"),
            ("a=x\"y; b=2", "b=2"),
            ("a=\"quoted\"; b=\"un", "a=\"quoted\""),
            ("a=\"\"; b=1, ours=9", "a=; b=\"1, ours=9\""),
            (" a = 1 ; b=2", "a=\" 1\"; b=2"),
            ("ours =9; b=1; a=1; a=2", "b=1; a=1; a=2"),
        ];
        let ours = [SessionCookie { name: "ours".into(), value: "v".into(), sensitive: false }];
        for (line, expected) in rows {
            let composed = compose(&ours, &[HeaderValue::from_static(line)]);
            assert_eq!(composed, format!("ours=v; {expected}"), "{line}");
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
