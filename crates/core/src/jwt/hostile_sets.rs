//! Key sets that somebody made to hurt, or by mistake.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::KeySet;
use super::generate::generate;
use super::key_set::{MAX_KEYS, MAX_SET_BYTES};
use super::sign::SigningKey;

fn parse(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn public(name: &str) -> Value {
    let key = SigningKey::read(generate(name, "k", 0).unwrap().to_string().as_bytes(), None, None).unwrap();
    key.public_jwk().unwrap().clone()
}

/// The key with one member of another value; removed when it is null.
fn with(key: &Value, member: &str, value: impl Into<Value>) -> Value {
    let mut key = key.clone();
    let value = value.into();
    match value.is_null() {
        true => drop(key.as_object_mut().unwrap().remove(member)),
        false => key[member] = value,
    }
    key
}

fn number(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn documents_that_are_no_sets_are_refused_whole() {
    let key = public("ES256");
    let nested = format!(r#"{{"keys":[],"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(MAX_SET_BYTES));
    let keys = key.to_string();
    let rows: Vec<(String, &str)> = vec![
        (String::new(), "not a JSON object"),
        ("[]".to_owned(), "not a JSON object"),
        (format!("[{keys}]"), "not a JSON object"),
        (keys.clone(), "no `keys` list"),
        (r#"{"keys":{}}"#.to_owned(), "no `keys` list"),
        (format!(r#"{{"keys":{keys}}}"#), "no `keys` list"),
        (r#"{"Keys":[]}"#.to_owned(), "no `keys` list"),
        (r#"{"keys":null}"#.to_owned(), "no `keys` list"),
        (r#"{"keys":[],"keys":[]}"#.to_owned(), "members written twice"),
        (r#"{"keys":[],"\u006beys":[]}"#.to_owned(), "members written twice"),
        (r#"{"keys":[{"kty":"EC","kty":"oct"}]}"#.to_owned(), "members written twice"),
        (r#"{"keys":[]}x"#.to_owned(), "not a JSON object"),
        (nested, "not a JSON object"),
        (long, "larger than 1 MiB"),
        (json!({"keys": vec![&key; MAX_KEYS + 1]}).to_string(), "more than 256 keys"),
        (json!({"keys": vec![json!({}); 10_000]}).to_string(), "more than 256 keys"),
    ];
    for (document, problem) in rows {
        let said = KeySet::parse(document.as_bytes()).unwrap_err().to_string();
        assert!(said.contains(problem), "{document:.80}: {said}");
    }
    assert_eq!(
        KeySet::parse(b"{\"keys\":[{\"kid\":\"\xff\"}]}").unwrap_err().to_string(),
        "not a JSON object, or members written twice"
    );
    let most = parse(&vec![key; MAX_KEYS]);
    assert_eq!((most.len(), most.is_empty()), (MAX_KEYS, false));
    let empty = r#"{"keys":[]}"#;
    let largest = format!("{empty}{}", " ".repeat((1 << 20) - empty.len()));
    assert!(KeySet::parse(largest.as_bytes()).unwrap().is_empty());
}

/// A key that cannot be used takes no other with it, and says why.
#[test]
fn keys_that_check_nothing_well_are_skipped_one_by_one() {
    let (rsa, ec, ed) = (public("RS256"), public("ES256"), public("EdDSA"));
    let modulus = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    let even = [&modulus[..modulus.len() - 1], &[modulus[modulus.len() - 1] & 0xfe]].concat();
    let of_bits = |bits: usize| {
        let mut long = vec![0xff; bits / 8];
        long[0] = 0xc1;
        number(&long)
    };
    let (x, y) = (ec["x"].as_str().unwrap(), ec["y"].as_str().unwrap());
    let (modulus_of, exponent) =
        (|value: String| with(&rsa, "n", value), |bytes: &[u8]| with(&rsa, "e", number(bytes)));
    let size = "its modulus is not between 2048 and 8192 bits";
    let unusable = "its exponent is not usable";
    let rows = [
        (modulus_of(of_bits(512)), size),
        (modulus_of(of_bits(1024)), size),
        (modulus_of(of_bits(2040)), size),
        (modulus_of(of_bits(8200)), size),
        (modulus_of(of_bits(64 * 1024 * 8)), size),
        (modulus_of(String::new()), size),
        (modulus_of(number(&[0; 256])), size),
        (modulus_of(number(&even)), "its modulus is even"),
        (with(&rsa, "n", Value::Null), "a member is missing"),
        (with(&rsa, "n", 5), "a member is missing"),
        (modulus_of(STANDARD.encode(&modulus)), "a member is not base64url"),
        (exponent(&[1]), unusable),
        (exponent(&[0, 1]), unusable),
        (exponent(&[]), unusable),
        (exponent(&[0]), unusable),
        (exponent(&[2]), unusable),
        (exponent(&[1, 0, 0]), unusable),
        (exponent(&[0xff; 5]), unusable),
        (exponent(&modulus), unusable),
        // Off the curve, at infinity, and of another curve.
        (with(&ec, "x", y), "its point is not on the curve"),
        (with(&with(&ec, "x", number(&[0; 32])), "y", number(&[0; 32])), "its point is not on the curve"),
        (with(&ec, "y", number(&[0xff; 32])), "its point is not on the curve"),
        (with(&ec, "x", number(&[1; 31])), "a coordinate has the wrong length"),
        (
            with(&ec, "x", number(&[&[0][..], &URL_SAFE_NO_PAD.decode(x).unwrap()].concat())),
            "a coordinate has the wrong length",
        ),
        (with(&ec, "crv", "P-384"), "a coordinate has the wrong length"),
        (with(&ec, "crv", "secp256k1"), "its curve is not supported"),
        (with(&ec, "crv", "p-256"), "its curve is not supported"),
        (with(&ec, "crv", Value::Null), "its curve is not supported"),
        (with(&ed, "crv", "X25519"), "its type is not supported"),
        (with(&ed, "crv", "Ed448"), "its type is not supported"),
        (with(&ed, "x", number(&[0; 31])), "a coordinate has the wrong length"),
        // One type taken for another.
        (with(&ec, "kty", "RSA"), "a member is missing"),
        (with(&rsa, "kty", "EC"), "its curve is not supported"),
        (with(&ec, "kty", "OKP"), "its type is not supported"),
        (with(&rsa, "kty", "oct"), "a member is missing"),
        (with(&rsa, "kty", "rsa"), "its type is not supported"),
        (with(&rsa, "kty", Value::Null), "its type is not supported"),
        // Made for something else.
        (with(&rsa, "use", "enc"), "its `use` is not `sig`"),
        (with(&rsa, "use", ""), "its `use` is not `sig`"),
        (with(&rsa, "key_ops", json!(["encrypt"])), "its `key_ops` hold no `verify`"),
        (with(&rsa, "key_ops", json!([])), "its `key_ops` hold no `verify`"),
        (with(&rsa, "key_ops", "verify"), "its `key_ops` hold no `verify`"),
        (with(&rsa, "alg", "RSA-OAEP"), "its `alg` is not supported"),
        (with(&rsa, "alg", "none"), "its `alg` is not supported"),
        (with(&rsa, "alg", "ES256"), "its `alg` does not fit its type"),
        (with(&ec, "alg", "HS256"), "its `alg` does not fit its type"),
        (json!({"kty": "oct", "k": number(&[7; 31])}), "a symmetric key needs at least 32 bytes"),
        (json!({"kty": "oct", "k": ""}), "a symmetric key needs at least 32 bytes"),
        (json!({"kty": "oct", "k": number(&[7; 32]), "alg": "HS512"}), "its `alg` does not fit its type"),
        (json!(["not", "an", "object"]), "not an object"),
        (json!(null), "not an object"),
    ];
    for (key, reason) in rows {
        let set = parse(&[key.clone(), with(&ec, "kid", "good")]);
        let said = set.skipped().join("; ");
        assert_eq!(set.len(), 1, "{key}");
        assert_eq!(said, format!("key 0: {reason}"), "{key:.200}");
    }
}

/// Published by mistake, they are reduced to what is public, and nothing of them is shown.
#[test]
fn private_keys_in_a_set_are_reduced_to_their_public_halves() {
    for name in ["RS256", "ES256", "EdDSA"] {
        let private = generate(name, "k", 0).unwrap();
        let set = parse(std::slice::from_ref(&private));
        assert_eq!((set.len(), set.skipped().len()), (1, 0), "{name}");
        let shown = format!("{set:?}");
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            let secret = private[member].as_str();
            assert!(secret.is_none_or(|secret| !shown.contains(secret)), "{name} {member}: {shown}");
        }
        assert_eq!(set.revision(), parse(&[public_half(&private)]).revision(), "{name}");
    }
}

fn public_half(private: &Value) -> Value {
    let key = SigningKey::read(private.to_string().as_bytes(), None, None).unwrap();
    key.public_jwk().unwrap().clone()
}

/// Which of two keys of one name is meant nobody can know, whatever order they come in and whether both can be used.
#[test]
fn a_name_that_two_keys_have_is_ambiguous() {
    let (one, other) = (public("ES256"), public("ES256"));
    for second in [other.clone(), one.clone(), public("RS256"), with(&other, "x", "AA"), json!({"kid": "k"})] {
        for keys in [[one.clone(), second.clone()], [second.clone(), one.clone()]] {
            assert!(parse(&keys).is_ambiguous("k"), "{second}");
        }
    }
    for second in [with(&other, "kid", "K"), with(&other, "kid", Value::Null), with(&other, "use", "enc")] {
        assert!(!parse(&[one.clone(), second.clone()]).is_ambiguous("k"), "{second}");
    }
}

/// Who may write a set can be somebody who may read it: a secret beside public keys is none.
#[test]
fn symmetric_keys_beside_public_ones_verify_nothing() {
    let secret = json!({"kty": "oct", "kid": "s", "k": number(&[7; 32])});
    assert_eq!(parse(std::slice::from_ref(&secret)).len(), 1);
    let both = parse(&[secret, public("ES256")]);
    assert_eq!((both.len(), both.skipped()), (1, &["symmetric keys beside public ones".to_owned()][..]));
}
