//! What a rule demands of an introspected token (pipeline spec 2.8). Judged on every request, whether the
//! answer was remembered or not (GHSA-qvp4-rpmr-xwrr).

use keyward_core::jwt::scope::ScopeStrategy;
use keyward_core::pipeline::denial::{Denial, Reason};

use super::introspected::Introspected;

/// The demands of one rule.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    /// All of these must be in `aud`.
    pub(crate) target_audience: Vec<String>,
    /// `iss` must be one of these, when there are any.
    pub(crate) trusted_issuers: Vec<String>,
    /// All of these must be granted.
    pub(crate) required_scope: Vec<String>,
    /// How scopes are compared; with `None` the endpoint judges them.
    pub(crate) scope_strategy: ScopeStrategy,
}

impl Demands {
    /// Whether the endpoint judges scopes: its answer then counts for this rule and this moment only.
    pub(crate) fn leave_scope_to_the_endpoint(&self) -> bool {
        self.scope_strategy == ScopeStrategy::None && !self.required_scope.is_empty()
    }

    /// Checks every demand in the reference's order; the first that fails denies.
    pub(crate) fn check(&self, token: &Introspected, now: i64) -> Result<(), Denial> {
        if !matches!(token.token_use.as_str(), "" | "access_token") {
            return Err(Denial::forbidden(Reason::TokenUse).because(used_otherwise(&token.token_use)));
        }
        if !token.active {
            return Err(Denial::unauthorized(Reason::TokenInactive).because("Access token is not active"));
        }
        self.check_active(token, now).map_err(|denial| denial.of(token.caller.clone()))
    }

    fn check_active(&self, token: &Introspected, now: i64) -> Result<(), Denial> {
        if token.expires > 0 && now >= token.expires {
            return Err(Denial::unauthorized(Reason::TokenExpired).because("Access token expired"));
        }
        if let Some(missing) =
            self.target_audience.iter().find(|wanted| !token.caller.audience().any(|named| named == *wanted))
        {
            let text = format!("Token audience is not intended for target audience {missing}");
            return Err(Denial::forbidden(Reason::AudienceMismatch).because(text));
        }
        let issuer = token.caller.issuer().unwrap_or_default();
        if !self.trusted_issuers.is_empty() && !self.trusted_issuers.iter().any(|trusted| trusted == issuer) {
            let text = "Token issuer does not match any trusted issuer";
            return Err(Denial::forbidden(Reason::IssuerUntrusted).because(text));
        }
        if self.scope_strategy == ScopeStrategy::None {
            return Ok(());
        }
        let granted = |required: &str| token.scope.split(' ').any(|given| self.scope_strategy.covers(given, required));
        match self.required_scope.iter().find(|required| !granted(required)) {
            None => Ok(()),
            Some(missing) => {
                let text = format!("Scope {missing} was not granted");
                Err(Denial::forbidden(Reason::InsufficientScope).because(text))
            }
        }
    }
}

