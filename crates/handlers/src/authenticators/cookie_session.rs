//! `cookie_session`: asks a session store about the caller's cookies (pipeline spec 2.4).

use std::collections::BTreeMap;

use http::header::COOKIE;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{
    Authentication, Authenticator, AuthenticatorKind, BindContext, CredentialLocation, HandlerKind,
};
use keyward_core::ports::UnixTime;

use crate::session_store::{SessionStore, StoreConfig, default_extra_from, default_preserve_query};
use crate::token_location;

/// Where the subject stands in an answer, unless the settings say otherwise.
const SUBJECT_FROM: &str = "subject";

/// Settings of `cookie_session`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CookieSessionConfig {
    /// The session store: an `https` or `http` URL.
    pub check_session_url: String,
    /// Cookies, one of which must be there; any cookie will do when none is named.
    #[serde(default)]
    pub only: Vec<String>,
    /// Ask at the path of `check_session_url`, and not at the caller's.
    #[serde(default)]
    pub preserve_path: bool,
    /// Ask with the query of `check_session_url`, and not with the caller's.
    #[serde(default = "default_preserve_query")]
    pub preserve_query: bool,
    /// Send the caller's `Host` along as `X-Forwarded-Host`.
    #[serde(default)]
    pub preserve_host: bool,
    /// Ask with this method, and not with the caller's.
    #[serde(default)]
    pub force_method: String,
    /// Headers of the caller to send along, besides `Cookie`.
    #[serde(default)]
    pub forward_http_headers: Vec<String>,
    /// Further headers to send.
    #[serde(default)]
    pub additional_headers: BTreeMap<String, String>,
    /// GJSON path of the subject in the answer.
    #[serde(default = "subject")]
    pub subject_from: String,
    /// GJSON path of the session's extra data in the answer.
    #[serde(default = "default_extra_from")]
    pub extra_from: String,
}

/// Ready to run.
pub struct CookieSession {
    store: SessionStore,
    only: Vec<String>,
    locations: Vec<CredentialLocation>,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "cookie_session"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<CookieSessionConfig>())
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        let config: CookieSessionConfig = decode(node)?;
        let store = SessionStore::bind(
            &StoreConfig {
                check_session_url: &config.check_session_url,
                preserve_path: config.preserve_path,
                preserve_query: config.preserve_query,
                preserve_host: config.preserve_host,
                force_method: &config.force_method,
                forward_http_headers: &config.forward_http_headers,
                additional_headers: &config.additional_headers,
                subject_from: &config.subject_from,
                default_subject_from: SUBJECT_FROM,
                extra_from: &config.extra_from,
                carrier: COOKIE,
            },
            node,
            context,
        )?;
        // Without a list it is the cookies together that authenticate.
        let mut locations = match config.only.as_slice() {
            [] => vec![CredentialLocation::Header(COOKIE)],
            names => names.iter().cloned().map(CredentialLocation::Cookie).collect(),
        };
        locations.extend(store.credential_location());
        Ok(Box::new(CookieSession { store, only: config.only, locations }))
    }
}

impl Authenticator for CookieSession {
    fn authenticate<'a>(&'a self, request: &'a GatedRequest, _: UnixTime) -> Step<'a, Result<Authentication, Denial>> {
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        if !token_location::cookies(request).any(|cookie| wanted(cookie.name)) {
            return Step::Ready(Ok(Authentication::NotResponsible));
        }
        Step::Pending(Box::pin(async move { self.store.session(request).await.map(Authentication::Established) }))
    }

    fn credential_locations(&self) -> &[CredentialLocation] {
        &self.locations
    }
}

fn subject() -> String {
    SUBJECT_FROM.to_owned()
}
