//! Host and port of a request, in the one form that rules are matched against.

use std::borrow::Cow;

use super::Scheme;

/// Lower case, no trailing dot, no default port; `None` when it is not an authority that a request may
/// have: user information, empty or impossible host, port out of range (RFC 3986 section 3.2).
pub(super) fn canonicalize(text: &str, scheme: Scheme) -> Option<Cow<'_, str>> {
    let (host, port) = split(text)?;
    let port = match port {
        None => None,
        Some(digits) if (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
    };
    // Most callers write the one form already.
    let is_shown = port.is_some_and(|port| port != scheme.default_port()) && !text.contains(":0");
    if (is_shown || host.len() == text.len()) && !host.ends_with('.') && !host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(text).filter(|_| !host.is_empty()).map(Cow::Borrowed);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut authority = String::with_capacity(host.len() + ":65535".len());
    authority.push_str(host);
    authority.make_ascii_lowercase();
    if authority.is_empty() || authority.ends_with('.') {
        return None;
    }
    if let Some(port) = port.filter(|port| *port != scheme.default_port()) {
        authority.push(':');
        authority.push_str(itoa::Buffer::new().format(port));
    }
    Some(authority.into())
}

fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        let host = &text[..address.len() + 2];
        return match after {
            "" => Some((host, None)),
            after => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    (host.len() <= 255 && is_reg_name(host)).then_some((host, port))
}

/// A reg-name without escapes and without empty labels before its end; `_` occurs in service names of
/// container networks.
fn is_reg_name(host: &str) -> bool {
    let mut previous = b'.';
    host.bytes().all(|byte| {
        let before = std::mem::replace(&mut previous, byte);
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && before != b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_or_none() {
        let rows = [
            ("Example.COM", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("h:80", Some("h")),
            ("h:443", Some("h:443")),
            ("h:8080", Some("h:8080")),
            ("h:080", Some("h")),
            ("127.0.0.1:4455", Some("127.0.0.1:4455")),
            ("[::1]:4455", Some("[::1]:4455")),
            ("token_issuer", Some("token_issuer")),
            ("", None),
            (".", None),
            (":80", None),
            ("h:", None),
            ("h:0", None),
            ("h:99999", None),
            ("h:1x", None),
            ("h:+80", None),
            ("u@h", None),
            ("u:p@h", None),
            ("h/x", None),
            ("h x", None),
            ("a..b", None),
            ("[::1", None),
            ("[::g]", None),
            ("[::1]x", None),
            ("h%2e", None),
            ("h#x", None),
            ("h,h", None),
        ];
        for (text, expected) in rows {
            assert_eq!(canonicalize(text, Scheme::Http).as_deref(), expected, "{text}");
        }
    }
}
