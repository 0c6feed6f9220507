//! `oauth2_introspection`: asks the issuer about an opaque token (RFC 7662; pipeline spec 2.8, 8.3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::jwt::scope::ScopeStrategy;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{
    Authentication, Authenticator, AuthenticatorKind, BindContext, CredentialLocation, HandlerKind,
};
use keyward_core::ports::{CallPolicy, SideClient, UnixTime};
use keyward_core::secret::Secret;

use crate::form;
use crate::framing::is_framing;
use crate::lookup_cache::{DEFAULT_LIFETIME, Found, LookupCache, LookupKey, max_entries, settings_digest};
use crate::oauth2::basic::ClientCredentials;
use crate::oauth2::demands::Demands;
use crate::oauth2::introspected::Introspected;
use crate::oauth2::pre_authorization::PreAuthorization;
use crate::oauth2::service::{RetryConfig, Service, retry_without_effect};
use crate::oauth2::token_endpoint::TokenEndpoint;
use crate::rate_limit::too_many_requests;
use crate::side_url;
use crate::token_location::{self, TokenFromShape};

/// Settings of `oauth2_introspection`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2IntrospectionConfig {
    /// The introspection endpoint: an `https` or `http` URL.
    pub introspection_url: String,
    /// How scopes are compared; with `none` they are sent along, and the endpoint judges them.
    #[serde(default)]
    pub scope_strategy: Option<ScopeStrategy>,
    /// Scopes the token must grant, all of them.
    #[serde(default)]
    pub required_scope: Vec<String>,
    /// Audiences the token must name, all of them.
    #[serde(default)]
    pub target_audience: Vec<String>,
    /// Issuers, one of which the token must name.
    #[serde(default)]
    pub trusted_issuers: Vec<String>,
    /// How this proxy authenticates itself to the endpoint.
    #[serde(default)]
    pub pre_authorization: PreAuthorizationConfig,
    /// Where the token stands: one place, or an ordered list. Not set: the bearer token.
    #[serde(default)]
    #[schemars(with = "Option<TokenFromShape>")]
    pub token_from: Option<Node>,
    /// Tokens that begin otherwise are left to the next authenticator.
    #[serde(default)]
    pub prefix: String,
    /// Send the caller's `Host` along as `X-Forwarded-Host`.
    #[serde(default)]
    pub preserve_host: bool,
    /// Headers to send to the endpoint.
    #[serde(default)]
    pub introspection_request_headers: BTreeMap<String, String>,
    /// Without effect, as in Oathkeeper: there is one call of at most 10 s.
    #[serde(default)]
    pub retry: Option<RetryConfig>,
    /// Whether answers may be used again.
    #[serde(default)]
    pub cache: IntrospectionCacheConfig,
}

/// The client credentials grant for the call to the endpoint.
#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreAuthorizationConfig {
    /// Switch.
    #[serde(default)]
    pub enabled: bool,
    /// Client id.
    #[serde(default)]
    pub client_id: String,
    /// Client secret.
    #[serde(default)]
    pub client_secret: String,
    /// The token endpoint.
    #[serde(default)]
    pub token_url: Option<String>,
    /// Sent as `audience` when not empty.
    #[serde(default)]
    pub audience: String,
    /// Scopes to ask for.
    #[serde(default)]
    pub scope: Vec<String>,
}

impl std::fmt::Debug for PreAuthorizationConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreAuthorizationConfig").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// What is remembered of active tokens. Every demand is judged again each time.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionCacheConfig {
    /// Remember answers.
    #[serde(default)]
    pub enabled: bool,
    /// The longest time; the token's `exp` is a limit as well. Not set: until `exp`, or a minute without one.
    #[serde(default)]
    pub ttl: Option<GoDuration>,
    /// How many answers are remembered at most.
    #[serde(default)]
    pub max_cost: Option<i64>,
}

/// Ready to run.
pub struct Oauth2Introspection {
    service: Service,
    side: Arc<dyn SideClient>,
    demands: Demands,
    headers: HeaderMap,
    pre_authorization: Option<Arc<PreAuthorization>>,
    preserve_host: bool,
    prefix: String,
    locations: Vec<CredentialLocation>,
    ttl: Option<Duration>,
    cache: Option<Arc<LookupCache<Arc<Introspected>>>>,
}

