//! A key set that tokens are signed with (pipeline spec 3.3): the key that signs, and what is published.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::{Map, Value};

use super::sign::{SigningKey, SigningKeyError};
use super::strict_json;

/// Members of a JWK that everybody may read (RFC 7517 section 4, RFC 7518 section 6).
const PUBLIC_MEMBERS: &[&str] = &["use", "kty", "kid", "crv", "alg", "x", "y", "n", "e"];

/// What a key set offers for signing.
pub struct SigningSet {
    signer: SigningKey,
    published: Vec<Value>,
    revision: u64,
}

impl SigningSet {
    /// Reads a set. Its first private or symmetric key signs; `kid` is that of a public key of the set with
    /// the same numbers, if there is one, so that a set may hold both halves under two names.
    pub fn parse(document: &[u8]) -> Result<Self, SigningKeyError> {
        let set = strict_json::object(document)
            .ok_or_else(|| SigningKeyError::new("it is not a JSON object, or it writes members twice"))?;
        let keys: Vec<&Map<String, Value>> =
            set.get("keys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect();
        let signs = |key: &Map<String, Value>| key.contains_key("d") || key.contains_key("k");
        let private =
            keys.iter().find(|key| signs(key)).ok_or_else(|| SigningKeyError::new("the set holds no private key"))?;
        let other_half = keys.iter().find(|key| !signs(key) && has_numbers_of(key, private));
        let key_id = other_half.unwrap_or(private).get("kid").and_then(Value::as_str).unwrap_or_default();
        if key_id.is_empty() {
            return Err(SigningKeyError::new("the key that signs has no `kid`"));
        }
        if !private.get("alg").is_some_and(Value::is_string) {
            return Err(SigningKeyError::new("the key that signs has no `alg`"));
        }
        let signer = SigningKey::from_jwk(private, None, Some(key_id))?;
        let mut hasher = DefaultHasher::new();
        document.hash(&mut hasher);
        let published = keys.into_iter().filter_map(published).collect();
        Ok(Self { signer, published, revision: hasher.finish() })
    }

    /// Changes when the document changes.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The key that signs.
    pub fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// The public halves of every asymmetric key.
    pub fn published(&self) -> &[Value] {
        &self.published
    }
}

fn has_numbers_of(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    ["kty", "crv", "n", "e", "x", "y"].iter().all(|member| one.get(*member) == other.get(*member))
}

fn published(key: &Map<String, Value>) -> Option<Value> {
    if key.get("kty").and_then(Value::as_str) == Some("oct") || key.contains_key("k") {
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
