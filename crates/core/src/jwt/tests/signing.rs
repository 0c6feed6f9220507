//! Keys of every kind: what signs, what it is called, and whose signatures it checks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::ALGORITHMS;
use super::super::sign::thumbprint;
use super::*;

/// A key of a JWK, for an algorithm, and the set that checks what it signs.
fn pair(jwk: &Value, algorithm: Algorithm) -> (SigningKey, Arc<Keys>) {
    let key = SigningKey::read(jwk.to_string().as_bytes(), Some(algorithm), None).unwrap();
    let checks = key.public_jwk().unwrap_or(jwk).clone();
    (key, Keys::publishing(&[&checks]))
}

#[test]
fn each_hash_of_rsa_and_hmac_is_its_own() {
    let (rsa, mut shared) = (generate("RS256", "k1", 0).unwrap(), generate("HS512", "k1", 0).unwrap());
    shared.as_object_mut().unwrap().remove("alg");
    let verifiers = |source: &Arc<Keys>| -> Vec<_> {
        ALGORITHMS.iter().map(|(_, one)| (*one, verifier(source.clone(), &[*one]))).collect()
    };
    for (name, algorithm) in ALGORITHMS.iter().filter(|(name, _)| !name.starts_with('E')) {
        let (key, source) = pair(if name.starts_with('H') { &shared } else { &rsa }, *algorithm);
        let token = key.sign(&CLAIMS()).unwrap();
        for (one, verifier) in verifiers(&source) {
            let expected = if one == *algorithm { Ok(()) } else { Err(Reason::SignatureInvalid) };
            assert_eq!(verify(&verifier, &token).map(drop), expected, "{name} as {one:?}");
        }
    }
    // By another implementation, so that not both sides take one hash for another.
    for (name, theirs) in [
        ("HS256", jsonwebtoken::Algorithm::HS256),
        ("HS384", jsonwebtoken::Algorithm::HS384),
        ("HS512", jsonwebtoken::Algorithm::HS512),
    ] {
        let (key, source) = pair(&shared, algorithm(name).unwrap());
        let secret = URL_SAFE_NO_PAD.decode(shared["k"].as_str().unwrap()).unwrap();
        let secret = jsonwebtoken::EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::new(theirs), &CLAIMS(), &secret).unwrap();
        assert!(verify(&verifier(source, &[key.algorithm()]), &token).is_ok(), "{name}");
    }
}

#[test]
fn a_shared_secret_needs_32_octets() {
    let of = |length: usize| json!({"kty": "oct", "kid": "k1", "k": URL_SAFE_NO_PAD.encode(vec![7; length])});
    for (length, sound) in [(31, false), (32, true), (33, true)] {
        let read = SigningKey::read(of(length).to_string().as_bytes(), None, None);
        assert_eq!(read.map(|key| key.algorithm()).ok(), sound.then_some(Algorithm::HS256), "{length}");
    }
    let set = json!({"keys": [{"kty": "RSA"}, of(32)]});
    assert_eq!(SigningKey::read(set.to_string().as_bytes(), None, None).unwrap().key_id(), "k1");
}

#[test]
fn keys_sign_by_no_algorithm_of_another_kind() {
    let (ec, mut okp) = (generate("ES256", "k1", 0).unwrap(), generate("EdDSA", "k1", 0).unwrap());
    let refusal = |jwk: &Value, algorithm: Option<Algorithm>| {
        SigningKey::read(jwk.to_string().as_bytes(), algorithm, None).unwrap_err().to_string()
    };
    for (algorithm, name) in [(Algorithm::PS256, "PS256"), (Algorithm::HS256, "HS256"), (Algorithm::ES384, "ES384")] {
        assert_eq!(refusal(&ec, Some(algorithm)), format!("its type does not fit {name}"));
    }
    okp["crv"] = "X25519".into();
    assert_eq!(refusal(&okp, None), "its type or curve is not supported");
}

