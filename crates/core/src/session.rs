//! Who is asking: what authenticators establish, authorizers read, and mutators turn into headers.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// The session of one request (pipeline spec 1.6). Claims are shared with the verified-token cache.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Who asks; empty for `noop`.
    pub subject: Arc<str>,
    /// Everything else the authenticator learned; `None` where the reference has a null map.
    pub extra: Option<Arc<Map<String, Value>>>,
    /// What will be set on the upstream request, or answered by the decision API.
    pub header: HeaderMap,
    /// Capture groups of the rule's pattern, filled only when a handler of the rule reads them.
    pub captures: Vec<String>,
    /// Facts for the audit record that no template can reach.
    pub audit: SessionAudit,
}

/// What the audit record says about the caller's credential.
#[derive(Clone, Debug, Default)]
pub struct SessionAudit {
    /// The token's `iss`.
    pub issuer: Option<Arc<str>>,
    /// The scopes the token grants.
    pub scopes: Arc<[String]>,
}

impl Session {
    /// Sets a header, replacing every earlier value of that name.
    pub fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.header.insert(name, value);
    }
}
