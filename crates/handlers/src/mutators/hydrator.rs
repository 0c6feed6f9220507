//! `hydrator`: lets an API complete the session (pipeline spec 5.5, 8.5).

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::go_json;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{BindContext, HandlerKind, Mutator, MutatorKind};
use keyward_core::ports::{CallPolicy, SideClient, SideRequest, UnixTime};
use keyward_core::session::Session;
use keyward_core::side_url::{SideUrl, basic_credentials};
use keyward_core::template::TemplateData;

use crate::form;
use crate::lookup_cache::{Found, LookupCache, settings_digest};
use crate::retry::{MAX_ATTEMPT, MAX_WAIT, bounded};
use crate::session_json::Hydrated;
use crate::side_url;

/// Settings of `hydrator`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HydratorConfig {
    /// The API.
    pub api: ApiConfig,
    /// Whether answers may be used again.
    #[serde(default)]
    pub cache: CacheConfig,
}

/// The API and how it is called.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiConfig {
    /// An `https` or `http` URL. Its query is replaced by the caller's.
    pub url: String,
    /// How this proxy authenticates itself to the API.
    #[serde(default)]
    pub auth: Option<AuthConfig>,
    /// Waits and time limits.
    #[serde(default)]
    pub retry: RetryConfig,
}

/// Ways to authenticate.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// HTTP Basic.
    #[serde(default)]
    pub basic: Option<BasicConfig>,
}

/// A user and a password.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for BasicConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicConfig").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Five attempts are made, as in the reference.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// The longest wait before another attempt; 100ms when not set, 30s at most.
    #[serde(default)]
    pub max_delay: Option<GoDuration>,
    /// How long one attempt may take; 1s when not set, 60s at most and when zero.
    #[serde(default)]
    pub give_up_after: Option<GoDuration>,
}

/// What is remembered of answers. The whole session, with method, URL and headers, decides which one fits.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// Remember answers.
    #[serde(default)]
    pub enabled: bool,
    /// For how long; 1m when not set or zero.
    #[serde(default)]
    pub ttl: Option<GoDuration>,
}

/// Ready to run.
pub struct Hydrator {
    side: Arc<dyn SideClient>,
    url: SideUrl,
    authorization: Option<HeaderValue>,
    policy: CallPolicy,
    ttl: Duration,
    cache: Option<Arc<LookupCache<Arc<Hydrated>>>>,
}

/// The row of the table.
pub struct Kind;

/// Sessions that are remembered under one set of settings; their size is bounded as well.
const MAX_SESSIONS: u64 = 100_000;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "hydrator"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<HydratorConfig>())
    }
}

impl MutatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Mutator>, Diagnostic> {
        let HydratorConfig { api, cache } = decode(node)?;
        let url = side_url::read("api.url", &api.url, node, context)?;
        if url.query().is_some_and(|query| !query.is_empty()) {
            let text = "the query of `api.url` has no effect, as in Oathkeeper: the caller's takes its place";
            context.warn(Diagnostic::warning(text).at(node.origin_of("api.url")).hint("remove it"));
        }
        let basic = api.auth.and_then(|auth| auth.basic);
        let authorization = basic.map(|own| basic_credentials(own.username.as_bytes(), own.password.as_bytes()));
        let place = ("api.retry.max_delay", node);
        let max_wait = bounded(api.retry.max_delay, Duration::from_millis(100), MAX_WAIT, place, context);
        let place = ("api.retry.give_up_after", node);
        // As in the reference, no time at all means no limit of its own.
        let attempt_timeout =
            match bounded(api.retry.give_up_after, Duration::from_secs(1), MAX_ATTEMPT, place, context) {
                Duration::ZERO => MAX_ATTEMPT,
                written => written,
            };
        let ttl = cache.ttl.map(|GoDuration(ttl)| ttl).filter(|ttl| !ttl.is_zero()).unwrap_or(Duration::from_secs(60));
        let outside = context.outside;
        let settings = fingerprint(&api.url, authorization.as_ref(), ttl);
        Ok(Box::new(Hydrator {
            side: outside.side.clone(),
            url,
            authorization,
            policy: CallPolicy {
                attempts: 5,
                attempt_timeout,
                first_wait: Duration::from_secs(1),
                max_wait,
                max_body: CallPolicy::ONCE.max_body,
            },
            ttl,
            cache: cache
                .enabled
                .then(|| context.shared.get_or_make(&settings, || LookupCache::new(MAX_SESSIONS, outside))),
        }))
    }
}

