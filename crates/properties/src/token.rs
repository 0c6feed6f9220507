//! Nothing is accepted but the very tokens that were signed: not with one edit, not with another key, not with another
//! algorithm, and not out of the cache.
//!
//! The bytes are a token, and a number of edits to one that is right.

use std::sync::{Arc, LazyLock};

use keyward_core::jwt::sign::SigningKey;
use keyward_core::jwt::verify::TokenVerifier;
use keyward_core::jwt::{Algorithm, TokenCache};
use keyward_core::pipeline::step::Step;
use serde_json::{Value, json};

use crate::world::{Fixed, PUBLIC};

/// Tokens of the conformance tests, by what they are.
static ALL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../conformance/tokens.json")).unwrap());

/// Those that are right, and signed with different keys.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let right = ["valid", "bob", "no-kid", "rich", "es256", "eddsa", "expired", "scope-list"];
    right.iter().map(|name| ALL[*name].as_str().unwrap().to_owned()).collect()
});

/// Kept, so that a wrong token could be found where a right one was remembered.
static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let cache = Arc::new(TokenCache::new(1 << 20));
    let algorithms = vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256];
    let verifier = TokenVerifier::new(vec![Arc::new(Fixed(PUBLIC.clone()))], algorithms, cache);
    for token in &*TOKENS {
        assert!(is_accepted(&verifier, token), "a token that was signed: {token}");
    }
    verifier
});

fn is_accepted(verifier: &TokenVerifier, token: &str) -> bool {
    matches!(verifier.verify(token), Step::Ready(Ok(_)))
}

pub(crate) fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        refused_unless_signed(text);
        signed_by_another(text);
    }
    refused_unless_signed(&edited(data));
}

fn refused_unless_signed(token: &str) {
    if is_accepted(&VERIFIER, token) || VERIFIER.known(token.as_bytes()).is_some() {
        assert!(is_signed(token), "{token}");
    }
}

/// Whether it is one of the conformance tests that an issuer signed, be it fit for a rule or not.
fn is_signed(token: &str) -> bool {
    const FORGED: [&str; 8] = [
        "alg-none",
        "bad-signature",
        "garbage",
        "hs256-confusion",
        "opaque",
        "other-key",
        "payload-swapped",
        "two-parts",
    ];
    let mut all = ALL.as_object().unwrap().iter();
    all.any(|(name, known)| known == token && !FORGED.contains(&name.as_str()))
}

/// A token that is right, with as many edits as the bytes hold: which token, then places, and what stands there.
fn edited(data: &[u8]) -> String {
    let (first, edits) = data.split_first().unwrap_or((&0, &[]));
    let mut token = TOKENS[usize::from(*first) % TOKENS.len()].clone().into_bytes();
    for edit in edits.chunks_exact(4).take(8) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % token.len();
        match edit[2] % 3 {
            0 => token[place] = edit[3] & 0x7f,
            1 => token.insert(place, edit[3] & 0x7f),
            _ => drop(token.remove(place)),
        }
        if token.is_empty() {
            break;
        }
    }
    String::from_utf8(token).unwrap()
}

static MODULUS: LazyLock<Value> = LazyLock::new(|| {
    let public: Value = serde_json::from_str(include_str!("../../../conformance/keys/jwks.json")).unwrap();
    public["keys"][0]["n"].clone()
});

/// What anybody can sign with a key of their own, under any name.
fn signed_by_another(text: &str) {
    let name = if text.is_empty() { "rsa1" } else { text };
    // The secret is what is public: the number of the issuer's key.
    let key = json!({"kty": "oct", "alg": "HS256", "kid": name, "k": *MODULUS});
    let Ok(key) = SigningKey::read(key.to_string().as_bytes(), None, None) else { return };
    let claims = json!({"sub": "alice", "exp": 4_000_000_000_u64});
    for token in [key.sign(&claims).unwrap(), key.sign_without_kid(&claims).unwrap()] {
        assert!(!is_accepted(&VERIFIER, &token), "{token}");
    }
}
