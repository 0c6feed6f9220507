//! Where a token stands in a request: `token_from` (pipeline spec 2.0.1).

use std::borrow::Cow;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, HOST};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, Value, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::CredentialLocation;
use keyward_core::pipeline::cookies::{self, Cookie};

use crate::form;

/// One place, as written. Exactly one of the keys.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenFrom {
    /// A header. `Authorization`, written so, is read as a bearer credential (RFC 6750), any other as it stands.
    #[serde(default)]
    pub header: Option<String>,
    /// A query parameter.
    #[serde(default)]
    pub query_parameter: Option<String>,
    /// A cookie.
    #[serde(default)]
    pub cookie: Option<String>,
}

/// `token_from` as written: one place, or an ordered list of which the first one present wins.
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used; values are read with their positions")]
pub enum TokenFromShape {
    /// One place.
    One(TokenFrom),
    /// Several, in order.
    Several(Vec<TokenFrom>),
}

/// Compiles `token_from`; nothing written means the bearer token of `Authorization`.
pub fn compile(written: Option<&Node>) -> Result<Vec<CredentialLocation>, Diagnostic> {
    let default = || vec![CredentialLocation::Bearer];
    match written {
        None => Ok(default()),
        Some(node) => match &node.value {
            Value::Null => Ok(default()),
            Value::List(list) if !list.is_empty() => list.iter().map(one).collect(),
            Value::List(_) => Err(Diagnostic::error("`token_from` is an empty list").at(&node.origin)),
            _ => one(node).map(|location| vec![location]),
        },
    }
}

fn one(node: &Node) -> Result<CredentialLocation, Diagnostic> {
    let written: TokenFrom = decode(node)?;
    match (written.header, written.query_parameter, written.cookie) {
        // As in the reference, which knows it by this spelling only.
        (Some(name), None, None) if name == "Authorization" => Ok(CredentialLocation::Bearer),
        (Some(name), None, None) => HeaderName::from_bytes(name.as_bytes())
            .map(CredentialLocation::Header)
            .map_err(|_| Diagnostic::error(format!("`{name}` is not a header name")).at(&node.origin)),
        (None, Some(name), None) => Ok(CredentialLocation::QueryParameter(name)),
        (None, None, Some(name)) => Ok(CredentialLocation::Cookie(name)),
        _ => Err(Diagnostic::error("`token_from` needs exactly one of `header`, `query_parameter` and `cookie`")
            .at(&node.origin)
            .hint("write several places as a list; the first one present wins")),
    }
}

/// The token at the first place that holds one.
pub fn find<'r>(locations: &[CredentialLocation], request: &'r GatedRequest) -> Option<Cow<'r, str>> {
    text(find_bytes(locations, request)?)
}

/// [`find`] before it is known to be text.
pub fn find_bytes<'r>(locations: &[CredentialLocation], request: &'r GatedRequest) -> Option<Cow<'r, [u8]>> {
    locations.iter().find_map(|location| at(location, request)).filter(|token| !token.is_empty())
}

/// A token as text; none is anything else.
pub fn text(token: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match token {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

fn at<'r>(location: &CredentialLocation, request: &'r GatedRequest) -> Option<Cow<'r, [u8]>> {
    match location {
        CredentialLocation::Bearer => bearer(request.headers().get(AUTHORIZATION)?.as_bytes()).map(Cow::Borrowed),
        // In Go the host is no header.
        CredentialLocation::Header(name) if name == HOST => None,
        CredentialLocation::Header(name) => request.headers().get(name).map(|value| Cow::Borrowed(value.as_bytes())),
        // What the reference cannot read names no token: the next pair of that name counts.
        CredentialLocation::QueryParameter(name) => {
            form::pairs(request.query()?).find(|(key, _)| key == name.as_bytes()).map(|(_, value)| Cow::Owned(value))
        }
        CredentialLocation::Cookie(name) => {
            cookies(request).find(|cookie| cookie.name == name).map(|cookie| Cow::Borrowed(cookie.value.as_bytes()))
        }
    }
}

/// The request's cookies.
pub(crate) fn cookies(request: &GatedRequest) -> impl Iterator<Item = Cookie<'_>> {
    request.headers().get_all(COOKIE).iter().flat_map(|line| cookies::parse(line.as_bytes()))
}

/// What follows `Bearer ` in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}
