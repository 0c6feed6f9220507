//! `redirect`: sends the caller elsewhere, usually to log in (pipeline spec 7.4).

use std::borrow::Cow;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::error_response::ErrorResponse;
use keyward_core::pipeline::{BindContext, ErrorHandler, ErrorHandlerKind, HandlerKind, RequestFacts};
use keyward_core::redirect_target::RedirectTarget;

use crate::form;

/// Settings of `redirect`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedirectConfig {
    /// Where to: a URL, or a path on this host.
    pub to: String,
    /// 301 or 302.
    #[schemars(range(min = 301, max = 302))]
    #[serde(default = "default_code")]
    pub code: u16,
    /// Query parameter of `to` that receives the URL the caller asked for.
    #[serde(default)]
    pub return_to_query_param: String,
    /// When this handler answers.
    #[serde(default)]
    pub when: Option<Vec<keyward_core::pipeline::when::ConditionConfig>>,
}

/// Ready to run.
pub struct Redirect {
    to: RedirectTarget,
    status: StatusCode,
    return_to: Option<String>,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "redirect"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<RedirectConfig>())
    }
}

impl ErrorHandlerKind for Kind {
    fn bind(&self, config: &Node, _: &BindContext<'_>) -> Result<Box<dyn ErrorHandler>, Diagnostic> {
        let RedirectConfig { to, code, return_to_query_param: parameter, .. } = decode(config)?;
        let place = |key: &str| config.get(key).map_or(&config.origin, |node| &node.origin);
        let status = match code {
            301 => StatusCode::MOVED_PERMANENTLY,
            302 => StatusCode::FOUND,
            other => return Err(Diagnostic::error(format!("`code` {other} is not 301 or 302")).at(place("code"))),
        };
        let Some(to) = RedirectTarget::parse(&to) else {
            return Err(Diagnostic::error(format!("`to` `{to}` is not a URL or a path")).at(place("to")));
        };
        if !parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",._~-".contains(&byte)) {
            return Err(Diagnostic::error(format!(
                "`return_to_query_param` `{parameter}` holds other characters than letters, digits and `,._~-`"
            ))
            .at(place("return_to_query_param")));
        }
        Ok(Box::new(Redirect { to, status, return_to: (!parameter.is_empty()).then_some(parameter) }))
    }
}

impl ErrorHandler for Redirect {
    fn respond(&self, _: &Denial, request: &RequestFacts<'_>) -> ErrorResponse {
        let target = match &self.return_to {
            Some(parameter) => with_parameter(&self.to, parameter, &asked_for(request.url, request.headers)),
            None => self.to.written().to_owned(),
        };
        let location = RedirectTarget::seen_from(&target, path_of(request.url));
        let mut headers = HeaderMap::with_capacity(2);
        if let Ok(value) = HeaderValue::from_str(&in_ascii(&location)) {
            headers.insert(LOCATION, value);
        }
        // Go's redirect helper: a short page for GET, its type also for HEAD, nothing otherwise.
        let reads = matches!(request.method.as_str(), "GET" | "HEAD");
        if reads {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        let body = if request.method == http::Method::GET {
            let reason = self.status.canonical_reason().unwrap_or_default();
            format!("<a href=\"{}\">{reason}</a>.\n\n", escape(&location)).into()
        } else {
            bytes::Bytes::new()
        };
        ErrorResponse { status: self.status, headers, body }
    }
}

/// As the reference sends other letters.
fn in_ascii(location: &str) -> String {
    let mut sent = String::with_capacity(location.len());
    for byte in location.bytes() {
        match byte.is_ascii() {
            true => sent.push(char::from(byte)),
            false => sent.push_str(&format!("%{byte:02x}")),
        }
    }
    sent
}

fn default_code() -> u16 {
    302
}

/// The URL as the caller asked for it, before a proxy in front of this one. Forwarding headers that are still
/// there are trusted. Unlike in the reference, a query in `X-Forwarded-Uri` is one.
fn asked_for<'u>(url: &'u str, headers: &HeaderMap) -> Cow<'u, str> {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let (scheme, host, uri) = (said("x-forwarded-proto"), said("x-forwarded-host"), said("x-forwarded-uri"));
    let Some((seen_scheme, rest)) = url.split_once("://") else { return url.into() };
    if scheme.is_none() && host.is_none() && uri.is_none() {
        return url.into();
    }
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = match uri {
        Some(uri) => uri.split_once('?').unwrap_or((uri, query)),
        None => (path, query),
    };
    let mut asked = format!("{}://{}{path}", scheme.unwrap_or(seen_scheme), host.unwrap_or(authority));
    if !query.is_empty() {
        asked.extend(["?", query]);
    }
    asked.into()
}

/// Sets one query parameter and re-encodes the query with sorted names; the fragment stays.
fn with_parameter(to: &RedirectTarget, parameter: &str, value: &str) -> String {
    let mut pairs = form::parse(to.query());
    pairs.retain(|(name, _)| name != parameter.as_bytes());
    pairs.push((parameter.into(), value.into()));
    to.with_query(&form::write(pairs))
}

fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("/", |slash| &after_scheme[slash..]);
    path.split('?').next().unwrap_or("/")
}

/// As Go's `htmlEscape` in `net/http`.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// [T] of pipeline spec 7.4: the first two.
    #[test]
    fn return_to_rows() {
        let rows = [
            ("http://test/signin", "http://ory.sh/foo", "http://test/signin?return_to=http%3A%2F%2Fory.sh%2Ffoo"),
            ("/test/signin", "/test", "/test/signin?return_to=%2Ftest"),
            ("https://l/login?x=1#top", "/a?b=1&c=2", "https://l/login?return_to=%2Fa%3Fb%3D1%26c%3D2&x=1#top"),
            ("/l?return_to=old", "/new", "/l?return_to=%2Fnew"),
            ("/l?~=1&*=2", "/~x*", "/l?%2A=2&return_to=%2F~x%2A&~=1"),
        ];
        for (to, url, expected) in rows {
            let to = RedirectTarget::parse(to).unwrap();
            assert_eq!(with_parameter(&to, "return_to", url), expected);
        }
    }

    #[test]
    fn the_path_asked_for_has_no_query() {
        let rows = [("http://h/a/b?x=/y", "/a/b"), ("http://h", "/"), ("/a", "/a")];
        for (url, expected) in rows {
            assert_eq!(path_of(url), expected, "{url}");
        }
    }
}
