//! `jwt`: checks a signed JSON Web Token (pipeline spec 2.6; product rules on lifetime, audience, keys).

use std::sync::Arc;
use std::time::Duration;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::duration::{ComposedDuration, GoDuration};
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::jwt::claims::{ClaimRules, VerifiedToken};
use keyward_core::jwt::scope::ScopeStrategy;
use keyward_core::jwt::token::has_three_parts;
use keyward_core::jwt::verify::TokenVerifier;
use keyward_core::jwt::{ALGORITHMS, Algorithm, algorithm};
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{
    Authentication, Authenticator, AuthenticatorKind, BindContext, CredentialLocation, HandlerKind,
};
use keyward_core::ports::UnixTime;
use keyward_core::secret::shown_url;

use crate::token_location::{self, TokenFromShape};

/// Settings of `jwt`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Where the issuers' key sets are: `https`, `http` or `file` URLs.
    pub jwks_urls: Vec<String>,
    /// Algorithms a token may be signed with; RS256 when empty. `none` is never one of them.
    #[serde(default)]
    pub allowed_algorithms: Vec<String>,
    /// Scopes the token must grant, all of them.
    #[serde(default)]
    pub required_scope: Vec<String>,
    /// How scopes are compared. Not set: `exact` when a scope is required.
    #[serde(default)]
    pub scope_strategy: Option<ScopeStrategy>,
    /// Audiences the token must name, all of them.
    #[serde(default)]
    pub target_audience: Vec<String>,
    /// Issuers, one of which the token must name.
    #[serde(default)]
    pub trusted_issuers: Vec<String>,
    /// Where the token stands: one place, or an ordered list. Not set: the bearer token.
    #[serde(default)]
    #[schemars(with = "Option<TokenFromShape>")]
    pub token_from: Option<Node>,
    /// How long a request waits for key sets. Global only.
    #[serde(default)]
    pub jwks_max_wait: Option<ComposedDuration>,
    /// How old key sets may be before they are fetched again. Global only.
    #[serde(default)]
    pub jwks_ttl: Option<ComposedDuration>,
    /// Extension: how long key sets that should be fetched again, and cannot be, go on counting; one hour when not set,
    /// at least `10s`. Global only.
    #[serde(default)]
    pub jwks_max_stale: Option<ComposedDuration>,
    /// Extension: tolerance on `exp`, `nbf` and `iat`.
    #[serde(default)]
    pub clock_skew: Option<GoDuration>,
    /// Extension: the longest time from `iat` to `exp`.
    #[serde(default)]
    pub max_token_age: Option<GoDuration>,
    /// Extension: accept tokens that never expire.
    #[serde(default)]
    pub insecure_allow_missing_exp: bool,
}

/// Ready to run.
pub struct Jwt {
    verifier: TokenVerifier,
    rules: ClaimRules,
    locations: Box<[CredentialLocation]>,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "jwt"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<JwtConfig>())
    }

    fn global_settings(&self) -> &'static [&'static str] {
        &["jwks_max_stale", "jwks_max_wait", "jwks_ttl"]
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        let config: JwtConfig = decode(node)?;
        let algorithms = algorithms(&config.allowed_algorithms, node.origin_of("allowed_algorithms"), context)?;
        let urls = node.origin_of("jwks_urls");
        if config.jwks_urls.is_empty() {
            return Err(Diagnostic::error("`jwks_urls` is empty").at(urls).hint("name the issuer's key set"));
        }
        let symmetric =
            algorithms.iter().any(|one| matches!(one, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512));
        if let Some(url) = config.jwks_urls.iter().find(|url| symmetric && is_plain(url)) {
            return Err(Diagnostic::error(format!("HS* keys must not travel over plain http: `{}`", shown_url(url)))
                .at(urls)
                .hint("use https or a file, or allow asymmetric algorithms only"));
        }
        let sources = config.jwks_urls.iter().map(|url| context.outside.keys.open(url)).collect::<Result<Vec<_>, _>>();
        let sources = sources.map_err(|problem| Diagnostic::error(problem).at(urls))?;
        if config.trusted_issuers.is_empty() {
            context.warn(
                Diagnostic::warning(
                    "`trusted_issuers` is empty: a token of any issuer whose key is in the set is accepted",
                )
                .at(&node.origin),
            );
        }
        if config.target_audience.is_empty() {
            context.warn(
                Diagnostic::warning("`target_audience` is empty: a token meant for another service is accepted")
                    .at(&node.origin),
            );
        }
        let duration = |value: Option<GoDuration>| value.map(|GoDuration(value)| value);
        // With nothing required the strategy does not matter; an explicit `none` never grants a scope.
        let scope_strategy = config.scope_strategy.unwrap_or(ScopeStrategy::Exact);
        Ok(Box::new(Jwt {
            verifier: TokenVerifier::new(sources, algorithms, Arc::clone(&context.outside.tokens)),
            rules: ClaimRules {
                trusted_issuers: config.trusted_issuers.into(),
                target_audience: config.target_audience.into(),
                required_scope: config.required_scope.into(),
                scope_strategy,
                clock_skew: duration(config.clock_skew).unwrap_or(Duration::ZERO),
                max_token_age: duration(config.max_token_age),
                insecure_allow_missing_exp: config.insecure_allow_missing_exp,
            },
            locations: token_location::compile(config.token_from.as_ref())?.into(),
        }))
    }
}

