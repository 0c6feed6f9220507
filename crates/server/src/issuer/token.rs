//! What a token says, and signing it: shared by the issuer's endpoint and `keyward token`.

use keyward_core::jwt::sign::{SigningKey, SigningKeyError};
use keyward_core::ports::UnixTime;
use serde_json::json;

/// A token to be signed.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`
    pub audience: String,
    /// `scope`, separated by spaces.
    pub scope: String,
    /// Seconds it lives; negative for one that has expired already.
    pub ttl: i64,
}

/// Signs a token with the claims of the founding document: `iss, sub, aud, iat, exp, scope`.
pub fn sign(key: &SigningKey, request: &TokenRequest, now: UnixTime) -> Result<String, SigningKeyError> {
    let UnixTime(now) = now;
    key.sign(&json!({
        "iss": request.issuer,
        "sub": request.subject,
        "aud": request.audience,
        "iat": now.min(now.saturating_add(request.ttl)),
        "exp": now.saturating_add(request.ttl),
        "scope": request.scope,
    }))
}
