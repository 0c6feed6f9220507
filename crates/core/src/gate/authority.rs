//! Host and port of a request, in the one form that rules are matched against.

use std::borrow::Cow;

use super::Scheme;

/// Lower case, no trailing dot, no default port; `None` when it is not an authority that a request may
/// have: user information, empty or impossible host, port out of range (RFC 3986 section 3.2).
pub(super) fn canonicalize(text: &str, scheme: Scheme) -> Option<Cow<'_, str>> {
    // Most callers write the one form already.
    if is_canonical(text.as_bytes(), scheme) {
        return Some(Cow::Borrowed(text));
    }
    let (host, port) = split(text)?;
    let port = match port {
        None => None,
        Some(digits) => Some(port_number(digits.as_bytes())?),
    };
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

/// Whether it is a name, or name and port, in the one form. One pass; of the rest most is no authority.
fn is_canonical(text: &[u8], scheme: Scheme) -> bool {
    let mut previous = b'.';
    let mut length = 0;
    for &byte in text.iter().take_while(|byte| **byte != b':') {
        if !CANONICAL_CHARACTERS[usize::from(byte)] || (byte == b'.' && previous == b'.') {
            return false;
        }
        (previous, length) = (byte, length + 1);
    }
    let ends_well = previous != b'.' && length <= MAX_NAME;
    match &text[length..] {
        [] => ends_well,
        [_, digits @ ..] => {
            ends_well
                && digits.first() != Some(&b'0')
                && port_number(digits).is_some_and(|port| port != scheme.default_port())
        }
    }
}

/// Characters of a reg-name that are the same in any case, in lower case.
const CANONICAL_CHARACTERS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = is_name_character(byte as u8) && !(byte as u8).is_ascii_uppercase();
        byte += 1;
    }
    table
};

/// The longest host name (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;

/// 1 to 65535, in at most five digits.
fn port_number(digits: &[u8]) -> Option<u16> {
    if !(1..=5).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    u16::try_from(number).ok().filter(|port| *port != 0)
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
    (host.len() <= MAX_NAME && is_reg_name(host)).then_some((host, port))
}

/// A reg-name without escapes and without empty labels before its end; `_` occurs in service names of
/// container networks.
fn is_reg_name(host: &str) -> bool {
    let mut previous = b'.';
    host.bytes().all(|byte| {
        let before = std::mem::replace(&mut previous, byte);
        is_name_character(byte) && !(byte == b'.' && before == b'.')
    })
}

const fn is_name_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_or_none() {
        let rows = [
            ("example.com", Some("example.com")),
            ("example.com:8080", Some("example.com:8080")),
            ("example.com:80", Some("example.com")),
            ("example.com:65536", None),
            ("Example.COM", Some("example.com")),
            ("Example.COM:8080", Some("example.com:8080")),
            ("example.com.", Some("example.com")),
            ("h:80", Some("h")),
            ("h:443", Some("h:443")),
            ("h:8080", Some("h:8080")),
            ("h:080", Some("h")),
            ("h:08080", Some("h:8080")),
            ("h.:8080", Some("h:8080")),
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

    #[test]
    fn what_is_in_the_one_form_already_is_not_copied() {
        let longest = "a".repeat(MAX_NAME);
        let rows = [
            ("a-b.example.com", true),
            ("example.com:8080", true),
            (longest.as_str(), true),
            ("Example.com", false),
            ("example.com.", false),
            ("example.com:80", false),
        ];
        for (text, borrowed) in rows {
            assert_eq!(matches!(canonicalize(text, Scheme::Http), Some(Cow::Borrowed(_))), borrowed, "{text}");
        }
    }
}
