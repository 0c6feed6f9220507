//! The head of an upstream's answer, and what of it may be passed on.

use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::Incoming;

use super::error::ForwardError;
use super::framing;
use super::pool::Lease;

/// The head of an answer, its body still to come.
pub struct Answer {
    /// Hop-by-hop fields are gone.
    pub response: Response<Incoming>,
    /// The connection, when it can be used again once the body has ended.
    pub lease: Option<Lease>,
}

impl Answer {
    /// What may be passed on of it.
    pub(super) fn cleaned(mut self, upgrade: Option<&HeaderValue>) -> Result<Self, ForwardError> {
        check_upgrade(&self.response, upgrade)?;
        let said_twice = framing::settle(self.response.headers_mut())?;
        let switches = self.response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
        if switches || said_twice {
            self.lease = None;
        }
        remove_hop_by_hop(self.response.headers_mut(), switches);
        Ok(self)
    }
}

/// A 101 counts only when it was asked for, and names the same protocol (CVE-2026-73548).
fn check_upgrade(response: &Response<Incoming>, asked: Option<&HeaderValue>) -> Result<(), ForwardError> {
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let given = response.headers().get(UPGRADE);
    match (asked, given) {
        (None, _) => Err(ForwardError::Upgrade("switched protocols without being asked")),
        (Some(asked), Some(given)) if given.as_bytes().eq_ignore_ascii_case(asked.as_bytes()) => Ok(()),
        _ => Err(ForwardError::Upgrade("switched to another protocol than was asked for")),
    }
}

/// Fields that end at one hop (RFC 9110 section 7.6.1), and `Proxy-Connection`, which some still send.
fn ends_at_this_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "transfer-encoding"
            | "upgrade"
            | "te"
            | "proxy-authenticate"
            | "keep-alive"
            | "proxy-connection"
    )
}

/// Removes the fields of the upstream's own hop. A 101 keeps the protocol it names.
fn remove_hop_by_hop(headers: &mut HeaderMap, switches: bool) {
    let mut doomed: Vec<HeaderName> = Vec::new();
    let mut has_connection = false;
    // Trailers can only follow chunks.
    let announces_in_vain = |name: &HeaderName| *name == TRAILER && headers.contains_key(CONTENT_LENGTH);
    for (name, value) in headers.iter().filter(|(name, _)| ends_at_this_hop(name) || announces_in_vain(name)) {
        if *name != CONNECTION {
            doomed.push(name.clone());
            continue;
        }
        has_connection = true;
        // What nearly every answer says names no other field.
        if !matches!(value.as_bytes(), b"keep-alive" | b"close") {
            let names = value.as_bytes().split(|byte| *byte == b',');
            doomed.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()));
        }
    }
    if has_connection {
        headers.remove(CONNECTION);
    }
    for name in doomed.iter().filter(|name| !(switches && **name == UPGRADE)) {
        headers.remove(name);
    }
}
