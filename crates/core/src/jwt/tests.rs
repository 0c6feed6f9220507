//! Signing, verifying and caching, together.
#![allow(clippy::unwrap_used)]

mod signing;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::claims::VerifiedToken;
use super::generate::generate;
use super::sign::SigningKey;
use super::verify::TokenVerifier;
use super::{Algorithm, KeySet, TokenCache, algorithm};
use crate::pipeline::denial::Reason;
use crate::pipeline::step::Step;
use crate::ports::{KeySource, LocalFuture};

pub(super) struct Keys(Mutex<Option<Arc<KeySet>>>, &'static str);

impl Keys {
    pub(super) fn publishing(keys: &[&Value]) -> Arc<Self> {
        Self::at("test", keys)
    }

    pub(super) fn at(location: &'static str, keys: &[&Value]) -> Arc<Self> {
        let source = Arc::new(Self(Mutex::new(None), location));
        source.publish(keys);
        source
    }

    fn publish(&self, keys: &[&Value]) {
        let set = KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
        *self.0.lock().unwrap() = Some(Arc::new(set));
    }
}

impl KeySource for Keys {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.0.lock().unwrap().clone()
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn location(&self) -> &str {
        self.1
    }
}

fn key(name: &str) -> SigningKey {
    SigningKey::read(generate(name, "k1", 0).unwrap().to_string().as_bytes(), None, None).unwrap()
}

fn verifier(source: Arc<Keys>, algorithms: &[Algorithm]) -> TokenVerifier {
    TokenVerifier::new(vec![source], algorithms.to_vec(), Arc::new(TokenCache::new(1 << 20)))
}

fn verify(verifier: &TokenVerifier, token: &str) -> Result<VerifiedToken, Reason> {
    match verifier.verify(token) {
        Step::Ready(outcome) => outcome,
        Step::Pending(_) => Err(Reason::KeyUnavailable),
    }
}

const CLAIMS: fn() -> Value = || json!({"sub": "alice", "exp": 4_000_000_000_u64, "scope": "a b"});

#[test]
fn every_algorithm_signs_and_verifies_and_fits_no_other() {
    let names = ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"];
    for name in names {
        let key = key(name);
        let source = Keys::publishing(&[key.public_jwk().unwrap()]);
        let token = key.sign(&CLAIMS()).unwrap();
        let own = verifier(source.clone(), &[algorithm(name).unwrap()]);
        assert_eq!(verify(&own, &token).unwrap().caller().subject(), "alice", "{name}");
        for other in names.into_iter().filter(|other| *other != name) {
            let foreign = verifier(source.clone(), &[algorithm(other).unwrap()]);
            assert_eq!(verify(&foreign, &token).unwrap_err(), Reason::SignatureInvalid, "{name} as {other}");
        }
    }
}

#[test]
fn keys_on_every_curve_are_read_from_pkcs8_and_sec1() {
    use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, PublicKeyX509Der};
    use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair};

    let block = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der)).into_bytes();
    for curve in super::verification::CURVES {
        let pair = EcdsaKeyPair::generate(curve.signing).unwrap();
        let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let public = block("PUBLIC KEY", public.as_ref());
        for private in
            [block("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()), block("EC PRIVATE KEY", sec1.as_ref())]
        {
            let key = SigningKey::read(&private, Some(curve.algorithm), None).unwrap();
            assert!(key.matches_public_pem(&public), "{}", curve.name);
            assert!(!self::key("ES256").matches_public_pem(&public), "{}", curve.name);
            let own = verifier(Keys::publishing(&[key.public_jwk().unwrap()]), &[curve.algorithm]);
            assert!(verify(&own, &key.sign(&CLAIMS()).unwrap()).is_ok(), "{}", curve.name);
        }
        let encrypted = block("ENCRYPTED PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
        let problem = SigningKey::read(&encrypted, Some(curve.algorithm), None).unwrap_err();
        assert_eq!(problem.to_string(), "the PEM block is not an unencrypted private key");
    }
}

#[test]
fn any_changed_octet_breaks_the_token() {
    let key = key("ES256");
    let verifier = verifier(Keys::publishing(&[key.public_jwk().unwrap()]), &[Algorithm::ES256]);
    let token = key.sign(&CLAIMS()).unwrap();
    for index in (0..token.len()).step_by(3) {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        assert!(verify(&verifier, &String::from_utf8(bytes).unwrap()).is_err(), "{index}");
    }
    assert!(verify(&verifier, &token).is_ok());
}

#[test]
fn a_token_without_kid_is_tried_against_the_keys_that_fit() {
    let (first, second) = (key("RS256"), key("RS256"));
    let mut published = second.public_jwk().unwrap().clone();
    published["kid"] = "other".into();
    let verifier = verifier(Keys::publishing(&[first.public_jwk().unwrap(), &published]), &[Algorithm::RS256]);
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let jwk = generate("RS256", "x", 0).unwrap();
    let numbers: Vec<Vec<u8>> = ["n", "e", "d", "p", "q", "dp", "dq", "qi"]
        .iter()
        .map(|name| {
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, jwk[*name].as_str().unwrap())
                .unwrap()
        })
        .collect();
    let stranger = jsonwebtoken::EncodingKey::from_rsa_der(&super::der::rsa_private_key(&numbers));
    let token = jsonwebtoken::encode(&header, &CLAIMS(), &stranger).unwrap();
    assert_eq!(verify(&verifier, &token).unwrap_err(), Reason::SignatureInvalid);
    let public = SigningKey::read(jwk.to_string().as_bytes(), None, None).unwrap();
    let knowing = self::verifier(
        Keys::publishing(&[first.public_jwk().unwrap(), public.public_jwk().unwrap()]),
        &[Algorithm::RS256],
    );
    assert!(verify(&knowing, &token).is_ok());
}

/// Taken for absent, such a member would let the key check more than it was made for.
#[test]
fn a_key_with_members_of_the_wrong_type_is_skipped() {
    let public = key("RS256").public_jwk().unwrap().clone();
    for (member, value) in [("kid", json!(5)), ("use", json!(["enc"])), ("alg", json!(null)), ("kty", json!({}))] {
        let mut wrong = public.clone();
        wrong[member] = value;
        let set = KeySet::parse(json!({"keys": [wrong, public]}).to_string().as_bytes()).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (1, 1), "{member}");
    }
}

