//! `id_token`: gives the upstream a token that this proxy signs (pipeline spec 5.4, 8.4).

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::jwt::SigningSet;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{BindContext, HandlerKind, Mutator, MutatorKind};
use keyward_core::ports::{Clock, Random, SigningSource, UnixTime};
use keyward_core::session::Session;
use serde_json::{Map, Value};

use crate::decoder_text;
use crate::lookup_cache::{Found, LookupCache};
use crate::rendered::Rendered;

/// Settings of `id_token`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdTokenConfig {
    /// The `iss` of tokens.
    pub issuer_url: String,
    /// Where the signing keys are: an `https`, `http` or `file` URL of a key set.
    pub jwks_url: String,
    /// How long tokens live; 15m when not set.
    #[serde(default)]
    pub ttl: Option<GoDuration>,
    /// Further claims, as a template that renders to a JSON object. `iss`, `sub`, `exp`, `iat`, `nbf` and
    /// `jti` cannot be set. Write texts with `toJson`: they are not escaped.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub claims: Option<Node>,
}

/// Ready to run.
pub struct IdToken {
    issuer: String,
    ttl: Duration,
    claims: Option<Rendered>,
    keys: Arc<dyn SigningSource>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    tokens: Arc<LookupCache<HeaderValue>>,
}

/// The row of the table.
pub struct Kind;

/// Signed tokens that are remembered under one set of settings.
const MAX_TOKENS: u64 = 100_000;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "id_token"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<IdTokenConfig>())
    }
}

impl MutatorKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Mutator>, Diagnostic> {
        let config: IdTokenConfig = decode(node)?;
        let outside = context.outside;
        let keys = outside
            .keys
            .open_signing(&config.jwks_url)
            .map_err(|problem| Diagnostic::error(format!("`jwks_url`: {problem}")).at(node.origin_of("jwks_url")))?;
        let ttl = config.ttl.map_or(Duration::from_secs(15 * 60), |GoDuration(ttl)| ttl);
        let claims = Rendered::compile_given("claims", config.claims.as_ref(), context)?;
        if let Some(claims) = &claims
            && let Some(text) = claims.template.constant()
        {
            object(text)
                .map_err(|text| Diagnostic::error(format!("`claims`: {text}")).at(&claims.place.origin).told(text))?;
        }
        let settings = serde_json::json!([config.issuer_url, config.jwks_url, ttl.as_nanos().to_string()]);
        let tokens = context.shared.get_or_make(&settings.to_string(), || LookupCache::new(MAX_TOKENS, outside));
        Ok(Box::new(IdToken {
            issuer: config.issuer_url,
            ttl,
            claims,
            keys,
            clock: outside.clock.clone(),
            random: outside.random.clone(),
            tokens,
        }))
    }
}

impl Mutator for IdToken {
    fn mutate<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        let claims = match self.rendered_claims(request, session) {
            Ok(claims) => claims,
            Err(denial) => return Step::Ready(Err(denial)),
        };
        match self.keys.current() {
            Some(set) => Step::Ready(self.set(session, &claims, &set)),
            None => Step::Pending(Box::pin(async move {
                self.keys.refresh().await;
                let set = self.keys.current().ok_or_else(|| {
                    Denial::internal(Reason::KeyUnavailable, "there is no usable signing key at `jwks_url`")
                        .because("None of the provided URLs returned a valid JSON Web Key Set.")
                })?;
                self.set(session, &claims, &set)
            })),
        }
    }

    fn reads_captures(&self) -> bool {
        self.claims.as_ref().is_some_and(|claims| claims.template.reads_captures())
    }

    fn written_headers(&self) -> Vec<HeaderName> {
        vec![AUTHORIZATION]
    }

    fn credential_headers(&self) -> Vec<HeaderName> {
        vec![AUTHORIZATION]
    }

    fn signing_source(&self) -> Option<&Arc<dyn SigningSource>> {
        Some(&self.keys)
    }
}

impl IdToken {
    fn rendered_claims(&self, request: &GatedRequest, session: &Session) -> Result<String, Denial> {
        match &self.claims {
            Some(claims) => claims.render(request, session),
            None => Ok("{}".to_owned()),
        }
    }

    /// The same session gets the same token until nine tenths of its life have passed, as long as the keys
    /// are the same.
    fn set(&self, session: &mut Session, claims: &str, set: &SigningSet) -> Result<(), Denial> {
        let revision = set.revision().to_string();
        let key = self.tokens.key([claims, session.caller.subject(), &revision]);
        let token = match self.tokens.fresh(&key) {
            Some(token) => token,
            None => {
                let token = self.sign(claims, session.caller.subject(), set)?;
                let lifetime = self.ttl - self.ttl / 10;
                self.tokens.insert(&key, Found { bytes: token.len(), value: token.clone(), lifetime });
                token
            }
        };
        session.set_header(AUTHORIZATION, token);
        Ok(())
    }

