//! What a verified token says, and whether that suffices for a rule (pipeline spec 2.6, product rules).

use std::borrow::Cow;
use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::footprint::{self, COUNTERS, allocation};
use super::outline::{Claim, Outline};
use super::scope::ScopeStrategy;
use crate::caller::Caller;
use crate::members::Members;
use crate::pipeline::denial::Reason;
use crate::ports::UnixTime;
use crate::session::{Extra, Session};
use crate::strict_json;

/// A token whose signature was verified, in the shape that sessions need.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    caller: Arc<Caller>,
    times: Times,
    footprint: usize,
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
    /// Reads claims: one JSON object without doubled members (RFC 7519 section 4). A date of the wrong type is a
    /// malformed token, not an absent date (CVE-2026-25537).
    pub(super) fn read(payload: Vec<u8>) -> Result<Self, Reason> {
        let outline = Outline::read(&payload).ok_or(Reason::TokenMalformed)?;
        let times = Times {
            expires: date(outline.expires)?,
            not_before: date(outline.not_before)?,
            issued: date(outline.issued)?,
        };
        let (subject, issuer) = (text(outline.subject), text(outline.issuer));
        let scopes = scopes(outline.scp.or(outline.scope).or(outline.scopes));
        let caller = Caller::new(
            subject.as_deref().unwrap_or_default(),
            issuer.as_deref(),
            &scopes,
            &audience(outline.audience),
        );
        let footprint = outline.footprint + of_caller(&caller, &scopes, payload.len());
        // It may be remembered for as long as the token is valid: no spare room.
        let caller = Arc::new(caller.saying(Members::written(payload.into_boxed_slice(), extra)));
        Ok(Self { caller, times, footprint })
    }

    /// What it takes in memory at most, in bytes, roughly: also once all of its claims were asked for.
    pub(super) fn footprint(&self) -> usize {
        self.footprint
    }

    /// Who the token speaks for.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The session it establishes.
    pub fn into_session(self) -> Session {
        Session::of_caller(self.caller, Extra::OfCaller)
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }
}

impl ClaimRules {
    /// Checks every demand; the first that fails is the reason.
    pub fn check(&self, token: &VerifiedToken, now: UnixTime) -> Result<(), Reason> {
        self.check_times(token.times, now)?;
        let caller = &token.caller;
        if !self.target_audience.iter().all(|wanted| caller.audience().any(|named| named == wanted)) {
            return Err(Reason::AudienceMismatch);
        }
        let issuer = caller.issuer().unwrap_or_default();
        if !self.trusted_issuers.is_empty() && !self.trusted_issuers.iter().any(|trusted| trusted == issuer) {
            return Err(Reason::IssuerUntrusted);
        }
        let covered = |required: &String| caller.scopes().any(|granted| self.scope_strategy.covers(granted, required));
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
fn date(claim: Option<Claim<'_>>) -> Result<Option<i64>, Reason> {
    match claim {
        None => Ok(None),
        Some(Claim::Integer(seconds)) => Ok(Some(seconds)),
        #[expect(clippy::cast_possible_truncation, reason = "that is what cutting a fraction is")]
        Some(Claim::Float(seconds)) if seconds.abs() < 1e15 => Ok(Some(seconds as i64)),
        Some(_) => Err(Reason::TokenMalformed),
    }
}

fn text(claim: Option<Claim<'_>>) -> Option<Cow<'_, str>> {
    match claim {
        Some(Claim::Text(text)) => Some(text),
        _ => None,
    }
}

/// One text or a list of nothing but texts; anything else names nobody.
fn audience(claim: Option<Claim<'_>>) -> Vec<Cow<'_, str>> {
    match claim {
        Some(Claim::Text(one)) => vec![one],
        Some(Claim::List(list)) => list.into_iter().collect::<Option<_>>().unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The scopes of a claim: a list, or a text with spaces between them.
fn scopes(claim: Option<Claim<'_>>) -> Vec<Cow<'_, str>> {
    match claim {
        Some(Claim::Text(text)) if !text.is_empty() => match text {
            Cow::Borrowed(text) => text.split(' ').map(Cow::Borrowed).collect(),
            Cow::Owned(text) => text.split(' ').map(|one| Cow::Owned(one.to_owned())).collect(),
        },
        Some(Claim::List(list)) => list.into_iter().map(Option::unwrap_or_default).collect(),
        _ => Vec::new(),
    }
}

/// All claims of a payload that was read before. The first of `scp`, `scope`, `scopes` that exists becomes `scp`,
/// as a list.
fn extra(payload: &[u8]) -> Map<String, Value> {
    let mut claims = strict_json::object(payload).unwrap_or_default();
    let name = ["scp", "scope", "scopes"].into_iter().find(|name| claims.contains_key(*name));
    let scopes: Vec<Value> = match name.and_then(|name| claims.remove(name)) {
        Some(Value::String(text)) if !text.is_empty() => text.split(' ').map(Value::from).collect(),
        Some(Value::Array(list)) => list.iter().map(|one| one.as_str().unwrap_or_default().into()).collect(),
        _ => Vec::new(),
    };
    claims.insert("scp".to_owned(), scopes.into());
    footprint::without_spare_room(claims)
}

/// What a caller takes in memory, with its claims as text and a map for them; their members come on top.
fn of_caller(caller: &Caller, scopes: &[Cow<'_, str>], payload: usize) -> usize {
    let [text, ends] = caller.pieces();
    let listed = scopes.iter().map(|scope| allocation(scope.len())).sum::<usize>();
    allocation(COUNTERS + size_of::<Caller>())
        + allocation(text)
        + allocation(ends)
        + allocation(payload)
        + allocation(size_of::<Map<String, Value>>())
        // `scp`, which may stand there in another form, or not at all.
        + footprint::of_object(1)
        + footprint::of_list(scopes.len())
        + listed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn token(claims: Value) -> Result<VerifiedToken, Reason> {
        VerifiedToken::read(claims.to_string().into_bytes())
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
        for claims in [
            json!({"exp": "2000"}),
            json!({"exp": 2000, "nbf": null}),
            json!({"exp": 1e300}),
            json!({"exp": 1e15}),
            json!({"iat": [1]}),
        ] {
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
        let one = ClaimRules { target_audience: ["aud-1".into()].into(), ..rules() };
        for (audience, expected) in [("aud-1", Ok(())), ("aud-2", Err(Reason::AudienceMismatch))] {
            let claims = json!({"aud": audience, "exp": 2000});
            assert_eq!(one.check(&token(claims).unwrap(), NOW), expected, "{audience}");
        }
    }

    /// [T] of pipeline spec 2.6, and its step 10.
    #[test]
    fn the_scope_claim_becomes_scp() {
        let rows = [
            (json!({"scp": "foo bar", "scope": "x"}), json!({"scope": "x", "scp": ["foo", "bar"]})),
            (json!({"scopes": ["foo", 1]}), json!({"scp": ["foo", ""]})),
            (json!({"scope": ""}), json!({"scp": []})),
            (json!({"scope": "a\"b c"}), json!({"scp": ["a\"b", "c"]})),
            (json!({}), json!({"scp": []})),
        ];
        for (claims, extra) in rows {
            let session = token(claims).unwrap().into_session();
            assert_eq!(session.caller.scopes().collect::<Vec<_>>(), extra["scp"].as_array().unwrap().clone());
            assert_eq!(Value::Object((**session.caller.extra()).clone()), extra);
        }
    }
}
