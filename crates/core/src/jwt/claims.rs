//! What a verified token says, and whether that suffices for a rule (pipeline spec 2.6, product rules).

use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::footprint::{self, COUNTERS, allocation};
use super::scope::ScopeStrategy;
use crate::pipeline::denial::Reason;
use crate::ports::UnixTime;
use crate::session::{Caller, Session};

/// A token whose signature was verified, in the shape that sessions need. Shared by reference.
#[derive(Debug)]
pub struct VerifiedToken {
    caller: Arc<Caller>,
    audience: Vec<String>,
    extra: Arc<Map<String, Value>>,
    times: Times,
}

/// Numeric dates, whole seconds (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) expires: Option<i64>,
    not_before: Option<i64>,
    issued: Option<i64>,
}

/// What a rule demands. Checked on every request, whether the signature check was cached or not.
#[derive(Clone, Debug)]
pub struct ClaimRules {
    /// `iss` must be one of these, when there are any.
    pub trusted_issuers: Box<[String]>,
    /// All of these must be in `aud`.
    pub target_audience: Box<[String]>,
    /// All of these must be granted.
    pub required_scope: Box<[String]>,
    /// How scopes are compared.
    pub scope_strategy: ScopeStrategy,
    /// Tolerance on every time check.
    pub clock_skew: Duration,
    /// The longest time from `iat` to `exp`.
    pub max_token_age: Option<Duration>,
    /// Accept tokens without `exp`.
    pub insecure_allow_missing_exp: bool,
}

impl VerifiedToken {
    /// Reads claims. A date of the wrong type is a malformed token, not an absent date
    /// (CVE-2026-25537).
    pub(super) fn read(mut claims: Map<String, Value>) -> Result<Self, Reason> {
        let times =
            Times { expires: date(&claims, "exp")?, not_before: date(&claims, "nbf")?, issued: date(&claims, "iat")? };
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = text("sub").unwrap_or_default().into();
        let issuer = text("iss").map(Arc::from);
        let audience = match claims.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(list)) => {
                list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>().unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let scopes = scopes(&mut claims);
        let caller = Arc::new(Caller { subject, issuer, scopes: scopes.into() });
        // It may be remembered for as long as the token is valid.
        let extra = Arc::new(footprint::without_spare_room(claims));
        Ok(Self { caller, audience, extra, times })
    }

    /// What it takes in memory, in bytes, roughly.
    pub(super) fn footprint(&self) -> usize {
        let Self { caller, audience, extra, times: _ } = self;
        let shared = |bytes| allocation(COUNTERS + bytes);
        shared(size_of::<Self>())
            + shared(size_of::<Caller>())
            + shared(caller.subject.len())
            + caller.issuer.as_ref().map_or(0, |issuer| shared(issuer.len()))
            + COUNTERS
            + footprint::of_texts(&caller.scopes)
            + footprint::of_texts(audience)
            + shared(size_of::<Map<String, Value>>())
            + footprint::of_members(extra)
    }

    /// Who the token speaks for.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The session it establishes.
    pub fn session(&self) -> Session {
        Session::remembered(self.caller.clone(), self.extra.clone())
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }
}

impl ClaimRules {
    /// Checks every demand; the first that fails is the reason.
    pub fn check(&self, token: &VerifiedToken, now: UnixTime) -> Result<(), Reason> {
        self.check_times(token.times, now)?;
        if !self.target_audience.iter().all(|wanted| token.audience.contains(wanted)) {
            return Err(Reason::AudienceMismatch);
        }
        let issuer = token.caller.issuer.as_deref().unwrap_or_default();
        if !self.trusted_issuers.is_empty() && !self.trusted_issuers.iter().any(|trusted| trusted == issuer) {
            return Err(Reason::IssuerUntrusted);
        }
        let granted = &token.caller.scopes;
        let covered = |required: &String| granted.iter().any(|given| self.scope_strategy.covers(given, required));
        if self.required_scope.iter().all(covered) { Ok(()) } else { Err(Reason::InsufficientScope) }
    }

    fn check_times(&self, times: Times, UnixTime(now): UnixTime) -> Result<(), Reason> {
        let skew = i64::try_from(self.clock_skew.as_secs()).unwrap_or(i64::MAX);
        match times.expires {
            Some(expires) if now >= expires.saturating_add(skew) => return Err(Reason::TokenExpired),
            None if !self.insecure_allow_missing_exp => return Err(Reason::TokenLifetime),
            _ => {}
        }
        let early = |date: Option<i64>| date.is_some_and(|date| now.saturating_add(skew) < date);
        if early(times.not_before) || early(times.issued) {
            return Err(Reason::TokenNotYetValid);
        }
        if let Some(limit) = self.max_token_age {
            let lifetime = match (times.issued, times.expires) {
                (Some(issued), Some(expires)) => expires.saturating_sub(issued),
                _ => return Err(Reason::TokenLifetime),
            };
            if lifetime > i64::try_from(limit.as_secs()).unwrap_or(i64::MAX) {
                return Err(Reason::TokenLifetime);
            }
        }
        Ok(())
    }
}

/// A NumericDate: a JSON number within reach of a clock. Fractions are cut.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_i64().or_else(|| {
                let seconds = number.as_f64()?;
                #[allow(clippy::cast_possible_truncation)]
                (seconds.abs() < 1e15).then_some(seconds as i64)
            });
            seconds.map(Some).ok_or(Reason::TokenMalformed)
        }
        Some(_) => Err(Reason::TokenMalformed),
    }
}