#[test]
fn rsa_and_ed25519_are_read_from_pem_with_their_public_halves() {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RsaKeyPair};

    let block = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der)).into_bytes();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = rsa.public_key().as_der().unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let ed_public: PublicKeyX509Der<'_> = ed.public_key().as_der().unwrap();
    let rows = [
        (Algorithm::RS256, block("PRIVATE KEY", private.as_ref()), block("PUBLIC KEY", public.as_ref())),
        (Algorithm::PS512, block("PRIVATE KEY", private.as_ref()), block("PUBLIC KEY", public.as_ref())),
        (
            Algorithm::EdDSA,
            block("PRIVATE KEY", ed.to_pkcs8v1().unwrap().as_ref()),
            block("PUBLIC KEY", ed_public.as_ref()),
        ),
    ];
    let others = [&rows[2].2, &rows[2].2, &rows[0].2];
    for ((algorithm, private, public), other) in rows.iter().zip(others) {
        let key = SigningKey::read(private, Some(*algorithm), None).unwrap();
        assert!(key.matches_public_pem(public) && !key.matches_public_pem(other), "{algorithm:?}");
        let own = verifier(Keys::publishing(&[key.public_jwk().unwrap()]), &[*algorithm]);
        assert!(verify(&own, &key.sign(&CLAIMS()).unwrap()).is_ok(), "{algorithm:?}");
    }
    let problem = SigningKey::read(&rows[2].1, Some(Algorithm::HS256), None).unwrap_err();
    assert_eq!(problem.to_string(), "a PEM file cannot hold a symmetric key");
}

/// RFC 7638 section 3.1 and RFC 8037 A.3; that of the key of RFC 7515 A.3 was worked out elsewhere.
#[test]
fn thumbprints_are_those_of_the_standards() {
    let rows = [
        (
            json!({
                "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
                "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSo\
                      c_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YG\
                      jQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt\
                      -bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDK\
                      gw",
            }),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        ),
        (
            json!({
                "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
            "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
        ),
    ];
    for (jwk, expected) in rows {
        assert_eq!(thumbprint(&jwk), expected, "{}", jwk["kty"]);
    }
}

#[test]
fn a_token_without_kid_is_tried_against_eight_keys() {
    let keys: Vec<SigningKey> = (0..9).map(|_| key("ES256")).collect();
    let published: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(number, key)| {
            let mut jwk = key.public_jwk().unwrap().clone();
            jwk["kid"] = number.to_string().into();
            jwk
        })
        .collect();
    let verifier = verifier(Keys::publishing(&published.iter().collect::<Vec<_>>()), &[Algorithm::ES256]);
    for (number, expected) in [(0, Ok(())), (7, Ok(())), (8, Err(Reason::SignatureInvalid))] {
        let token = keys[number].sign_without_kid(&CLAIMS()).unwrap();
        assert_eq!(verify(&verifier, &token).map(drop), expected, "{number}");
    }
}

#[test]
fn headers_of_usual_length_are_remembered() {
    let cache = Arc::new(TokenCache::new(1 << 20));
    for (length, remembered) in [(8, true), (600, false)] {
        let mut jwk = generate("ES256", "k1", 0).unwrap();
        jwk["kid"] = "k".repeat(length).into();
        let (key, source) = pair(&jwk, Algorithm::ES256);
        let token = key.sign(&CLAIMS()).unwrap();
        let verifier = TokenVerifier::new(vec![source], vec![Algorithm::ES256], cache.clone());
        assert!(verify(&verifier, &token).is_ok());
        let known = cache.headers.find(token.split('.').next().unwrap());
        assert_eq!(known.is_some(), remembered, "{length}");
    }
}

#[test]
fn a_set_changes_with_its_keys() {
    let (one, other) = (generate("ES256", "k1", 0).unwrap(), generate("ES256", "k1", 0).unwrap());
    let [first, again, second] = [&one, &one, &other]
        .map(|key| KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap().revision());
    assert!(first == again && first != second);
}
