//! `oauth2_client_credentials`: a caller is who it can get a token for, with the client id and secret of its
//! HTTP Basic credentials (pipeline spec 2.7, 8.2).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::AUTHORIZATION;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::{Denial, ErrorKind, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{
    Authentication, Authenticator, AuthenticatorKind, BindContext, CredentialLocation, HandlerKind,
};
use keyward_core::ports::{CallPolicy, SideAnswer, SideClient, SideError, UnixTime};
use keyward_core::session::Session;

use crate::lookup_cache::{DEFAULT_LIFETIME, Found, LookupCache, max_entries};
use crate::oauth2::basic::{self, ClientCredentials};
use crate::oauth2::service::{RetryConfig, Service, retry_without_effect};
use crate::oauth2::token_endpoint::{self, ClientStyle, Refusal, TokenEndpoint};
use crate::rate_limit::too_many_requests;
use crate::side_url;

/// Settings of `oauth2_client_credentials`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2ClientCredentialsConfig {
    /// The token endpoint: an `https` or `http` URL.
    pub token_url: String,
    /// Scopes to ask for. Whether they were granted is not checked, as in Oathkeeper.
    #[serde(default)]
    pub required_scope: Vec<String>,
    /// Without effect, as in Oathkeeper: there is one call of at most 10 s.
    #[serde(default)]
    pub retry: Option<RetryConfig>,
    /// Whether a client that got a token may go on without asking again.
    #[serde(default)]
    pub cache: ClientCredentialsCacheConfig,
}

/// What is remembered of clients that got a token: a keyed digest of their credentials, never the token.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentialsCacheConfig {
    /// Remember them.
    #[serde(default)]
    pub enabled: bool,
    /// The longest time to remember one; the token's own life is a limit as well. With it, tokens that do not
    /// say how long they live are not remembered; without it, they are for a minute.
    #[serde(default)]
    pub ttl: Option<GoDuration>,
    /// How many are remembered: 1000 when not set.
    #[serde(default)]
    pub max_tokens: Option<i64>,
}

/// Ready to run.
pub struct Oauth2ClientCredentials {
    endpoint: TokenEndpoint,
    side: Arc<dyn SideClient>,
    ttl: Option<Duration>,
    /// Nothing but that a client got a token is remembered.
    cache: Option<Arc<LookupCache<()>>>,
}

/// The row of the table.
pub struct Kind;

const LOCATIONS: &[CredentialLocation] = &[CredentialLocation::Header(AUTHORIZATION)];
const MAX_TOKENS: u64 = 1000;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "oauth2_client_credentials"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<Oauth2ClientCredentialsConfig>())
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        let config: Oauth2ClientCredentialsConfig = decode(node)?;
        let service = Service::at(side_url::read("token_url", &config.token_url, node, context)?);
        if config.retry.is_some() {
            context.warn(retry_without_effect(node.origin_of("retry")));
        }
        let max_tokens = max_entries(config.cache.max_tokens, MAX_TOKENS, ("cache.max_tokens", node), context);
        let ttl = config.cache.ttl.map(|GoDuration(ttl)| ttl).filter(|ttl| !ttl.is_zero());
        let scope = TokenEndpoint::scope_of(&config.required_scope);
        let outside = context.outside;
        let cache = max_tokens.filter(|_| config.cache.enabled).map(|max_tokens| {
            let settings =
                serde_json::json!([service.url(), scope, ttl.map(|ttl| ttl.as_nanos().to_string()), max_tokens]);
            context.shared.get_or_make(&settings.to_string(), || LookupCache::new(max_tokens, outside))
        });
        Ok(Box::new(Oauth2ClientCredentials {
            endpoint: TokenEndpoint { service, scope, audience: String::new() },
            side: context.outside.side.clone(),
            ttl,
            cache,
        }))
    }
}