/// The first of `scp`, `scope`, `scopes` that exists, as a list; in the claims it becomes `scp`.
fn scopes(claims: &mut Map<String, Value>) -> Vec<String> {
    let name = ["scp", "scope", "scopes"].into_iter().find(|name| claims.contains_key(*name));
    let scopes = match name.and_then(|name| claims.remove(name)) {
        Some(Value::String(text)) if !text.is_empty() => text.split(' ').map(str::to_owned).collect(),
        Some(Value::Array(list)) => list.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect(),
        _ => Vec::new(),
    };
    claims.insert("scp".to_owned(), scopes.clone().into());
    scopes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn token(claims: Value) -> Result<VerifiedToken, Reason> {
        VerifiedToken::read(claims.as_object().unwrap().clone())
    }

    fn rules() -> ClaimRules {
        ClaimRules {
            trusted_issuers: [].into(),
            target_audience: [].into(),
            required_scope: [].into(),
            scope_strategy: ScopeStrategy::Exact,
            clock_skew: Duration::ZERO,
            max_token_age: None,
            insecure_allow_missing_exp: false,
        }
    }

    const NOW: UnixTime = UnixTime(1000);

    #[test]
    fn times_have_no_leeway_and_must_be_numbers() {
        let rows = [
            (json!({"exp": 1001}), Ok(())),
            (json!({"exp": 1000}), Err(Reason::TokenExpired)),
            (json!({"exp": 0}), Err(Reason::TokenExpired)),
            (json!({}), Err(Reason::TokenLifetime)),
            (json!({"exp": 2000, "nbf": 1000}), Ok(())),
            (json!({"exp": 2000, "nbf": 1001}), Err(Reason::TokenNotYetValid)),
            (json!({"exp": 2000, "iat": 1001}), Err(Reason::TokenNotYetValid)),
            (json!({"exp": 2000.9}), Ok(())),
        ];
        for (claims, expected) in rows {
            assert_eq!(rules().check(&token(claims.clone()).unwrap(), NOW), expected, "{claims}");
        }
        for claims in
            [json!({"exp": "2000"}), json!({"exp": 2000, "nbf": null}), json!({"exp": 1e300}), json!({"iat": [1]})]
        {
            assert_eq!(token(claims.clone()).unwrap_err(), Reason::TokenMalformed, "{claims}");
        }
        let skewed = ClaimRules { clock_skew: Duration::from_secs(5), ..rules() };
        assert_eq!(skewed.check(&token(json!({"exp": 996})).unwrap(), NOW), Ok(()));
        assert_eq!(skewed.check(&token(json!({"exp": 995})).unwrap(), NOW), Err(Reason::TokenExpired));
        let lax = ClaimRules { insecure_allow_missing_exp: true, ..rules() };
        assert_eq!(lax.check(&token(json!({})).unwrap(), NOW), Ok(()));
        let short = ClaimRules { max_token_age: Some(Duration::from_secs(900)), ..rules() };
        assert_eq!(short.check(&token(json!({"iat": 500, "exp": 1400})).unwrap(), NOW), Ok(()));
        assert_eq!(short.check(&token(json!({"iat": 500, "exp": 1401})).unwrap(), NOW), Err(Reason::TokenLifetime));
        assert_eq!(short.check(&token(json!({"exp": 1401})).unwrap(), NOW), Err(Reason::TokenLifetime));
    }

    #[test]
    fn audiences_issuers_and_scopes() {
        let strict = ClaimRules {
            trusted_issuers: ["iss-1".into(), "iss-2".into()].into(),
            target_audience: ["aud-1".into(), "aud-2".into()].into(),
            required_scope: ["scope-1".into(), "scope-2".into()].into(),
            ..rules()
        };
        let rows = [
            (json!({"aud": ["aud-1", "aud-2"], "iss": "iss-2", "scope": ["scope-3", "scope-2", "scope-1"]}), Ok(())),
            (json!({"aud": ["aud-1", "aud-2"], "iss": "iss-2", "scp": "scope-2 scope-1"}), Ok(())),
            (
                json!({"aud": ["not", "aud-2"], "iss": "iss-2", "scope": "scope-1 scope-2"}),
                Err(Reason::AudienceMismatch),
            ),
            (json!({"aud": "aud-1", "iss": "iss-2"}), Err(Reason::AudienceMismatch)),
            (json!({"aud": ["aud-1", "aud-2", 3], "iss": "iss-2"}), Err(Reason::AudienceMismatch)),
            (json!({"aud": ["aud-1", "aud-2"], "iss": "iss-4"}), Err(Reason::IssuerUntrusted)),
            (json!({"aud": ["aud-1", "aud-2"]}), Err(Reason::IssuerUntrusted)),
            (json!({"aud": ["aud-1", "aud-2"], "iss": "iss-1", "scope": "scope-1"}), Err(Reason::InsufficientScope)),
            (json!({"aud": ["aud-1", "aud-2"], "iss": "iss-1", "scope": 7}), Err(Reason::InsufficientScope)),
        ];
        for (mut claims, expected) in rows {
            claims["exp"] = 2000.into();
            assert_eq!(strict.check(&token(claims.clone()).unwrap(), NOW), expected, "{claims}");
        }
    }

    /// [T] of pipeline spec 2.6, and its step 10.
    #[test]
    fn the_scope_claim_becomes_scp() {
        let rows = [
            (json!({"scp": "foo bar", "scope": "x"}), json!({"scope": "x", "scp": ["foo", "bar"]})),
            (json!({"scopes": ["foo", 1]}), json!({"scp": ["foo", ""]})),
            (json!({"scope": ""}), json!({"scp": []})),
            (json!({}), json!({"scp": []})),
        ];
        for (claims, extra) in rows {
            assert_eq!(Value::Object(token(claims).unwrap().extra.as_ref().clone()), extra);
        }
    }
}
