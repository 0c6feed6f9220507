//! A side service of OAuth 2.0: its URL, checked when the handler is bound, and how it is called.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::duration::GoDuration;
use keyward_core::ports::SideRequest;

/// What the reference calls `retry`. Checked, and without effect there and here.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Without effect.
    #[serde(default)]
    pub max_delay: Option<GoDuration>,
    /// Without effect.
    #[serde(default)]
    pub give_up_after: Option<GoDuration>,
}

/// The finding for a `retry` that somebody wrote.
pub(crate) fn retry_without_effect(origin: &Origin) -> Diagnostic {
    Diagnostic::warning("`retry` has no effect, as in Oathkeeper: the service is called once, for at most 10 s")
        .at(origin)
        .hint("remove it")
}

/// An address that forms are posted to.
#[derive(Clone)]
pub(crate) struct Service {
    url: String,
}

impl Service {
    /// Checks a URL; `key` is what the settings call it.
    pub(crate) fn parse(url: &str, key: &str, origin: &Origin) -> Result<Self, Diagnostic> {
        let finding = |problem: &str, hint: &str| Diagnostic::error(format!("`{key}` {problem}")).at(origin).hint(hint);
        let absolute = "write it as `https://host/path`";
        let uri: Uri = url.parse().map_err(|_| finding("is not a URL", absolute))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(finding("is not an absolute `http` or `https` URL", absolute));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            let hint = "send credentials by `introspection_request_headers` or `pre_authorization`";
            return Err(finding("holds user information", hint));
        }
        if authority.is_empty() || url.contains('#') {
            return Err(finding("has no host, or has a fragment", absolute));
        }
        Ok(Self { url: url.to_owned() })
    }

    /// The whole URL, to be called and to tell services apart.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL as logs may hold it.
    pub(crate) fn shown(&self) -> &str {
        // There is no user information; the query may hold a key.
        self.url.split('?').next().unwrap_or_default()
    }

    /// A form to post.
    pub(crate) fn post(&self, mut headers: HeaderMap, form: String) -> SideRequest {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        SideRequest { method: Method::POST, url: self.url.clone(), headers, body: form.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [T] of pipeline spec 2.7 and 2.8: what is no usable URL breaks the rule.
    #[test]
    fn urls_are_absolute_and_carry_no_credential() {
        let origin = Origin::whole("test");
        let rows = [
            ("https://some-url", true),
            ("http://hydra:4445/oauth2/introspect?tenant=a", true),
            ("", false),
            ("c", false),
            ("/oauth2/token", false),
            ("ftp://host/x", false),
            ("https://", false),
            ("https:///x", false),
            ("https://u:p@host/x", false),
            ("https://host/x#y", false),
            ("http://ho st/", false),
        ];
        for (url, usable) in rows {
            assert_eq!(Service::parse(url, "token_url", &origin).is_ok(), usable, "{url}");
        }
        let shown = Service::parse("http://hydra/x?key=s3cr3t", "u", &origin).map(|service| service.shown().to_owned());
        assert_eq!(shown.as_deref(), Ok("http://hydra/x"));
    }
}
