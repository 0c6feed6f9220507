//! `www_authenticate`: 401 with a Basic challenge, whatever the error (pipeline spec 7.5).

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::error_response::ErrorResponse;
use keyward_core::pipeline::{BindContext, ErrorHandler, ErrorHandlerKind, HandlerKind, RequestFacts};

/// Settings of `www_authenticate`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WwwAuthenticateConfig {
    /// The realm of the challenge; sent without quotes, as the reference does.
    #[serde(default = "default_realm")]
    pub realm: String,
    /// When this handler answers.
    #[serde(default)]
    pub when: Option<Vec<keyward_core::pipeline::when::ConditionConfig>>,
}

/// Ready to run.
pub struct WwwAuthenticate {
    challenge: HeaderValue,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "www_authenticate"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<WwwAuthenticateConfig>())
    }
}

impl ErrorHandlerKind for Kind {
    fn bind(&self, config: &Node, _: &BindContext<'_>) -> Result<Box<dyn ErrorHandler>, Diagnostic> {
        let WwwAuthenticateConfig { realm, .. } = decode(config)?;
        let realm = if realm.is_empty() { default_realm() } else { realm };
        // As in the reference, a line break is a space.
        let challenge = HeaderValue::from_str(format!("Basic realm={realm}").replace(['\r', '\n'], " ").trim_end())
            .map_err(|_| Diagnostic::error("`realm` holds characters that are not allowed in a header"))?;
        Ok(Box::new(WwwAuthenticate { challenge }))
    }
}

impl ErrorHandler for WwwAuthenticate {
    fn respond(&self, _: &Denial, _: &RequestFacts<'_>) -> ErrorResponse {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(WWW_AUTHENTICATE, self.challenge.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        ErrorResponse { status: http::StatusCode::UNAUTHORIZED, headers, body: "Unauthorized\n".into() }
    }
}

fn default_realm() -> String {
    "Please authenticate.".to_owned()
}
