//! The request gate: one canonical request, used for matching *and* forwarding.
//!
//! Behind hyper's parser and before the rules. What different software could read differently is
//! refused, and the connection closed; hop-by-hop and connection-named fields are gone before anything
//! is injected. Only this module makes a [`GatedRequest`].

mod authority;
mod fields;
mod forwarded;
pub mod path;
mod refusal;

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, Version};

pub(crate) use fields::keep_first_or_none;
pub use forwarded::admit_forwarded;
pub use refusal::RefusalReason;

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// How a request arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Over TLS.
    pub tls: bool,
    /// The connection's peer.
    pub peer: SocketAddr,
    /// What the byte scanner found wrong with the head, which hyper may have repaired silently.
    pub violation: Option<RefusalReason>,
}

/// What the gate lets through.
#[derive(Clone, Debug)]
pub struct GatePolicy {
    /// `serve.proxy.trust_forwarded_headers`
    pub trust_forwarded_headers: bool,
    /// `serve.proxy.underscore_headers: pass`: fields with `_` in their names go on.
    pub passes_underscores: bool,
    /// `serve.proxy.method_override_headers: pass`: `X-HTTP-Method-Override` and its like go on.
    pub passes_method_overrides: bool,
    /// All fields together, in bytes.
    pub max_head_bytes: usize,
    /// One field, in bytes.
    pub max_field_bytes: usize,
    /// How many fields.
    pub max_fields: usize,
    /// The request target, in bytes.
    pub max_target_bytes: usize,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            trust_forwarded_headers: false,
            passes_underscores: false,
            passes_method_overrides: false,
            max_head_bytes: 32 * 1024,
            max_field_bytes: 8 * 1024 + 512,
            max_fields: 100,
            max_target_bytes: 8 * 1024,
        }
    }
}

/// What HTTP/2 counts for a field besides its name and its value (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD: usize = 32;
/// Names of the pseudo fields and their values but for the target: a scheme, a host, a method.
const PSEUDO_FIELDS: usize = 4 * FIELD_OVERHEAD + 1024;

impl GatePolicy {
    /// At least what the largest request that passes has as a field section of HTTP/2, as that counts.
    pub fn largest_field_section(&self) -> usize {
        let overhead = self.max_fields.saturating_mul(FIELD_OVERHEAD);
        [self.max_head_bytes, self.max_target_bytes, PSEUDO_FIELDS].into_iter().fold(overhead, usize::saturating_add)
    }
}

/// A request that passed the gate. Only the gate makes one.
#[derive(Clone, Debug)]
pub struct GatedRequest {
    method: Method,
    target: CanonicalTarget,
    headers: HeaderMap,
    facts: fields::Facts,
    has_encoded_slash: bool,
    peer: SocketAddr,
    body: Bytes,
}

/// Makes the canonical request out of a head, whose headers it takes, or says why there is none.
pub fn admit(head: &mut Parts, arrival: &Arrival, policy: &GatePolicy) -> Result<GatedRequest, RefusalReason> {
    if let Some(violation) = arrival.violation {
        return Err(violation);
    }
    if head.method == Method::CONNECT || head.method == Method::TRACE {
        return Err(RefusalReason::Method);
    }
    let scheme = if arrival.tls { Scheme::Https } else { Scheme::Http };
    let authority = requested_authority(&head.uri, &head.headers, head.version, scheme)?;
    let query = query(&head.uri, policy)?;
    let path = path::canonicalize(head.uri.path()).map_err(|_| RefusalReason::Path)?;
    let has_encoded_slash = path.has_encoded_slash;
    let mut target = CanonicalTarget::new(scheme, &authority, &path.text, query);
    let facts = fields::filter(&mut head.headers, head.version, policy)?;
    let seen = match facts.forwarded_https {
        Some(true) => Scheme::Https,
        Some(false) => Scheme::Http,
        None => scheme,
    };
    if seen != scheme {
        // The port was judged by the connection's scheme; the rules see the caller's.
        let query = target.query.take();
        let authority = authority::canonicalize(target.authority(), seen);
        target = CanonicalTarget::new(seen, authority.as_deref().unwrap_or(target.authority()), target.path(), query);
    }
    Ok(GatedRequest {
        method: head.method.clone(),
        target,
        headers: std::mem::take(&mut head.headers),
        facts,
        has_encoded_slash,
        peer: arrival.peer,
        body: Bytes::new(),
    })
}

/// The canonical target of a request: what was asked for, also when the request itself has gone on. A clone shares
/// the text.
#[derive(Clone, Debug)]
pub struct CanonicalTarget {
    scheme: Scheme,
    /// `scheme://authority/path`
    url: Arc<str>,
    authority_end: usize,
    query: Option<Arc<str>>,
}

thread_local! {
    /// Where a URL is put together before it gets memory of its own, which then is as long as it has to be.
    static DRAFT: RefCell<String> = const { RefCell::new(String::new()) };
}