/// APISIX CVE-2026-39999: a public RSA key must never serve as an HMAC secret.
#[test]
fn cve_2026_39999_rs256_is_not_taken_for_hs256() {
    let rsa = key("RS256");
    let public = rsa.public_jwk().unwrap();
    let verifier = verifier(Keys::publishing(&[public]), &[Algorithm::RS256, Algorithm::HS256]);
    for secret in [public.to_string().into_bytes(), public["n"].as_str().unwrap().as_bytes().to_vec()] {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("k1".to_owned());
        let forged =
            jsonwebtoken::encode(&header, &CLAIMS(), &jsonwebtoken::EncodingKey::from_secret(&secret)).unwrap();
        assert!(verify(&verifier, &forged).is_err());
    }
}

/// golang-jwt CVE-2025-30204 and go-jose CVE-2025-27144: dots without end cost nothing.
#[test]
fn cve_2025_30204_many_dots_are_no_token() {
    let many = ".".repeat(8000);
    assert!(!super::token::has_three_parts(&many) && super::token::has_three_parts("a.b.c"));
    let verifier = verifier(Keys::publishing(&[]), &[Algorithm::RS256]);
    assert_eq!(verify(&verifier, &many).unwrap_err(), Reason::TokenMalformed);
    assert_eq!(verify(&verifier, &"a".repeat(9000)).unwrap_err(), Reason::TokenMalformed);
}

#[test]
fn a_cached_token_ends_with_its_key() {
    let (key, other) = (key("ES256"), key("ES256"));
    let source = Keys::publishing(&[key.public_jwk().unwrap()]);
    let verifier = verifier(source.clone(), &[Algorithm::ES256]);
    let token = key.sign(&CLAIMS()).unwrap();
    assert!(verify(&verifier, &token).is_ok());
    let is_known = || verifier.known(token.as_bytes()).is_some();
    assert!(is_known(), "from the cache");
    let mut third = other.public_jwk().unwrap().clone();
    third["kid"] = "k2".into();
    source.publish(&[&third, key.public_jwk().unwrap()]);
    assert!(is_known() && verify(&verifier, &token).is_ok(), "the set changed, the key is still there");
    source.publish(&[other.public_jwk().unwrap()]);
    assert!(!is_known(), "the key is gone");
    assert_eq!(verify(&verifier, &token).unwrap_err(), Reason::SignatureInvalid);
    *source.0.lock().unwrap() = None;
    assert_eq!(verify(&verifier, &token).unwrap_err(), Reason::KeyUnavailable);
}