impl Authenticator for Oauth2ClientCredentials {
    fn authenticate<'a>(&'a self, request: &'a GatedRequest, _: UnixTime) -> Step<'a, Result<Authentication, Denial>> {
        let client = match basic::read(request.headers()) {
            basic::Found::Nothing => return Step::Ready(Ok(Authentication::NotResponsible)),
            basic::Found::Broken => return Step::Ready(Err(Denial::unauthorized(Reason::TokenMalformed).because(""))),
            basic::Found::Credentials(client) => client,
        };
        let Some(cache) = &self.cache else {
            return Step::Pending(Box::pin(async move {
                self.ask(&client).await?;
                Ok(established(client))
            }));
        };
        let key = cache.key([
            &*self.endpoint.service.url(),
            self.endpoint.scope.as_deref().unwrap_or_default(),
            &client.id,
            client.secret.expose(),
        ]);
        if cache.fresh(&key).is_some() {
            return Step::Ready(Ok(established(client)));
        }
        Step::Pending(Box::pin(async move {
            match cache.look_up(&key, self.ask(&client)).await {
                Ok(()) => Ok(established(client)),
                Err(denial) => Err((*denial).clone()),
            }
        }))
    }

    fn credential_locations(&self) -> &[CredentialLocation] {
        LOCATIONS
    }
}

impl Oauth2ClientCredentials {
    async fn ask(&self, client: &ClientCredentials) -> Result<Found<()>, Denial> {
        let request = self.endpoint.request(client, ClientStyle::Header);
        let answer = self.side.call(request, &CallPolicy::ONCE).await;
        let lifetime = read(answer, &self.endpoint.service.shown())?;
        Ok(Found { value: (), lifetime: remembered(self.ttl, lifetime), bytes: 0 })
    }
}

/// How long a token lives that says so, out of what a token endpoint answered or did not.
fn read(answer: Result<SideAnswer, SideError>, shown: &str) -> Result<Option<Duration>, Denial> {
    let unavailable = |detail: String| {
        let denial = Denial::new(ErrorKind::UpstreamUnavailable, Reason::SideServiceFailed);
        denial.because("").detail(format!("token endpoint `{shown}`: {detail}"))
    };
    let answer = answer.map_err(|error| unavailable(error.to_string()))?;
    let refusal = match token_endpoint::read(&answer) {
        Ok(token) => return Ok(token.lifetime),
        Err(refusal) => refusal,
    };
    let text = refusal.told();
    let said = format!("token endpoint `{shown}`: {}", text.replace('\n', ", "));
    let (kind, reason) = match &refusal {
        Refusal::Refused { status, .. } => match *status {
            StatusCode::TOO_MANY_REQUESTS => return Err(too_many_requests(&answer.headers, said)),
            StatusCode::SERVICE_UNAVAILABLE => (ErrorKind::UpstreamUnavailable, Reason::SideServiceFailed),
            StatusCode::INTERNAL_SERVER_ERROR => (ErrorKind::UpstreamFailed, Reason::SideServiceFailed),
            StatusCode::GATEWAY_TIMEOUT => (ErrorKind::UpstreamTimeout, Reason::SideServiceFailed),
            StatusCode::NOT_FOUND => (ErrorKind::UpstreamNotFound, Reason::SideServiceFailed),
            status if status.is_redirection() => {
                return Err(unavailable(format!("{status}; redirects are not followed, name the endpoint itself")));
            }
            _ => (ErrorKind::Unauthorized, Reason::CredentialRefused),
        },
        Refusal::NoToken | Refusal::Unreadable(_) => (ErrorKind::UpstreamUnavailable, Reason::SideServiceFailed),
    };
    let denial = Denial::new(kind, reason).because("").detail(said);
    let message = format!("{text}: {}", denial.message);
    Err(denial.told(message))
}

/// How long that a client got a token may count.
fn remembered(ttl: Option<Duration>, lifetime: Option<Duration>) -> Duration {
    match (ttl, lifetime) {
        (Some(ttl), Some(lifetime)) => ttl.min(lifetime),
        (Some(_), None) => Duration::ZERO,
        (None, Some(lifetime)) => lifetime,
        (None, None) => DEFAULT_LIFETIME,
    }
}

fn established(client: ClientCredentials) -> Authentication {
    Authentication::Established(Session::of(&client.id))
}