/// The row of the table.
pub struct Kind;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const MAX_ENTRIES: u64 = 100_000_000;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "oauth2_introspection"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<Oauth2IntrospectionConfig>())
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        let config: Oauth2IntrospectionConfig = decode(node)?;
        let service = Service::at(side_url::read("introspection_url", &config.introspection_url, node, context)?);
        if config.retry.is_some() {
            context.warn(retry_without_effect(node.origin_of("retry")));
        }
        let max_entries = max_entries(config.cache.max_cost, MAX_ENTRIES, ("cache.max_cost", node), context);
        warn_about_what_is_left_open(&config, node, context);
        let ttl = config.cache.ttl.map(|GoDuration(ttl)| ttl).filter(|ttl| !ttl.is_zero());
        // What is shared between rules is shared under everything that the endpoint's answer depends on.
        let settings = fingerprint(&config, ttl, max_entries);
        let pre_authorization = match &config.pre_authorization {
            written if written.enabled => Some(pre_authorization(written, node, &settings, context)?),
            // As in the reference, a URL that is written must be one.
            PreAuthorizationConfig { token_url: Some(url), .. } => {
                side_url::read("pre_authorization.token_url", url, node, context)?;
                None
            }
            _ => None,
        };
        let outside = context.outside;
        let cache = max_entries
            .filter(|_| config.cache.enabled)
            .map(|most| context.shared.get_or_make(&settings, || LookupCache::new(most, outside)));
        Ok(Box::new(Oauth2Introspection {
            service,
            side: outside.side.clone(),
            headers: headers(&config.introspection_request_headers, node, context)?,
            demands: Demands {
                target_audience: config.target_audience,
                trusted_issuers: config.trusted_issuers,
                required_scope: config.required_scope,
                scope_strategy: config.scope_strategy.unwrap_or(ScopeStrategy::None),
            },
            pre_authorization,
            preserve_host: config.preserve_host,
            prefix: config.prefix,
            locations: token_location::compile(config.token_from.as_ref())?,
            ttl,
            cache,
        }))
    }
}

/// Names everything in the settings that an answer depends on. A digest: the settings hold a secret.
fn fingerprint(config: &Oauth2IntrospectionConfig, ttl: Option<Duration>, max_entries: Option<u64>) -> String {
    let pre = &config.pre_authorization;
    settings_digest(&serde_json::json!([
        config.introspection_url,
        [&pre.client_id, &pre.client_secret, pre.token_url.as_deref().unwrap_or_default(), &pre.audience],
        [pre.enabled, config.preserve_host],
        pre.scope,
        config.introspection_request_headers,
        ttl.map(|ttl| ttl.as_nanos().to_string()),
        max_entries,
    ]))
}

fn pre_authorization(
    config: &PreAuthorizationConfig,
    node: &Node,
    settings: &str,
    context: &BindContext<'_>,
) -> Result<Arc<PreAuthorization>, Diagnostic> {
    let url = config.token_url.as_deref().unwrap_or_default();
    let service = Service::at(side_url::read("pre_authorization.token_url", url, node, context)?);
    for (key, value) in [("client_id", &config.client_id), ("client_secret", &config.client_secret)] {
        if value.is_empty() {
            return Err(Diagnostic::error(format!("`pre_authorization.{key}` is missing"))
                .at(node.origin_of("pre_authorization")));
        }
    }
    let endpoint =
        TokenEndpoint { service, scope: TokenEndpoint::scope_of(&config.scope), audience: config.audience.clone() };
    let client = ClientCredentials { id: config.client_id.clone(), secret: Secret::new(config.client_secret.as_str()) };
    let outside = context.outside;
    Ok(context.shared.get_or_make(settings, || PreAuthorization::new(endpoint, client, outside)))
}

/// What works as in the reference and lets more through than may be meant.
fn warn_about_what_is_left_open(config: &Oauth2IntrospectionConfig, node: &Node, context: &BindContext<'_>) {
    if config.scope_strategy.is_none() && !config.required_scope.is_empty() {
        let text = "`required_scope` without `scope_strategy` is only sent along: an endpoint that does not look at \
                    `scope`, which RFC 7662 does not know, lets every active token pass";
        let hint = "set `scope_strategy: exact`, or `none` if the endpoint judges scopes";
        context.warn(Diagnostic::warning(text).at(node.origin_of("required_scope")).hint(hint));
    }
    if config.cache.enabled && config.cache.ttl.is_none_or(|GoDuration(ttl)| ttl.is_zero()) {
        let text = "`cache.enabled` without `cache.ttl`: a token that is revoked is good until it would have expired, \
                    or for a minute when the endpoint does not say when that is";
        context.warn(Diagnostic::warning(text).at(node.origin_of("cache.enabled")).hint("set `cache.ttl`"));
    }
    if config.trusted_issuers.is_empty() {
        let text = "`trusted_issuers` is empty: a token of any issuer that the endpoint knows is accepted";
        context.warn(Diagnostic::warning(text).at(&node.origin));
    }
    if config.target_audience.is_empty() {
        let text = "`target_audience` is empty: a token meant for another service is accepted";
        context.warn(Diagnostic::warning(text).at(&node.origin));
    }
}