impl Authenticator for Jwt {
    fn authenticate<'a>(
        &'a self,
        request: &'a GatedRequest,
        now: UnixTime,
    ) -> Step<'a, Result<Authentication, Denial>> {
        let Some(token) = token_location::find_bytes(&self.locations, request) else {
            return Step::Ready(Ok(Authentication::NotResponsible));
        };
        if let Some(known) = self.verifier.known(&token) {
            return Step::Ready(self.conclude(Ok(known), now));
        }
        let Some(token) = token_location::text(token).filter(|token| has_three_parts(token)) else {
            return Step::Ready(Ok(Authentication::NotResponsible));
        };
        match token {
            std::borrow::Cow::Borrowed(token) => match self.verifier.verify(token) {
                // A signature was checked, if the token had the form of one.
                Step::Ready(outcome) => Step::after_others(self.conclude(outcome, now)),
                Step::Pending(verified) => Step::Pending(Box::pin(async move { self.conclude(verified.await, now) })),
            },
            // A token out of the query is decoded text that this step has to own.
            std::borrow::Cow::Owned(token) => Step::Pending(Box::pin(async move {
                let outcome = self.verifier.verify(&token).finish().await;
                self.conclude(outcome, now)
            })),
        }
    }

    fn credential_locations(&self) -> &[CredentialLocation] {
        &self.locations
    }
}

impl Jwt {
    /// Claims are checked on every request, whether the signature was cached or not.
    fn conclude(&self, outcome: Result<VerifiedToken, Reason>, now: UnixTime) -> Result<Authentication, Denial> {
        let token = outcome.map_err(Denial::unauthorized)?;
        match self.rules.check(&token, now) {
            Ok(()) => Ok(Authentication::Established(token.into_session())),
            Err(reason) => Err(Denial::unauthorized(reason).of(token.caller().clone())),
        }
    }
}

/// Whether a URL is read over plain http.
fn is_plain(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("http"))
}

/// What is not known here is left out: a token that is signed with it is refused, as in the reference.
fn algorithms(names: &[String], place: &Origin, context: &BindContext<'_>) -> Result<Vec<Algorithm>, Diagnostic> {
    if names.is_empty() {
        return Ok(vec![Algorithm::RS256]);
    }
    let known: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    let hint = format!("use one of {}", known.join(", "));
    let allowed: Vec<Algorithm> = names.iter().filter_map(|name| algorithm(name)).collect();
    let unknown: Vec<&str> = names.iter().map(String::as_str).filter(|name| algorithm(name).is_none()).collect();
    let text = format!("algorithm `{}` is not supported", unknown.join("`, `"));
    if allowed.is_empty() {
        return Err(Diagnostic::error(text).at(place).hint(hint));
    }
    if !unknown.is_empty() {
        let finding = Diagnostic::warning(format!("{text}: tokens that are signed with it are refused"));
        context.warn(finding.at(place).hint(hint));
    }
    Ok(allowed)
}
