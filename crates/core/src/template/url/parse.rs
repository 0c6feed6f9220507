//! Takes URLs apart.

use std::net::Ipv6Addr;

use super::escape::{Place, unescape};
use super::{Parts, User, cut};

impl Parts {
    /// Reads a URL; relative ones, too.
    pub(crate) fn parse(written: &[u8]) -> Option<Self> {
        let (written, fragment) = cut(written, b'#');
        let mut parts = Self::without_fragment(written)?;
        match fragment {
            Some(fragment) if !parts.set_fragment(fragment) => None,
            _ => Some(parts),
        }
    }

    fn without_fragment(written: &[u8]) -> Option<Self> {
        if written.iter().any(u8::is_ascii_control) {
            return None;
        }
        let mut parts = Self::default();
        if written == b"*" {
            parts.path = written.to_vec();
            return Some(parts);
        }
        let (scheme, rest) = scheme(written)?;
        parts.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = cut(rest, b'?');
        parts.force_query = query.is_some_and(<[u8]>::is_empty);
        parts.raw_query = query.unwrap_or_default().to_vec();
        if !rest.starts_with(b"/") {
            if !parts.scheme.is_empty() {
                parts.opaque = rest.to_vec();
                return Some(parts);
            }
            // It would be confused with a scheme.
            if cut(rest, b'/').0.contains(&b':') {
                return None;
            }
        }
        let has_scheme = !parts.scheme.is_empty();
        let mut path = rest;
        if let Some(after) = rest.strip_prefix(b"//")
            && (has_scheme || !after.starts_with(b"/"))
        {
            let end = memchr::memchr(b'/', after).unwrap_or(after.len());
            path = &after[end..];
            parts.set_authority(&after[..end])?;
        } else if has_scheme && rest.starts_with(b"/") {
            parts.omit_host = true;
        }
        parts.set_path(path).then_some(parts)
    }

    fn set_authority(&mut self, authority: &[u8]) -> Option<()> {
        let host = match memchr::memrchr(b'@', authority) {
            Some(at) => {
                self.user = Some(User::of(&authority[..at])?);
                &authority[at + 1..]
            }
            None => authority,
        };
        self.host = decoded_host(host)?;
        Some(())
    }
}

/// The scheme, if there is one, and the rest. None at all is an error only before a colon.
fn scheme(written: &[u8]) -> Option<(&[u8], &[u8])> {
    for (at, byte) in written.iter().enumerate() {
        match byte {
            byte if byte.is_ascii_alphabetic() => {}
            byte if at > 0 && (byte.is_ascii_digit() || b"+-.".contains(byte)) => {}
            b':' if at == 0 => return None,
            b':' => return Some((&written[..at], &written[at + 1..])),
            _ => break,
        }
    }
    Some((b"", written))
}

fn decoded_host(host: &[u8]) -> Option<Vec<u8>> {
    match memchr::memrchr(b'[', host) {
        Some(0) => {
            let end = memchr::memrchr(b']', host)?;
            let (inside, port) = (&host[1..end], &host[end + 1..]);
            if !is_port(port) {
                return None;
            }
            let zone = memchr::memmem::find(inside, b"%25").unwrap_or(inside.len());
            let address = unescape(&inside[..zone], Place::Host)?;
            std::str::from_utf8(&address).ok()?.parse::<Ipv6Addr>().ok()?;
            let zone = unescape(&inside[zone..], Place::HostZone)?;
            // A zone is at least one character behind its sign.
            (zone.len() != 1).then(|| [b"[", address.as_slice(), &zone, b"]", port].concat())
        }
        Some(_) => None,
        None => {
            let port = memchr::memrchr(b':', host).map_or(&host[..0], |colon| &host[colon..]);
            is_port(port).then(|| unescape(host, Place::Host))?
        }
    }
}

/// Nothing, or a colon and digits; none are fine, too.
pub(super) fn is_port(text: &[u8]) -> bool {
    text.is_empty() || text.strip_prefix(b":").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}