impl CanonicalTarget {
    fn new(scheme: Scheme, authority: &str, path: &str, query: Option<Arc<str>>) -> Self {
        DRAFT.with_borrow_mut(|url| {
            url.clear();
            url.push_str(scheme.as_str());
            url.push_str("://");
            url.push_str(authority);
            let authority_end = url.len();
            url.push_str(path);
            Self { scheme, url: url.as_str().into(), authority_end, query }
        })
    }

    /// See [`GatedRequest::authority`].
    pub fn authority(&self) -> &str {
        &self.url[self.scheme.as_str().len() + 3..self.authority_end]
    }

    /// See [`GatedRequest::path`].
    pub fn path(&self) -> &str {
        &self.url[self.authority_end..]
    }
}

/// From `Host`, or from the target when it has one; both must agree (RFC 9112 section 3.2.2 would let
/// the target win, and others forward the loser).
fn requested_authority<'h>(
    uri: &'h Uri,
    headers: &'h HeaderMap,
    version: Version,
    scheme: Scheme,
) -> Result<Cow<'h, str>, RefusalReason> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(only), None) => {
            let text = only.to_str().map_err(|_| RefusalReason::Authority)?;
            Some(authority::canonicalize(text, scheme).ok_or(RefusalReason::Authority)?)
        }
        (Some(_), Some(_)) => return Err(RefusalReason::Authority),
    };
    if uri.scheme_str().is_some_and(|written| !written.eq_ignore_ascii_case(scheme.as_str())) {
        return Err(RefusalReason::Scheme);
    }
    let target = match uri.authority() {
        Some(text) => Some(authority::canonicalize(text.as_str(), scheme).ok_or(RefusalReason::Authority)?),
        None => None,
    };
    match (target, host) {
        (Some(target), Some(host)) if target != host => Err(RefusalReason::AuthorityMismatch),
        (Some(target), host) if host.is_some() || version == Version::HTTP_2 => Ok(target),
        (None, Some(host)) => Ok(host),
        _ => Err(RefusalReason::Authority),
    }
}

/// The query passes byte for byte: no raw control, space or non-ASCII octet.
fn query(uri: &Uri, policy: &GatePolicy) -> Result<Option<Arc<str>>, RefusalReason> {
    let Some(query) = uri.query() else {
        return if uri.path().len() > policy.max_target_bytes { Err(RefusalReason::TargetSize) } else { Ok(None) };
    };
    if uri.path().len() + query.len() >= policy.max_target_bytes {
        return Err(RefusalReason::TargetSize);
    }
    if query.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(Some(query.into())) } else { Err(RefusalReason::Query) }
}

impl GatedRequest {
    /// The body, where a handler of the rule reads it; empty otherwise.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Adds the body, which the gate does not look at.
    pub fn set_body(&mut self, body: Bytes) {
        self.body = body;
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// What is asked for.
    pub fn target(&self) -> &CanonicalTarget {
        &self.target
    }

    /// The scheme the rules see.
    pub fn scheme(&self) -> Scheme {
        self.target.scheme
    }

    /// `scheme://authority/path`: what rules are matched against, byte for byte what is forwarded.
    pub fn url(&self) -> &str {
        &self.target.url
    }

    /// [`url`](Self::url) with the query.
    pub fn url_with_query(&self) -> Cow<'_, str> {
        match &self.target.query {
            Some(query) => format!("{}?{query}", self.target.url).into(),
            None => (*self.target.url).into(),
        }
    }

    /// Lower-case host, with the port unless it is the scheme's default.
    pub fn authority(&self) -> &str {
        self.target.authority()
    }

    /// The canonical, percent-encoded path. Starts with `/`, or is empty for the decision API.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The raw query, without `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.query.as_deref()
    }

    /// End-to-end headers: hop-by-hop, connection-named and untrusted forwarding headers are gone.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The protocol the caller wants to upgrade to, lower case.
    pub fn upgrade(&self) -> Option<&str> {
        self.facts.upgrade.as_deref()
    }

    /// Whether the caller said `TE: trailers`.
    pub fn accepts_trailers(&self) -> bool {
        self.facts.accepts_trailers
    }

    /// Whether the path holds `%2F`; only a rule that allows it may serve the request.
    pub fn has_encoded_slash(&self) -> bool {
        self.has_encoded_slash
    }

    /// The connection's peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How many fields were dropped because of `_` in their names.
    pub fn underscores_dropped(&self) -> usize {
        self.facts.underscores_dropped
    }

    /// Whether there are fields left with `_` in their names, which may look like others.
    pub(crate) fn has_underscores(&self) -> bool {
        self.facts.has_underscores
    }

    /// Whether what its headers say of the way it came may be believed.
    pub fn trusts_forwarded(&self) -> bool {
        self.facts.trusts_forwarded
    }

    /// Gives up the method and the headers, to be sent on.
    pub(crate) fn into_method_and_headers(self) -> (Method, HeaderMap) {
        (self.method, self.headers)
    }
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

#[cfg(test)]
mod tests;
