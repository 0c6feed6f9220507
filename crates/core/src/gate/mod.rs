//! The request gate: one canonical request, used for matching *and* forwarding.

pub mod path;

use std::net::SocketAddr;

use http::{HeaderMap, Method};

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
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

/// A request that passed the gate. Only the gate makes one.
#[derive(Clone, Debug)]
pub struct GatedRequest {
    method: Method,
    scheme: Scheme,
    /// `scheme://authority/path`
    url: String,
    authority_end: usize,
    query: Option<String>,
    headers: HeaderMap,
    peer: SocketAddr,
}

impl GatedRequest {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }
    /// The scheme the rules see.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
    /// `scheme://authority/path`: what rules are matched against, byte for byte what is forwarded.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Lower-case host, with the port unless it is the scheme's default.
    pub fn authority(&self) -> &str {
        let start = match self.scheme {
            Scheme::Http => 7,
            Scheme::Https => 8,
        };
        &self.url[start..self.authority_end]
    }
    /// The canonical, percent-encoded path; starts with `/`.
    pub fn path(&self) -> &str {
        &self.url[self.authority_end..]
    }
    /// The raw query, without `?`.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
    /// End-to-end headers: hop-by-hop, connection-named and untrusted forwarding headers are gone.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
    /// The protocol the caller wants to upgrade to.
    pub fn upgrade(&self) -> Option<&str> {
        None
    }
    /// Whether the caller said `TE: trailers`.
    pub fn accepts_trailers(&self) -> bool {
        false
    }
    /// Whether the path holds `%2F`; only a rule that allows it may serve the request.
    pub fn has_encoded_slash(&self) -> bool {
        false
    }
    /// Gives up the method and the headers, to be sent on.
    pub(crate) fn into_method_and_headers(self) -> (Method, HeaderMap) {
        (self.method, self.headers)
    }
    /// The connection's peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}
