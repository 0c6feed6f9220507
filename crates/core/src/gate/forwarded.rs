//! The decision API's way through the gate: the request to decide on is described by headers
//! (serving spec 7.9), and canonicalised by the same code.

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method};

use super::{
    Arrival, CanonicalTarget, GatePolicy, GatedRequest, RefusalReason, Scheme, authority, fields, path, query,
};

/// Where the decision API lives.
const PREFIX: &str = "/decisions";

/// Admits what `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri` describe; what they leave out comes
/// from the request itself. The API port is trusted: whoever reaches it may ask.
pub fn admit_forwarded(head: Parts, arrival: &Arrival, policy: &GatePolicy) -> Result<GatedRequest, RefusalReason> {
    // What is there and cannot be read must not pass for what was left out: another request would be judged.
    let said = |name: &str, reason: RefusalReason| match head.headers.get(name).map(HeaderValue::to_str) {
        Some(Err(_)) => Err(reason),
        Some(Ok("")) | None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
    };
    let method = match said("x-forwarded-method", RefusalReason::Method)? {
        Some(name) => Method::from_bytes(name.as_bytes()).map_err(|_| RefusalReason::Method)?,
        None => head.method.clone(),
    };
    let scheme = match said("x-forwarded-proto", RefusalReason::Scheme)?.as_deref() {
        Some(proto) if proto.eq_ignore_ascii_case("https") => Scheme::Https,
        Some(proto) if proto.eq_ignore_ascii_case("http") => Scheme::Http,
        Some(_) => return Err(RefusalReason::Scheme),
        None if arrival.tls => Scheme::Https,
        None => Scheme::Http,
    };
    let authority = match said("x-forwarded-host", RefusalReason::Authority)? {
        Some(host) => authority::canonicalize(&host, scheme).ok_or(RefusalReason::Authority)?.into_owned(),
        None => own_authority(&head, scheme)?,
    };
    // As in the reference, a path that nobody can read is refused, also where another takes its place.
    if path::canonicalize(head.uri.path()) == Err(path::PathError::BadEscape) {
        return Err(RefusalReason::Path);
    }
    let raw_path = match said("x-forwarded-uri", RefusalReason::Path)? {
        Some(uri) if !uri.starts_with('?') => uri.split(['?', '#']).next().unwrap_or_default().to_owned(),
        _ => head.uri.path().strip_prefix(PREFIX).unwrap_or(head.uri.path()).to_owned(),
    };
    let canonical = match raw_path.as_str() {
        "" => path::CanonicalPath { text: "".into(), has_encoded_slash: false },
        text => path::canonicalize(text).map_err(|_| RefusalReason::Path)?,
    };
    let target = CanonicalTarget::new(scheme, &authority, &canonical.text, query(&head.uri, policy)?);
    let mut headers = head.headers;
    let trusting = GatePolicy { trust_forwarded_headers: true, ..policy.clone() };
    let facts = fields::filter(&mut headers, head.version, &trusting)?;
    let has_encoded_slash = canonical.has_encoded_slash;
    Ok(GatedRequest { method, target, headers, facts, has_encoded_slash, peer: arrival.peer, body: Bytes::new() })
}

/// As the proxy reads it: from `Host`, or from the target when it has one; both must agree.
fn own_authority(head: &Parts, scheme: Scheme) -> Result<String, RefusalReason> {
    let mut lines = head.headers.get_all(HOST).iter();
    let host = lines.next().map(HeaderValue::to_str).transpose().map_err(|_| RefusalReason::Authority)?;
    if lines.next().is_some() {
        return Err(RefusalReason::Authority);
    }
    let canonical = |text| authority::canonicalize(text, scheme).ok_or(RefusalReason::Authority);
    match (head.uri.authority().map(Authority::as_str), host) {
        (Some(target), Some(host)) if canonical(target)? != canonical(host)? => Err(RefusalReason::AuthorityMismatch),
        (Some(text), _) | (None, Some(text)) => Ok(canonical(text)?.into_owned()),
        (None, None) => Err(RefusalReason::Authority),
    }
}