fn headers(
    written: &BTreeMap<String, String>,
    node: &Node,
    context: &BindContext<'_>,
) -> Result<HeaderMap, Diagnostic> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let place = node.origin_of("introspection_request_headers");
        let refuse = |what: &str| {
            Err(Diagnostic::error(format!("`introspection_request_headers`: {what} of `{name}` is not usable"))
                .at(place))
        };
        let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else { return refuse("the name") };
        let Ok(mut value) = HeaderValue::from_str(value) else { return refuse("the value") };
        value.set_sensitive(true);
        if is_framing(&key) {
            // As in the reference, which sends its own.
            let text = format!("`introspection_request_headers`: `{key}` belongs to the connection and is ignored");
            context.warn(Diagnostic::warning(text).at(place));
            continue;
        }
        headers.insert(key, value);
    }
    Ok(headers)
}

impl Authenticator for Oauth2Introspection {
    fn authenticate<'a>(
        &'a self,
        request: &'a GatedRequest,
        now: UnixTime,
    ) -> Step<'a, Result<Authentication, Denial>> {
        let token = token_location::find(&self.locations, request).filter(|token| token.starts_with(&self.prefix));
        let Some(token) = token else { return Step::Ready(Ok(Authentication::NotResponsible)) };
        let host = if self.preserve_host { request.authority() } else { "" };
        let cache = self.cache.as_ref().filter(|_| !self.demands.leave_scope_to_the_endpoint());
        let Some(cache) = cache else {
            return Step::Pending(Box::pin(async move {
                let introspected = self.introspect(&token, host).await?;
                self.conclude(&introspected, now)
            }));
        };
        // Whether scopes are sent along, if only an empty list, may change the answer too.
        let sends_scope = if self.demands.scope_strategy == ScopeStrategy::None { "scope" } else { "" };
        let key = cache.key([&token, host, sends_scope]);
        if let Some(introspected) = cache.fresh(&key) {
            return Step::Ready(self.conclude(&introspected, now));
        }
        Step::Pending(Box::pin(async move { self.look_up(cache, &key, &token, host, now).await }))
    }

    fn credential_locations(&self) -> &[CredentialLocation] {
        &self.locations
    }
}

impl Oauth2Introspection {
    /// Every demand is judged here, whether the answer was remembered or not.
    fn conclude(&self, introspected: &Introspected, now: UnixTime) -> Result<Authentication, Denial> {
        self.demands.check(introspected, now.0)?;
        Ok(Authentication::Established(introspected.session()))
    }

    async fn look_up(
        &self,
        cache: &LookupCache<Arc<Introspected>>,
        key: &LookupKey,
        token: &str,
        host: &str,
        now: UnixTime,
    ) -> Result<Authentication, Denial> {
        let asked = async {
            let introspected = Arc::new(self.introspect(token, host).await?);
            // What this rule refuses is not remembered, as in the reference.
            let lifetime = match self.demands.check(&introspected, now.0) {
                Ok(()) => self.lifetime(&introspected, now),
                Err(_) => Duration::ZERO,
            };
            Ok(Found { bytes: introspected.bytes, value: introspected, lifetime })
        };
        match cache.look_up(key, asked).await {
            Ok(introspected) => self.conclude(&introspected, now),
            Err(denial) => Err((*denial).clone()),
        }
    }

    /// No answer outlives its token (the reference: only `cache.ttl` counts, and without it nothing does).
    fn lifetime(&self, introspected: &Introspected, now: UnixTime) -> Duration {
        let left = u64::try_from(introspected.expires.saturating_sub(now.0)).unwrap_or(0);
        match (self.ttl, introspected.expires > 0) {
            (Some(ttl), true) => ttl.min(Duration::from_secs(left)),
            (Some(ttl), false) => ttl,
            (None, true) => Duration::from_secs(left),
            (None, false) => DEFAULT_LIFETIME,
        }
    }

    async fn introspect(&self, token: &str, host: &str) -> Result<Introspected, Denial> {
        let mut headers = self.headers.clone();
        if self.preserve_host
            && let Ok(host) = HeaderValue::from_str(host)
        {
            headers.insert(FORWARDED_HOST, host);
        }
        if let Some(source) = &self.pre_authorization {
            headers.insert(AUTHORIZATION, source.header().await?);
        }
        let scope = self.demands.required_scope.join(" ");
        let mut fields = vec![("token", token)];
        if self.demands.scope_strategy == ScopeStrategy::None {
            fields.push(("scope", &scope));
        }
        let request = self.service.post(headers, form::encode(&mut fields));
        let shown = self.service.shown();
        let failed = |what: String| {
            Denial::internal(Reason::SideServiceFailed, format!("introspection endpoint `{shown}`: {what}"))
        };
        let answer = self.side.call(request, &CallPolicy::ONCE).await.map_err(|error| failed(error.to_string()))?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(too_many_requests(&answer.headers, format!("introspection endpoint `{shown}`: status 429")));
        }
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(source) = &self.pre_authorization
        {
            source.forget();
        }
        if answer.status != StatusCode::OK {
            let code = answer.status.as_u16();
            let text = format!("Introspection returned status code {code} but expected 200");
            return Err(failed(format!("status {code}")).because("").told(text));
        }
        Introspected::read(&answer.body).map_err(|text| failed(text.clone()).because("").told(text))
    }
}
