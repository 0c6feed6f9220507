//! A JSON Web Key Set (RFC 7517): the keys that can check signatures, nothing else kept.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Algorithm;
use super::verification::{CURVES, Verification};
use crate::strict_json;

/// The largest document that is parsed.
pub const MAX_SET_BYTES: usize = 1024 * 1024;
/// The most keys that are kept.
pub const MAX_KEYS: usize = 256;

/// A parsed set. Private keys are reduced to their public halves.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    ambiguous: Vec<String>,
    skipped: Vec<String>,
    revision: u64,
}

/// A key that can check signatures.
pub struct VerificationKey {
    pub(super) key_id: Option<String>,
    pub(super) verification: Verification,
    fingerprint: u64,
}

/// A document that is no key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetError(&'static str);

impl KeySet {
    /// Parses a set. A key that cannot be used is skipped and named in [`skipped`](Self::skipped), so
    /// that an issuer may publish kinds of keys that are unknown here (RFC 7517 section 5).
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_SET_BYTES {
            return Err(KeySetError("the key set is larger than 1 MiB"));
        }
        let set = strict_json::object(document).ok_or(KeySetError("not a JSON object, or members written twice"))?;
        let Some(Value::Array(entries)) = set.get("keys") else {
            return Err(KeySetError("there is no `keys` list"));
        };
        if entries.len() > MAX_KEYS {
            return Err(KeySetError("there are more than 256 keys"));
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            match entry.as_object().ok_or("not an object").and_then(VerificationKey::parse) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(format!("key {index}: {reason}")),
            }
        }
        // What is public cannot be a secret: a set that holds both was put together by mistake.
        if keys.iter().any(|key| !key.is_symmetric()) && keys.iter().any(VerificationKey::is_symmetric) {
            keys.retain(|key| !key.is_symmetric());
            skipped.push("symmetric keys beside public ones".to_owned());
        }
        let mut hasher = DefaultHasher::new();
        keys.iter().for_each(|key| key.fingerprint.hash(&mut hasher));
        Ok(Self { keys, ambiguous: doubled_ids(entries), skipped, revision: hasher.finish() })
    }

    /// Changes when the keys change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Why keys were left out.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The keys that may check a token: by `kid` when it names one, by type and use always.
    pub(super) fn candidates<'s>(
        &'s self,
        key_id: Option<&'s str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'s VerificationKey> {
        self.keys
            .iter()
            .filter(move |key| key_id.is_none_or(|wanted| key.key_id.as_deref() == Some(wanted)))
            .filter(move |key| key.verification.fits(algorithm))
    }
}

/// Ids that several signature keys of a set have.
fn doubled_ids(entries: &[Value]) -> Vec<String> {
    let ids = entries
        .iter()
        .filter(|entry| entry["use"].as_str().is_none_or(|purpose| purpose == "sig"))
        .filter_map(|entry| entry["kid"].as_str());
    let (mut seen, mut doubled) = (std::collections::HashSet::new(), Vec::new());
    for id in ids {
        if !seen.insert(id) {
            doubled.push(id.to_owned());
        }
    }
    doubled
}