    fn sign(&self, claims: &str, subject: &str, set: &SigningSet) -> Result<HeaderValue, Denial> {
        let mut claims = object(claims).map_err(|text| {
            Denial::internal(Reason::MutationFailed, format!("`claims`: {text}")).because("").told(text)
        })?;
        let now = self.clock.unix().as_secs();
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        for (name, value) in [
            ("exp", Value::from(now.saturating_add(self.ttl.as_secs()))),
            ("jti", id.to_string().into()),
            ("iat", now.into()),
            ("nbf", now.into()),
            ("iss", self.issuer.as_str().into()),
            ("sub", subject.into()),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let failed = |what: String| Denial::internal(Reason::MutationFailed, what).because("");
        let signer = set.signer().map_err(|problem| {
            Denial::internal(Reason::KeyUnavailable, format!("the key set at `jwks_url`: {problem}")).because("")
        })?;
        let token = signer.sign(&Value::Object(claims)).map_err(|error| failed(error.to_string()))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| failed(error.to_string()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Rendered claims must be a JSON object. The error is what the reference tells callers.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    match decoder_text::read_text(text.as_bytes())? {
        Value::Object(claims) => Ok(claims),
        other => Err(decoder_text::of_value(&other, "jwt.MapClaims")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bench::{Bench, ready, request};
    use keyward_core::jwt::generate::generate;
    use keyward_core::ports::UnixTime;
    use serde_json::json;

    fn keys(id: &str) -> Arc<SigningSet> {
        let document = json!({"keys": [generate("ES256", id, 0).unwrap()]});
        Arc::new(SigningSet::parse(document.to_string().as_bytes()).unwrap())
    }

    fn token(bench: &Bench, config: &Value, subject: &str, extra: &str) -> HeaderValue {
        let mut session = Session::of(subject);
        session.extra = json!({"k": extra}).as_object().cloned().unwrap().into();
        let handler = bench.bind_mutator(&Kind, config);
        ready(handler.mutate(&request(""), &mut session, UnixTime(0)).finish()).unwrap();
        session.header[AUTHORIZATION].clone()
    }

    /// [T] of pipeline spec 8.4. The random parts of tokens are not random here: what is signed again differs
    /// by its time and by its signature.
    #[test]
    fn a_token_is_used_again_while_a_tenth_of_its_life_is_left() {
        let base = json!({"issuer_url": "i", "jwks_url": "file:///a", "ttl": "100ms", "claims": "{\"c\": \"{{ .Extra.k }}\"}"});
        let with = |key: &str, value: &str| {
            let mut config = base.clone();
            config[key] = json!(value);
            config
        };
        // Settings of the second call, subject, extra data, milliseconds between, whether the token is the same.
        let rows = [
            (base.clone(), "s", "x", 10, true),
            (base.clone(), "s", "x", 89, true),
            (base.clone(), "s", "x", 90, false),
            (base.clone(), "s", "x", 150, false),
            (base.clone(), "other", "x", 0, false),
            (base.clone(), "s", "other", 0, false),
            (with("claims", "{\"d\": \"x\"}"), "s", "x", 0, false),
            (with("claims", "{\"c\": \"x\"}"), "s", "x", 0, true),
            (with("ttl", "200ms"), "s", "x", 0, false),
            (with("issuer_url", "j"), "s", "x", 0, false),
            (with("jwks_url", "file:///b"), "s", "x", 0, false),
        ];
        for (config, subject, extra, millis, same) in rows {
            let bench = Bench::new(&[]);
            bench
                .world
                .signing
                .lock()
                .unwrap()
                .extend([("file:///a".into(), keys("a")), ("file:///b".into(), keys("b"))]);
            let first = token(&bench, &base, "s", "x");
            bench.pass(millis);
            let second = token(&bench, &config, subject, extra);
            assert_eq!(first == second, same, "{config} {subject} {extra} {millis}");
        }
        let bench = Bench::new(&[]);
        bench.world.signing.lock().unwrap().insert("file:///a".into(), keys("a"));
        let short = with("ttl", "1ms");
        let first = token(&bench, &short, "s", "x");
        bench.pass(1);
        assert_ne!(first, token(&bench, &short, "s", "x"));
    }

    /// Rules are shown without what is written there, and audit records say where a credential was.
    #[test]
    fn its_token_is_a_credential_in_authorization() {
        let bench = Bench::new(&[]);
        let bound = bench.bind_mutator(&Kind, &json!({"issuer_url": "i", "jwks_url": "file:///a"}));
        assert_eq!((bound.written_headers(), bound.credential_headers()), (vec![AUTHORIZATION], vec![AUTHORIZATION]));
    }

    /// The reference notices it when entries have aged.
    #[test]
    fn new_keys_sign_at_once() {
        let bench = Bench::new(&[]);
        let config = json!({"issuer_url": "i", "jwks_url": "file:///a"});
        bench.world.signing.lock().unwrap().insert("file:///a".into(), keys("a"));
        let first = token(&bench, &config, "s", "x");
        assert_eq!(first, token(&bench, &config, "s", "x"));
        bench.world.signing.lock().unwrap().insert("file:///a".into(), keys("b"));
        assert_ne!(first, token(&bench, &config, "s", "x"));
    }
}