/// Names everything in the settings that an answer, or how long it counts, depends on. A digest: the
/// settings hold a password.
fn fingerprint(url: &str, authorization: Option<&HeaderValue>, ttl: Duration) -> String {
    let authorization = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
    settings_digest(&serde_json::json!([url, authorization, ttl.as_nanos().to_string()]))
}

impl Mutator for Hydrator {
    fn mutate<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        Step::Pending(Box::pin(self.hydrate(request, session)))
    }

    fn reads_captures(&self) -> bool {
        true
    }
}

impl Hydrator {
    async fn hydrate(&self, request: &GatedRequest, session: &mut Session) -> Result<(), Denial> {
        let composed = session.composed_headers(request);
        let call = self.call(request, session);
        let hydrated = match &self.cache {
            None => self.ask(call, session.caller.subject()).await?.value,
            Some(cache) => {
                let key = cache.key(said(&call));
                match cache.fresh(&key) {
                    Some(hydrated) => hydrated,
                    None => {
                        let asked = self.ask(call, session.caller.subject());
                        cache.look_up(&key, asked).await.map_err(|denial| (*denial).clone())?
                    }
                }
            }
        };
        hydrated.replace(session, &composed);
        Ok(())
    }

    fn call(&self, request: &GatedRequest, session: &Session) -> SideRequest {
        let mut url = self.url.shown();
        if let Some(query) = request.query().filter(|query| !query.is_empty()) {
            // As the reference writes it again.
            url.extend(["?", &form::write(form::parse(query))]);
        }
        let mut headers: HeaderMap = request.headers().clone();
        // A compressed answer could not be read; the others describe the caller's own message.
        for name in [ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST] {
            headers.remove(name);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.url.authorize(&mut headers);
        let header = session.shown_headers(request);
        let data = TemplateData { header: &header, ..TemplateData::new(session, request) };
        let body = go_json::encode(&data.to_json());
        SideRequest { method: Method::POST, url, headers, body: body.into() }
    }

    async fn ask(&self, call: SideRequest, subject: &str) -> Result<Found<Arc<Hydrated>>, Denial> {
        let answer = self.side.call(call, &self.policy).await.map_err(|error| self.failed(&error.to_string()))?;
        let told = match answer.status {
            StatusCode::OK => None,
            StatusCode::UNAUTHORIZED if self.authorization.is_some() => {
                Some("Invalid credentials were provided in mutator configuration")
            }
            StatusCode::UNAUTHORIZED => Some("No credentials were provided in mutator configuration"),
            _ => Some("The call to an external API returned a non-200 HTTP response"),
        };
        if let Some(told) = told {
            return Err(self.failed(&format!("status {}", answer.status.as_u16())).told(told));
        }
        let hydrated = Hydrated::read(&answer.body).map_err(|text| self.failed(&text).told(text))?;
        if hydrated.subject != subject {
            let told = "The call to an external API returned an invalid JSON object";
            return Err(self.failed("the answer names another subject").told(told));
        }
        Ok(Found { value: Arc::new(hydrated), lifetime: self.ttl, bytes: answer.body.len() * 2 })
    }

    fn failed(&self, what: &str) -> Denial {
        Denial::internal(Reason::SideServiceFailed, format!("hydrator `{}`: {what}", self.url.shown())).because("")
    }
}

/// Everything a call says, this proxy's credentials included: only what is asked alike is answered alike
/// (GHSA-4mq7-pvjg-xp2r).
fn said(call: &SideRequest) -> Vec<&[u8]> {
    let mut said = vec![call.url.as_bytes(), &call.body];
    for (name, value) in &call.headers {
        said.extend([name.as_str().as_bytes(), value.as_bytes()]);
    }
    said
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bench::{Bench, ready, request};
    use serde_json::{Value, json};

    fn config(cache: &Value) -> Value {
        json!({"api": {"url": "http://hydrator/"}, "cache": cache})
    }

    fn calls_for(bench: &Bench, handler: &dyn Mutator) -> usize {
        let before = bench.world.calls.lock().unwrap().len();
        let mut session = Session::of("s");
        ready(handler.mutate(&request(""), &mut session, UnixTime(0)).finish()).unwrap();
        bench.world.calls.lock().unwrap().len() - before
    }

    #[test]
    fn an_answer_is_used_again_for_as_long_as_its_own_rule_says() {
        let answer = [(200, json!({"subject": "s", "extra": {}, "header": {}}))];
        // Settings of the cache, milliseconds between two calls, how many are made.
        let rows = [
            (json!({}), 0, 2),
            (json!({"enabled": true}), 59_000, 1),
            (json!({"enabled": true}), 61_000, 2),
            (json!({"enabled": true, "ttl": "0s"}), 59_000, 1),
            (json!({"enabled": true, "ttl": "0s"}), 61_000, 2),
            (json!({"enabled": true, "ttl": "2m"}), 61_000, 1),
            (json!({"enabled": true, "ttl": "1s"}), 900, 1),
            (json!({"enabled": true, "ttl": "1s"}), 1_100, 2),
        ];
        for (cache, millis, calls) in rows {
            let bench = Bench::new(&answer);
            let handler = bench.bind_mutator(&Kind, &config(&cache));
            let first = calls_for(&bench, &*handler);
            bench.pass(millis);
            assert_eq!(first + calls_for(&bench, &*handler), calls, "{cache} {millis}");
        }
    }

    #[test]
    fn what_one_rule_keeps_for_long_is_not_taken_by_a_rule_that_keeps_it_for_a_moment() {
        let bench = Bench::new(&[(200, json!({"subject": "s", "extra": {}, "header": {}}))]);
        let long = bench.bind_mutator(&Kind, &config(&json!({"enabled": true, "ttl": "1h"})));
        let short = bench.bind_mutator(&Kind, &config(&json!({"enabled": true, "ttl": "1s"})));
        assert_eq!((calls_for(&bench, &*long), calls_for(&bench, &*short)), (1, 1));
        bench.pass(2_000);
        assert_eq!((calls_for(&bench, &*long), calls_for(&bench, &*short)), (0, 1));
    }

    /// A rule finds out captures only where somebody reads them.
    #[test]
    fn its_api_is_told_the_captures() {
        let bench = Bench::new(&[(200, json!({"subject": "s", "extra": {}, "header": {}}))]);
        let handler = bench.bind_mutator(&Kind, &config(&json!({})));
        let mut session = Session::of("s");
        session.captures = vec!["group".to_owned()];
        ready(handler.mutate(&request(""), &mut session, UnixTime(0)).finish()).unwrap();
        assert!(bench.world.calls.lock().unwrap()[0].contains(r#""regexp_capture_groups":["group"]"#));
        assert!(handler.reads_captures());
    }

    #[test]
    fn a_mebibyte_of_answer_is_read_and_no_more() {
        for (filler, expected) in [(1024 * 1024 - 100, true), (1024 * 1024, false)] {
            let bench = Bench::new(&[(200, json!({"subject": "s", "extra": {"x": "y".repeat(filler)}, "header": {}}))]);
            let handler = bench.bind_mutator(&Kind, &config(&json!({})));
            let outcome = ready(handler.mutate(&request(""), &mut Session::of("s"), UnixTime(0)).finish());
            assert_eq!(outcome.is_ok(), expected, "{filler}");
        }
    }
}
