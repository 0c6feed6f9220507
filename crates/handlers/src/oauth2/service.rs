//! A side service of OAuth 2.0, and how it is called.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::duration::GoDuration;
use keyward_core::ports::SideRequest;
use keyward_core::side_url::SideUrl;

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
pub(crate) struct Service(SideUrl);

impl Service {
    /// The service at an address.
    pub(crate) fn at(url: SideUrl) -> Self {
        Self(url)
    }

    /// The whole URL, to tell services apart.
    pub(crate) fn url(&self) -> String {
        self.0.whole()
    }

    /// The URL as logs may hold it.
    pub(crate) fn shown(&self) -> String {
        self.0.shown()
    }

    /// A form to post. User information in the URL stands in where the headers have no authorization.
    pub(crate) fn post(&self, mut headers: HeaderMap, form: String) -> SideRequest {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.0.authorize(&mut headers);
        SideRequest { method: Method::POST, url: self.0.whole(), headers, body: form.into() }
    }
}
