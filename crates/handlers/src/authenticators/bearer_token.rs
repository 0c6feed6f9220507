//! `bearer_token`: asks a session store about the caller's token (pipeline spec 2.5).

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE};
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
use crate::token_location::{self, TokenFromShape};

/// Where the subject stands in an answer, unless the settings say otherwise.
const SUBJECT_FROM: &str = "sub";

/// Settings of `bearer_token`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerTokenConfig {
    /// The session store: an `https` or `http` URL.
    pub check_session_url: String,
    /// Where the token stands: one place, or an ordered list. Not set: the bearer token. To send on what
    /// stands elsewhere than in `Authorization`, list its header or set `preserve_query: false`.
    #[serde(default)]
    #[schemars(with = "Option<TokenFromShape>")]
    pub token_from: Option<Node>,
    /// Tokens that begin otherwise are left to the next authenticator.
    #[serde(default)]
    pub prefix: String,
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
    /// Headers of the caller to send along, besides `Authorization`.
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
pub struct BearerToken {
    store: SessionStore,
    prefix: String,
    token_from: Box<[CredentialLocation]>,
    locations: Vec<CredentialLocation>,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "bearer_token"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<BearerTokenConfig>())
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        let config: BearerTokenConfig = decode(node)?;
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
                carrier: AUTHORIZATION,
            },
            node,
            context,
        )?;
        let mut locations = token_location::compile(config.token_from.as_ref())?;
        for location in &locations {
            warn_about_unsent_token(location, &store, node, context);
        }
        let token_from = locations.clone().into();
        locations.extend(store.credential_location().filter(|location| !locations.contains(location)));
        Ok(Box::new(BearerToken { store, prefix: config.prefix, token_from, locations }))
    }
}

/// As in the reference, `token_from` only says who is responsible; what the store gets is said elsewhere.
fn warn_about_unsent_token(
    location: &CredentialLocation,
    store: &SessionStore,
    node: &Node,
    context: &BindContext<'_>,
) {
    let (is_sent, hint) = match location {
        CredentialLocation::Bearer => return,
        CredentialLocation::Header(name) => (store.sends(name), format!("list `{name}` in `forward_http_headers`")),
        CredentialLocation::Cookie(_) => (store.sends(&COOKIE), "list `Cookie` in `forward_http_headers`".to_owned()),
        CredentialLocation::QueryParameter(_) => (store.sends_query(), "set `preserve_query: false`".to_owned()),
    };
    if !is_sent {
        let text = "the session store does not get the token that `token_from` names";
        context.warn(Diagnostic::warning(text).at(node.origin_of("token_from")).hint(hint));
    }
}

impl Authenticator for BearerToken {
    fn authenticate<'a>(&'a self, request: &'a GatedRequest, _: UnixTime) -> Step<'a, Result<Authentication, Denial>> {
        let token = token_location::find(&self.token_from, request);
        if !token.is_some_and(|token| token.starts_with(&self.prefix)) {
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
