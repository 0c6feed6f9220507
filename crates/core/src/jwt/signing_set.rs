//! A key set that tokens are signed with (pipeline spec 3.3): the key that signs, and what is published.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::{Map, Value};

use super::ALGORITHMS;
use super::sign::{SigningKey, SigningKeyError};
use crate::strict_json;

/// Members of a JWK that everybody may read (RFC 7517 section 4, RFC 7518 section 6).
const PUBLIC_MEMBERS: &[&str] = &["use", "kty", "kid", "crv", "alg", "x", "y", "n", "e"];

/// What a key set offers for signing.
pub struct SigningSet {
    signer: Result<SigningKey, SigningKeyError>,
    published: Vec<Value>,
    revision: u64,
}

impl SigningSet {
    /// Reads a set. One without a key that can sign is still a set: its public keys are published, and
    /// [`signer`](Self::signer) says what it lacks.
    pub fn parse(document: &[u8]) -> Result<Self, SigningKeyError> {
        let set = strict_json::object(document)
            .ok_or_else(|| SigningKeyError::new("it is not a JSON object, or it writes members twice"))?;
        let keys = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or_else(|| SigningKeyError::new("it is not a key set: `keys` is missing or not a list"))?;
        let keys: Vec<&Map<String, Value>> = keys.iter().filter_map(Value::as_object).collect();
        let mut hasher = DefaultHasher::new();
        document.hash(&mut hasher);
        Ok(Self {
            signer: signer(&keys),
            published: keys.into_iter().filter_map(published).collect(),
            revision: hasher.finish(),
        })
    }

    /// Changes when the document changes.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The key that signs, or why there is none.
    pub fn signer(&self) -> Result<&SigningKey, &SigningKeyError> {
        self.signer.as_ref()
    }

    /// The public halves of every asymmetric key.
    pub fn published(&self) -> &[Value] {
        &self.published
    }
}

