//! The `when` conditions of error handlers (pipeline spec 7.2): which denials a handler answers.
//!
//! Conditions are alternatives; within one, `error` and every part of `request` must hold.

mod media_types;

use std::net::IpAddr;

use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::document::{Node, decode};
use crate::network::Network;
use crate::pipeline::RequestFacts;
use crate::pipeline::denial::Denial;
use media_types::{accepted, content_types, listed};

/// Compiled conditions. An empty list always holds.
#[derive(Clone, Debug, Default)]
pub struct When(Vec<Condition>);

#[derive(Clone, Debug)]
struct Condition {
    errors: Vec<String>,
    /// None where the condition says nothing of the header. A list of which nothing can be read fits no caller.
    accept: Option<Vec<String>>,
    content_type: Option<Vec<String>>,
    remote: Vec<Network>,
    trusts_forwarded_for: bool,
}

/// One condition as written.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionConfig {
    /// Error names, any of them.
    #[serde(default)]
    pub error: Vec<ErrorName>,
    /// What the request must look like.
    #[serde(default)]
    pub request: Option<RequestConfig>,
}

/// Errors that a condition can name.
#[derive(Clone, Copy, Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorName {
    /// 403.
    Forbidden,
    /// 500.
    InternalServerError,
    /// 404.
    NotFound,
    /// 401.
    Unauthorized,
}

/// What the request must look like.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestConfig {
    /// Peer networks. The reference accepts and ignores this key; here it means `remote_ip.match`.
    #[serde(default)]
    pub cidr: Vec<String>,
    /// Media types.
    #[serde(default)]
    pub header: Option<HeaderConfig>,
    /// Peer networks.
    #[serde(default)]
    pub remote_ip: Option<RemoteIpConfig>,
}

/// Media types the request must carry.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderConfig {
    /// Any of these in `Accept`.
    #[serde(default)]
    pub accept: Vec<String>,
    /// Any of these as `Content-Type`.
    #[serde(default)]
    pub content_type: Vec<String>,
}

/// Networks the peer must be in.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteIpConfig {
    /// CIDR networks, any of them.
    #[serde(default, rename = "match")]
    pub networks: Vec<String>,
    /// Also test every address of `X-Forwarded-For`.
    #[serde(default)]
    pub respect_forwarded_for_header: bool,
}

impl When {
    /// Compiles the value of a `when` key.
    pub fn compile(node: &Node) -> Result<Self, Diagnostic> {
        let conditions: Vec<ConditionConfig> = decode(node)?;
        let compile = |condition| Condition::compile(condition).map_err(|problem| problem.at(&node.origin));
        conditions.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a denial of a request falls under these conditions.
    pub fn holds(&self, denial: &Denial, request: &RequestFacts<'_>) -> bool {
        self.0.is_empty() || self.0.iter().any(|condition| condition.holds(denial, request))
    }
}

impl Condition {
    fn compile(config: ConditionConfig) -> Result<Self, Diagnostic> {
        let request = config.request.unwrap_or_default();
        let header = request.header.unwrap_or_default();
        let remote = request.remote_ip.unwrap_or_default();
        let networks = request.cidr.iter().chain(&remote.networks);
        Ok(Self {
            errors: config.error.into_iter().map(|name| name.as_str().to_owned()).collect(),
            accept: wanted(&header.accept),
            content_type: wanted(&header.content_type),
            remote: networks.map(|text| network(text)).collect::<Result<_, _>>()?,
            trusts_forwarded_for: remote.respect_forwarded_for_header,
        })
    }

    fn holds(&self, denial: &Denial, request: &RequestFacts<'_>) -> bool {
        (self.errors.is_empty() || self.errors.iter().any(|name| name == denial.error.name()))
            && self.accept.as_ref().is_none_or(|wanted| any_fits(&accepted(request.headers), wanted))
            && self.content_type.as_ref().is_none_or(|wanted| any_fits(&content_types(request.headers), wanted))
            && (self.remote.is_empty() || self.peer_fits(request))
    }

    fn peer_fits(&self, request: &RequestFacts<'_>) -> bool {
        let contained = |address: IpAddr| self.remote.iter().any(|network| network.contains(address.to_canonical()));
        if contained(request.peer.ip()) {
            return true;
        }
        self.trusts_forwarded_for
            && request
                .headers
                .get_all("x-forwarded-for")
                .iter()
                .filter_map(|line| line.to_str().ok())
                .flat_map(|line| line.split(','))
                .filter_map(|address| address.trim().parse::<IpAddr>().ok())
                .any(contained)
    }
}

impl ErrorName {
    fn as_str(self) -> &'static str {
        match self {
            ErrorName::Forbidden => "forbidden",
            ErrorName::InternalServerError => "internal_server_error",
            ErrorName::NotFound => "not_found",
            ErrorName::Unauthorized => "unauthorized",
        }
    }
}

/// The entries as the reference reads them: joined to one line, so that what cannot be read hides what follows it.
fn wanted(entries: &[String]) -> Option<Vec<String>> {
    (!entries.is_empty()).then(|| listed(&entries.join(",")))
}

/// Wildcards count on the configured side only; a client's `*/*` fits only the same text.
fn any_fits(client: &[String], configured: &[String]) -> bool {
    configured.iter().any(|wanted| {
        client.iter().any(|given| {
            wanted == "*/*"
                || wanted == given
                || wanted.strip_suffix("/*").is_some_and(|kind| given.split('/').next() == Some(kind))
        })
    })
}

fn network(text: &str) -> Result<Network, Diagnostic> {
    let refused = || {
        Diagnostic::error(format!("`{text}` is not a network"))
            .hint("write an address and a prefix length, such as `192.168.1.0/24`")
    };
    let (address, prefix) = text.split_once('/').ok_or_else(refused)?;
    let address = address.parse().map_err(|_| refused())?;
    let prefix = prefix.parse().map_err(|_| refused())?;
    Network::new(address, prefix).ok_or_else(refused)
}

#[cfg(test)]
mod tests;