/// GHSA-4mq7-pvjg-xp2r: what one trust context verified says nothing in another.
#[test]
fn ghsa_4mq7_pvjg_xp2r_the_cache_is_keyed_by_the_whole_trust_context() {
    let key = key("ES256");
    let cache = Arc::new(TokenCache::new(1 << 20));
    let trusting =
        TokenVerifier::new(vec![Keys::publishing(&[key.public_jwk().unwrap()])], vec![Algorithm::ES256], cache.clone());
    let token = key.sign(&CLAIMS()).unwrap();
    assert!(verify(&trusting, &token).is_ok());
    let of = |location: &'static str, algorithm: Algorithm| {
        let keys = Keys::at(location, &[key.public_jwk().unwrap()]);
        TokenVerifier::new(vec![keys], vec![algorithm], cache.clone())
    };
    let rows =
        [("test", Algorithm::ES256, true), ("test", Algorithm::RS256, false), ("other", Algorithm::ES256, false)];
    for (location, algorithm, shared) in rows {
        let known = of(location, algorithm).known(token.as_bytes()).is_some();
        assert_eq!(known, shared, "{location} {algorithm:?}");
    }
    assert!(verify(&of("test", Algorithm::RS256), &token).is_err());
    assert!(verify(&trusting, &token).is_ok());
    assert_eq!(cache.len(), 1, "the same token twice takes one place");
}

#[test]
fn the_cache_keeps_to_its_limit_and_one_without_memory_remembers_nothing() {
    let key = key("EdDSA");
    let source = Keys::publishing(&[key.public_jwk().unwrap()]);
    let tokens: Vec<_> = (0..200)
        .map(|number| key.sign(&json!({"sub": format!("user-{number}"), "exp": 4_000_000_000_u64})).unwrap())
        .collect();
    // A token of these takes more than 512 bytes and less than 2 KiB.
    let rows = [(0, 0..=0), (64 << 10, 32..=128), (1 << 20, 200..=200), (u64::MAX, 200..=200)];
    for (limit, expected) in rows {
        let cache = Arc::new(TokenCache::new(limit));
        let verifier = TokenVerifier::new(vec![source.clone()], vec![Algorithm::EdDSA], cache.clone());
        for token in &tokens {
            assert!(verify(&verifier, token).is_ok(), "{limit}");
        }
        assert!(expected.contains(&cache.len()), "{limit}: {}", cache.len());
        let known = tokens.iter().filter(|token| verifier.known(token.as_bytes()).is_some()).count();
        assert_eq!((known, known == 0), (cache.len(), cache.is_empty()), "{limit}");
    }
}

/// [T] of serving spec 1.2: RS256, ES256, HS256 and RS512; and what pipeline spec 3.4 says besides.
#[test]
fn generated_keys_have_the_documented_shape() {
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(",");
    let rows = [
        ("RS256", "use,kty,kid,alg,n,e,d,p,q,dp,dq,qi"),
        ("RS512", "use,kty,kid,alg,n,e,d,p,q,dp,dq,qi"),
        ("ES256", "use,kty,kid,crv,alg,x,y,d"),
        ("ES512", "use,kty,kid,crv,alg,x,y,d"),
        ("EdDSA", "use,kty,kid,crv,alg,x,d"),
        ("HS256", "use,kty,kid,alg,k"),
    ];
    for (name, expected) in rows {
        let key = generate(name, "id", 0).unwrap();
        assert_eq!(members(&key), expected);
        assert_eq!((&key["alg"], &key["kid"], &key["use"]), (&name.into(), &"id".into(), &"sig".into()));
    }
}

#[test]
fn keys_of_other_sizes_are_not_generated() {
    let sizes = [("RS256", 1024), ("RS256", 2560), ("ES256", 384), ("HS256", 128), ("HS256", 257), ("HS256", 65544)];
    for (name, bits) in sizes.into_iter().chain([("none", 0), ("RS128", 0)]) {
        assert!(generate(name, "id", bits).is_err(), "{name} {bits}");
    }
}

/// Headers are remembered by their whole text, and only with a signature that was right.
#[test]
fn a_header_that_is_known_says_nothing_of_other_headers_or_of_the_signature() {
    let (own, stranger) = (key("ES256"), key("ES256"));
    let verifier = verifier(Keys::publishing(&[own.public_jwk().unwrap()]), &[Algorithm::ES256]);
    let signed_with = |header: Value| {
        let encode = |text: String| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
        let (_, signature) =
            own.sign(&CLAIMS()).unwrap().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        format!("{}.{}.{signature}", encode(header.to_string()), encode(CLAIMS().to_string()))
    };
    let rows = [
        (own.sign(&CLAIMS()).unwrap(), Ok(())),
        (stranger.sign(&CLAIMS()).unwrap(), Err(Reason::SignatureInvalid)),
        (own.sign(&json!({"sub": "bob", "exp": 4_000_000_000_u64})).unwrap(), Ok(())),
        (signed_with(json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]})), Err(Reason::TokenMalformed)),
        (signed_with(json!({"alg": "ES256", "kid": 1})), Err(Reason::TokenMalformed)),
        (signed_with(json!({"alg": "none"})), Err(Reason::SignatureInvalid)),
    ];
    for round in 0..2 {
        for (token, expected) in &rows {
            assert_eq!(verify(&verifier, token).map(drop), *expected, "{token} in round {round}");
        }
    }
}