/// The use is told as long as it is a plain word.
fn used_otherwise(token_use: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if token_use.len() <= 64 && token_use.bytes().all(plain) {
        format!("Use of introspected token is not an access token but \"{token_use}\"")
    } else {
        "Use of introspected token is not an access token".to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    /// Rows marked [T] in pipeline spec 2.8, and the order of checks.
    #[test]
    fn demands_in_order() {
        use Reason::*;
        use ScopeStrategy::{Exact, Hierarchic, None as NoStrategy, Wildcard};
        let none: &[&str] = &[];
        type Row<'r> = (Value, ScopeStrategy, &'r [&'r str], &'r [&'r str], &'r [&'r str], Result<(), (u16, Reason)>);
        let rows: &[Row<'_>] = &[
            (json!({}), NoStrategy, none, none, none, Ok(())),
            (json!({"active": false}), Exact, none, none, none, Err((401, TokenInactive))),
            (json!({"active": null}), Exact, none, none, none, Err((401, TokenInactive))),
            (json!({"token_use": "any-token-use"}), Exact, none, none, none, Err((403, TokenUse))),
            (json!({"token_use": "refresh_token", "active": false}), Exact, none, none, none, Err((403, TokenUse))),
            (json!({"token_use": "access_token"}), Exact, none, none, none, Ok(())),
            (json!({"exp": 1001}), Exact, none, none, none, Ok(())),
            (json!({"exp": 1000}), Exact, none, none, none, Err((401, TokenExpired))),
            (json!({"exp": 999, "active": false}), Exact, none, none, none, Err((401, TokenInactive))),
            (json!({"exp": 0}), Exact, none, none, none, Ok(())),
            (json!({"exp": -5}), Exact, none, none, none, Ok(())),
            // Issuers: one of them. Audiences: all of them.
            (json!({"iss": "not-foo"}), Exact, none, none, &["foo", "bar"], Err((403, IssuerUntrusted))),
            (json!({"iss": "foo"}), Exact, none, none, &["foo", "bar"], Ok(())),
            (json!({}), Exact, none, none, &["foo"], Err((403, IssuerUntrusted))),
            (json!({"aud": ["not-audience"]}), Exact, none, &["audience"], none, Err((403, AudienceMismatch))),
            (json!({"aud": ["audience"]}), Exact, none, &["audience"], none, Ok(())),
            (json!({"aud": "a"}), Exact, none, &["a", "b"], none, Err((403, AudienceMismatch))),
            (json!({"iss": "x"}), Exact, none, &["a"], &["foo"], Err((403, AudienceMismatch))),
            // Scopes.
            (json!({"scope": "scope-z"}), NoStrategy, &["scope-a", "scope-b"], none, none, Ok(())),
            (json!({"scope": "scope-a scope-b"}), Exact, &["scope-a", "scope-b"], none, none, Ok(())),
            (
                json!({"scope": "scope-a scope-b"}),
                Exact,
                &["scope-a", "scope-b", "scope-c"],
                none,
                none,
                Err((403, InsufficientScope)),
            ),
            (
                json!({"scope": "scope-a scope-b scope-c.bar"}),
                Hierarchic,
                &["scope-a", "scope-b.foo", "scope-c.bar"],
                none,
                none,
                Ok(()),
            ),
            (
                json!({"scope": "scope-a scope-b"}),
                Hierarchic,
                &["scope-a", "scope-b.foo", "scope-c.bar"],
                none,
                none,
                Err((403, InsufficientScope)),
            ),
            (
                json!({"scope": "scope-a scope-b.* scope-c.bar"}),
                Wildcard,
                &["scope-a", "scope-b.foo", "scope-c.bar"],
                none,
                none,
                Ok(()),
            ),
            (
                json!({"scope": "scope-a scope-b"}),
                Wildcard,
                &["scope-a", "scope-b.foo", "scope-c.bar"],
                none,
                none,
                Err((403, InsufficientScope)),
            ),
        ];
        for (answer, scope_strategy, required, audience, issuers, expected) in rows {
            let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let demands = Demands {
                target_audience: list(audience),
                trusted_issuers: list(issuers),
                required_scope: list(required),
                scope_strategy: *scope_strategy,
            };
            let mut members = answer.clone();
            let members = members.as_object_mut().unwrap();
            members.entry("active").or_insert(true.into());
            let token = Introspected::read(Value::Object(members.clone()).to_string().as_bytes()).unwrap();
            let outcome = demands.check(&token, 1000);
            let outcome = outcome.map_err(|denial| (denial.error.status().as_u16(), denial.reason));
            assert_eq!(outcome, *expected, "{answer} {required:?} {audience:?} {issuers:?}");
        }
    }

    #[test]
    fn only_a_plain_use_is_told() {
        let text = "Use of introspected token is not an access token but \"refresh_token\"";
        assert_eq!(used_otherwise("refresh_token"), text);
        for odd in ["a\"b", "<b>", "é", &"x".repeat(65)] {
            assert_eq!(used_otherwise(odd), "Use of introspected token is not an access token");
        }
    }
}
