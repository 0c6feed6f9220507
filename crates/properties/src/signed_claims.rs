//! The claims of a token are read as another reader of JSON reads them, and what two readers could take for two
//! different things is no token: a member that is written twice, what is no object.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_core::jwt::token::MAX_TOKEN_BYTES;
use keyward_core::jwt::verify::TokenVerifier;
use keyward_core::jwt::{Algorithm, TokenCache};
use keyward_core::pipeline::step::Step;
use serde_json::Value;

use crate::world::{Fixed, SHARED};

pub(crate) fn check(data: &[u8]) {
    let token = signed(data);
    let cache = Arc::new(TokenCache::new(1 << 20));
    let verifier = TokenVerifier::new(vec![Arc::new(Fixed(SHARED.clone()))], vec![Algorithm::HS256], cache);
    let Step::Ready(outcome) = verifier.verify(&token) else { panic!("the key is at hand") };
    let Ok(verified) = outcome else { return };
    assert!(token.len() <= MAX_TOKEN_BYTES);
    let shown = data.escape_ascii();
    let claims: Value = serde_json::from_slice(data).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let members = claims.as_object().unwrap_or_else(|| panic!("no object: {shown}"));
    assert!(!has_doubled_members(data), "a member is written twice: {shown}");
    let caller = verified.caller();
    assert_eq!(caller.subject(), claims["sub"].as_str().unwrap_or_default(), "{shown}");
    assert_eq!(caller.issuer(), claims["iss"].as_str(), "{shown}");
    for scope in caller.scopes() {
        assert!(["scp", "scope", "scopes"].iter().any(|name| grants(&claims[*name], scope)), "{scope}: {shown}");
    }
    for audience in caller.audience() {
        assert!(names(&claims["aud"], audience), "{audience}: {shown}");
    }
    for (name, value) in &**caller.extra() {
        let written = members.get(name);
        assert!(written == Some(value) || name == "scp" || name == "aud", "{name}: {value} for {written:?}: {shown}");
    }
    for name in ["exp", "nbf", "iat"] {
        assert!(claims[name].is_number() || members.get(name).is_none_or(Value::is_null), "{name}: {shown}");
    }
    let known = verifier.known(token.as_bytes());
    assert_eq!(known.is_some(), claims["exp"].is_number(), "{shown}");
    assert!(known.is_none_or(|known| known.caller().subject() == caller.subject()));
}

/// A compact JWS whose payload is just these bytes, with the right signature.
pub(crate) fn signed(payload: &[u8]) -> String {
    static KEY: LazyLock<hmac::Key> = LazyLock::new(|| {
        let document: Value = serde_json::from_str(include_str!("../../../conformance/keys/oct.jwks.json")).unwrap();
        let secret = URL_SAFE_NO_PAD.decode(document["keys"][0]["k"].as_str().unwrap()).unwrap();
        hmac::Key::new(hmac::HMAC_SHA256, &secret)
    });
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"hs1"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = hmac::sign(&KEY, input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn grants(claim: &Value, scope: &str) -> bool {
    match claim {
        Value::String(text) => text.split(' ').any(|one| one == scope) || text == scope,
        other => names(other, scope),
    }
}

fn names(claim: &Value, wanted: &str) -> bool {
    match claim {
        Value::String(text) => text == wanted,
        Value::Array(list) => list.iter().any(|one| one == wanted),
        _ => false,
    }
}

/// Whether an object, at any depth, has two members of one name.
fn has_doubled_members(json: &[u8]) -> bool {
    use serde_json::de::Deserializer;
    serde::de::DeserializeSeed::deserialize(Unique, &mut Deserializer::from_slice(json)).is_err()
}

/// Accepts a value whose objects have no name twice.
struct Unique;

impl<'de> serde::de::DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without doubled members")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Unique)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(Unique)?;
            if !seen.insert(name) {
                return Err(serde::de::Error::custom("doubled"));
            }
        }
        Ok(())
    }
}
