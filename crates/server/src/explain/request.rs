//! A request to ask about: from a URL and options, or written out as HTTP/1.1.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use keyward_core::gate::{Arrival, RefusalReason};

use crate::proxy::head_scan::HeadScanner;

/// The most header fields that are read; the gate allows fewer.
const MAX_FIELDS: usize = 1024;

/// A request as it would arrive.
pub struct Asked {
    /// Its head.
    pub head: Parts,
    /// Its body.
    pub body: Bytes,
    tls: bool,
    violation: Option<RefusalReason>,
    peer: IpAddr,
}

/// The parts of a request that is not written out.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The method.
    pub method: String,
    /// `http://host[:port]/path?query`
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// What a client makes of a URL, headers and a body.
    pub fn of(wanted: &Wanted) -> Result<Self, String> {
        let Wanted { method, url, headers, body } = wanted;
        if let Some(blank) = url.chars().find(|c| c.is_whitespace() || c.is_control()) {
            let hint = if blank == ' ' { "; write `%20`" } else { "" };
            return Err(format!("a URL cannot hold {blank:?}{hint}"));
        }
        if http::Method::from_bytes(method.as_bytes()).is_err() {
            return Err(format!("`{method}` is not a method"));
        }
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme: write `http://host/path`")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(format!("`{scheme}` is not `http` or `https`")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let slash = if target.starts_with('/') { "" } else { "/" };
        let mut raw = format!("{method} {slash}{target} HTTP/1.1\r\n");
        let is_named = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if !is_named("host") {
            raw.push_str(&format!("Host: {authority}\r\n"));
        }
        for (name, value) in headers {
            if value.contains(['\r', '\n', '\0']) {
                return Err(format!("the value of `{name}` holds a line break"));
            }
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() && !is_named("content-length") {
            raw.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        raw.push_str("\r\n");
        Self::read(&[raw.as_bytes(), body].concat(), tls)
    }

    /// A request written out. Editors end lines with line feeds alone; a file that has no other line ends is
    /// read as if it had.
    pub fn read(raw: &[u8], tls: bool) -> Result<Self, String> {
        let repaired;
        let raw = if raw.contains(&b'\r') {
            raw
        } else {
            repaired = with_carriage_returns(raw);
            &repaired
        };
        let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        let end = match parsed.parse(raw) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Err("the request has no end: an empty line is missing".to_owned()),
            Err(error) => return Err(format!("it is not an HTTP/1.1 request: {error}")),
        };
        let mut scanner = HeadScanner::default();
        // Only chunks can be broken, and the head has none.
        let _ = scanner.feed(&raw[..end]);
        let mut request =
            Request::builder().method(parsed.method.unwrap_or_default()).uri(parsed.path.unwrap_or_default());
        for field in parsed.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_bytes(field.value).map_err(|error| error.to_string())?;
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).map_err(|error| format!("it cannot be sent: {error}"))?.into_parts();
        Ok(Self {
            head,
            body: Bytes::copy_from_slice(&raw[end..]),
            tls,
            violation: scanner.violation().map(|(_, reason)| reason),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        })
    }

    /// The same from another address.
    pub fn from_peer(mut self, peer: IpAddr) -> Self {
        self.peer = peer;
        self
    }

    /// How it arrives.
    pub(super) fn arrival(&self) -> Arrival {
        Arrival { tls: self.tls, peer: SocketAddr::new(self.peer, 50_000), violation: self.violation }
    }
}

fn with_carriage_returns(raw: &[u8]) -> Vec<u8> {
    let end = raw.windows(2).position(|pair| pair == b"\n\n").map_or(raw.len(), |at| at + 2);
    let (head, body) = raw.split_at(end);
    let mut repaired = Vec::with_capacity(raw.len() + 64);
    for byte in head {
        if *byte == b'\n' {
            repaired.push(b'\r');
        }
        repaired.push(*byte);
    }
    // A file without a body may lack the empty line.
    if body.is_empty() && !repaired.ends_with(b"\r\n\r\n") {
        repaired.extend_from_slice(if repaired.ends_with(b"\r\n") { b"\r\n" } else { b"\r\n\r\n" });
    }
    repaired.extend_from_slice(body);
    repaired
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn requests_come_from_urls_and_from_files() {
        let wanted = |url: &str| Wanted { method: "GET".to_owned(), url: url.to_owned(), ..Wanted::default() };
        for (url, target, host) in [
            ("http://h:4455/a/b?x=1#f", "/a/b?x=1", "h:4455"),
            ("http://h", "/", "h"),
            ("https://h?x=1", "/?x=1", "h"),
            ("HTTP://h/a%2Fb/../c", "/a%2Fb/../c", "h"),
        ] {
            let asked = Asked::of(&wanted(url)).unwrap();
            assert_eq!(
                (asked.head.uri.to_string().as_str(), asked.head.headers["host"].to_str().unwrap()),
                (target, host),
                "{url}"
            );
        }
        for (url, expected) in [
            ("h/a", "no scheme"),
            ("ftp://h/", "`ftp`"),
            ("http://h/a b", "cannot hold ' '; write `%20`"),
            ("http://h/\u{0}", "cannot hold '\\0'"),
        ] {
            assert!(Asked::of(&wanted(url)).err().unwrap().contains(expected), "{url}");
        }
        for raw in [
            "POST /a HTTP/1.1\nHost: h\nX-A: b\n\n{\"a\":\n\n1}",
            "POST /a HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n{\"a\":\n\n1}",
        ] {
            let asked = Asked::read(raw.as_bytes(), false).unwrap();
            assert_eq!((&*asked.body, asked.head.headers.len()), (&b"{\"a\":\n\n1}"[..], 2), "{raw}");
            assert_eq!(asked.violation, None);
        }
        assert!(Asked::read(b"GET / HTTP/1.1\nHost: h", false).is_ok());
        assert!(Asked::read(b"hello", false).is_err());
        let folded =
            Asked::read(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false);
        assert_eq!(folded.unwrap().violation, Some(RefusalReason::Framing));
    }
}