/// The first private or symmetric key signs; `kid` is that of a public key of the set with the same numbers,
/// if there is one, so that a set may hold both halves under two names.
fn signer(keys: &[&Map<String, Value>]) -> Result<SigningKey, SigningKeyError> {
    let text = |key: &Map<String, Value>, name: &str| {
        key.get(name).and_then(Value::as_str).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let is_secret = |key: &Map<String, Value>| key.contains_key("d") || key.contains_key("k");
    let private = keys
        .iter()
        .find(|key| is_secret(key) && text(key, "use").is_none_or(|purpose| purpose == "sig"))
        .ok_or_else(|| SigningKeyError::new("the set holds no private key for signatures"))?;
    let other_half = keys.iter().find(|key| !is_secret(key) && has_numbers_of(key, private));
    let key_id = other_half
        .and_then(|key| text(key, "kid"))
        .or_else(|| text(private, "kid"))
        .ok_or_else(|| SigningKeyError::new("the key that signs has no `kid`"))?;
    let name = text(private, "alg").ok_or_else(|| SigningKeyError::new("the key that signs has no `alg`"))?;
    let algorithm = super::algorithm(&name).ok_or_else(|| {
        let known: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        SigningKeyError::new(format!("keys for `{name}` cannot sign here; use one of {}", known.join(", ")))
    })?;
    SigningKey::from_jwk(private, Some(algorithm), Some(&key_id))
}

fn has_numbers_of(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    ["kty", "crv", "n", "e", "x", "y"].iter().all(|member| one.get(*member) == other.get(*member))
}

fn published(key: &Map<String, Value>) -> Option<Value> {
    let kind = key.get("kty").and_then(Value::as_str)?;
    if !matches!(kind, "RSA" | "EC" | "OKP") || key.contains_key("k") {
        return None;
    }
    let members = key.iter().filter(|(name, _)| PUBLIC_MEMBERS.contains(&name.as_str()));
    Some(Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

impl std::fmt::Debug for SigningSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningSet").field("signer", &self.signer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::jwt::generate::generate;

    fn set(keys: &[Value]) -> SigningSet {
        SigningSet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    fn public(private: &Value, key_id: &str) -> Value {
        let mut public = published(private.as_object().unwrap()).unwrap();
        public["kid"] = key_id.into();
        public
    }

    fn private(algorithm: &str, key_id: &str) -> Value {
        generate(algorithm, key_id, 0).unwrap()
    }

    /// [T] of pipeline spec 3.3: the first four rows.
    #[test]
    fn the_kid_is_that_of_the_matching_public_key_or_the_keys_own() {
        let (rsa, ec, hs, ed) =
            (private("RS256", "f419"), private("ES256", "76a1"), private("HS256", "oct"), private("EdDSA", "ed"));
        let rows: [(Vec<Value>, &str, &str, usize); 7] = [
            (vec![hs.clone()], "oct", "HS256", 0),
            (vec![public(&rsa, "3e0e"), rsa.clone()], "3e0e", "RS256", 2),
            (vec![rsa.clone()], "f419", "RS256", 1),
            (vec![public(&ec, "21d9"), ec.clone()], "21d9", "ES256", 2),
            (vec![ed.clone(), rsa.clone()], "ed", "EdDSA", 2),
            // The numbers of the public key are another's: its kid would make the token unverifiable.
            (vec![public(&ec, "21d9"), rsa.clone()], "f419", "RS256", 2),
            (vec![rsa.clone(), public(&rsa, "3e0e"), ec.clone()], "3e0e", "RS256", 3),
        ];
        for (keys, key_id, algorithm, published) in rows {
            let set = set(&keys);
            let signer = set.signer().unwrap();
            assert_eq!((signer.key_id(), crate::jwt::algorithm_name(signer.algorithm())), (key_id, algorithm));
            assert_eq!(set.published().len(), published, "{key_id}");
        }
    }

    #[test]
    fn what_is_published_holds_nothing_private() {
        let keys = [private("RS256", "a"), private("ES384", "b"), private("EdDSA", "c"), private("HS256", "d")];
        for key in set(&keys).published() {
            for member in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
                assert!(key.get(member).is_none(), "{member}");
            }
        }
    }

    #[test]
    fn nothing_that_may_be_a_shared_secret_is_published() {
        for key in [json!({"kty": "RSA", "k": "c2VjcmV0"}), json!({"kty": "oct"}), json!({"k": "c2VjcmV0"})] {
            assert_eq!(set(std::slice::from_ref(&key)).published(), &[] as &[Value], "{key}");
        }
        let revisions = [json!({"kty": "RSA"}), json!({"kty": "EC"})].map(|key| set(&[key]).revision());
        assert_ne!(revisions[0], revisions[1]);
        assert_eq!(revisions[0], set(&[json!({"kty": "RSA"})]).revision());
    }

    #[test]
    fn sets_without_a_key_that_can_sign_say_why_and_publish_what_they_have() {
        let rsa = private("RS256", "a");
        let without = |member: &str, value: Value| {
            let mut key = rsa.clone();
            key[member] = value;
            key
        };
        let rows = [
            (public(&rsa, "a"), 1, "no private key for signatures"),
            (without("use", "enc".into()), 1, "no private key for signatures"),
            (without("kid", "".into()), 1, "has no `kid`"),
            (without("alg", Value::Null), 1, "has no `alg`"),
            (without("alg", "ES512".into()), 1, "does not fit ES512"),
            (without("alg", "none".into()), 1, "keys for `none` cannot sign here"),
            (without("alg", "ES256".into()), 1, "does not fit ES256"),
            (without("d", "AQAB".into()), 1, "not a valid RSA key"),
            (json!({"kty": "quantum", "k": "x"}), 0, "has no `kid`"),
        ];
        for (key, published, reason) in rows {
            let set = set(&[key]);
            let problem = set.signer().unwrap_err().to_string();
            assert!(problem.contains(reason), "{problem}");
            assert_eq!(set.published().len(), published, "{reason}");
        }
        for document in ["", "[]", "{}", "<p>", r#"{"keys": 1}"#, r#"{"keys": [], "keys": []}"#] {
            assert!(SigningSet::parse(document.as_bytes()).is_err(), "{document}");
        }
    }
}