impl VerificationKey {
    fn parse(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        // Of the wrong type they would count as absent, and the key would fit more than it was made for.
        if ["kid", "use", "alg"].iter().any(|name| jwk.get(*name).is_some_and(|member| !member.is_string())) {
            return Err("its `kid`, `use` or `alg` is not a string");
        }
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return Err("its `use` is not `sig`");
        }
        if let Some(operations) = jwk.get("key_ops") {
            let verifies =
                operations.as_array().is_some_and(|list| list.iter().any(|one| one == "verify" || one == "sign"));
            if !verifies {
                return Err("its `key_ops` hold no `verify`");
            }
        }
        let mut verification = match text("kty") {
            Some("RSA") => rsa(text("n"), text("e"))?,
            Some("EC") => {
                let curve = CURVES.iter().find(|curve| text("crv") == Some(curve.name));
                let curve = curve.ok_or("its curve is not supported")?;
                let (x, y) = (coordinate(text("x"), curve.length)?, coordinate(text("y"), curve.length)?);
                Verification::curve(curve, &x, &y).ok_or("its point is not on the curve")?
            }
            Some("OKP") if text("crv") == Some("Ed25519") => {
                Verification::ed25519(&coordinate(text("x"), 32)?).ok_or("its point is malformed")?
            }
            Some("oct") => {
                let secret = zeroize::Zeroizing::new(decode(text("k"))?);
                if secret.len() < 32 {
                    return Err("a symmetric key needs at least 32 bytes");
                }
                Verification::shared(&secret)
            }
            _ => return Err("its type is not supported"),
        };
        if let Some(name) = text("alg") {
            let algorithm = super::algorithm(name).ok_or("its `alg` is not supported")?;
            verification = verification.only(algorithm).ok_or("its `alg` does not fit its type")?;
        }
        let mut hasher = DefaultHasher::new();
        // Private members take no part: two halves of one key are one key.
        for name in ["kty", "crv", "n", "e", "x", "y", "k", "alg", "kid"] {
            text(name).hash(&mut hasher);
        }
        Ok(Self { key_id: text("kid").map(str::to_owned), verification, fingerprint: hasher.finish() })
    }

    fn is_symmetric(&self) -> bool {
        !self.verification.is_public()
    }

    /// What identifies the key across sets and reloads.
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl KeySet {
    /// Whether several keys go by this name, usable or not.
    pub(super) fn is_ambiguous(&self, key_id: &str) -> bool {
        self.ambiguous.iter().any(|id| id == key_id)
    }

    /// Whether the key with a fingerprint, which was in the set of a revision, is in this one.
    pub fn publishes(&self, revision: u64, fingerprint: u64) -> bool {
        self.revision == revision || self.holds(fingerprint)
    }

    /// Whether a key is still in the set.
    fn holds(&self, fingerprint: u64) -> bool {
        self.keys.iter().any(|key| key.fingerprint == fingerprint)
    }
}

fn rsa(n: Option<&str>, e: Option<&str>) -> Result<Verification, &'static str> {
    let (modulus, exponent) = (decode(n)?, decode(e)?);
    let significant = |bytes: &[u8]| bytes.iter().position(|byte| *byte != 0).map_or(0, |start| bytes.len() - start);
    // `padding` zeros in front are tolerated (a common mistake), weak and enormous keys are not.
    match significant(&modulus) * 8 {
        2048..=8192 => {}
        _ => return Err("its modulus is not between 2048 and 8192 bits"),
    }
    let start = modulus.len() - significant(&modulus);
    // The product of two odd primes is odd. The library does not look, and who knows a factor can sign.
    if modulus.last().is_some_and(|byte| byte % 2 == 0) {
        return Err("its modulus is even");
    }
    if super::roca::is_weak(&modulus) {
        return Err("it was generated by a library whose keys can be factored (CVE-2017-15361)");
    }
    let exponent_start = exponent.len() - significant(&exponent);
    let odd_and_small = exponent.last().is_some_and(|byte| byte % 2 == 1) && (1..=4).contains(&significant(&exponent));
    if !odd_and_small || exponent[exponent_start..] == [1] {
        return Err("its exponent is not usable");
    }
    Verification::rsa(&modulus[start..], &exponent[exponent_start..]).ok_or("its numbers are not an RSA key")
}

fn coordinate(text: Option<&str>, length: usize) -> Result<Vec<u8>, &'static str> {
    let bytes = decode(text)?;
    if bytes.len() == length { Ok(bytes) } else { Err("a coordinate has the wrong length") }
}

fn decode(text: Option<&str>) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text.ok_or("a member is missing")?).map_err(|_| "a member is not base64url")
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeySetError {}
