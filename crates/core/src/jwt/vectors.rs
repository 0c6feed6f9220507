//! Published test vectors: Wycheproof, the JOSE cookbook, and the RFCs' own examples.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::Value;

use super::headers::KnownHeaders;
use super::sign::thumbprint;
use super::tests::Keys;
use super::verify::TokenVerifier;
use super::{ALGORITHMS, TokenCache, token};

macro_rules! vector {
    ($path:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../../vectors/", $path))).unwrap()
    };
}

/// Whether a compact JWS is well formed and one of the keys verifies it, every algorithm allowed.
fn accepts(jws: &str, keys: &[&Value]) -> bool {
    let source = Keys::publishing(keys);
    let algorithms = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect();
    let verifier = TokenVerifier::new(vec![source], algorithms, Arc::new(TokenCache::new(1024)));
    token::decode(jws, &KnownHeaders::default()).is_ok_and(|decoded| verifier.find_key(&decoded).is_ok())
}

fn keys(group: &Value) -> Vec<&Value> {
    let own = if group["public"].is_null() { &group["private"] } else { &group["public"] };
    own["keys"].as_array().map_or_else(|| vec![own], |keys| keys.iter().collect())
}

/// Cases answered otherwise than their file says, with the reason.
const OTHERWISE: &[(&str, &[u64], &str)] = &[
    (
        "signature",
        &[346, 350],
        "signed with PS384, the key says PS256: a key is for one algorithm (RFC 8725 section 3.1)",
    ),
    ("signature", &[347, 351], "their key is for `ES521`, which is no algorithm (RFC 7518 section 3.1 has ES512)"),
    (
        "signature",
        &[367, 370],
        "called invalid, but the same text as a valid case: the padding it speaks of is not there",
    ),
    ("signature", &[372, 373], "called valid, but holds a `?`, which is not base64url (RFC 7515 section 2)"),
];

/// Every case of a file: invalid ones are refused, valid ones accepted, listed ones the other way round.
fn play(name: &str, file: &Value) -> (usize, usize) {
    let (mut valid, mut invalid) = (0, 0);
    let mut wrong = Vec::new();
    for group in file["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let id = case["tcId"].as_u64().unwrap();
            let accepted = accepts(case["jws"].as_str().unwrap(), &keys(group));
            let listed = OTHERWISE.iter().any(|(file, ids, _)| *file == name && ids.contains(&id));
            let expected = (case["result"] == "valid") != listed;
            if case["result"] == "valid" {
                valid += 1
            } else {
                invalid += 1
            }
            if accepted != expected {
                wrong.push(format!("{id} {} {}: accepted {accepted}", group["comment"], case["comment"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{name}\n{}", wrong.join("\n"));
    (valid, invalid)
}

#[test]
fn wycheproof_signatures() {
    let file = vector!("wycheproof/json_web_signature_test.json");
    assert_eq!(play("signature", &file), (46, 355));
}

#[test]
fn wycheproof_keys() {
    let file = vector!("wycheproof/json_web_key_test.json");
    assert_eq!(play("key", &file), (5, 21));
}

/// Encrypted tokens are none of this proxy's: five parts, always refused.
#[test]
fn wycheproof_encrypted_tokens_are_refused() {
    let file = vector!("wycheproof/json_web_encryption_test.json");
    for group in file["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let jwe = case["jwe"].as_str().unwrap();
            assert!(!token::has_three_parts(jwe) || token::decode(jwe, &KnownHeaders::default()).is_err(), "{jwe}");
        }
    }
}

#[test]
fn rfc_examples() {
    let file = vector!("rfc/rfc7515-7638-8037.json");
    for case in file["jws"].as_array().unwrap() {
        let expected = case["result"] == "valid";
        let keys: Vec<&Value> = Some(&case["jwk"]).filter(|jwk| jwk.is_object()).into_iter().collect();
        assert_eq!(accepts(case["jws"].as_str().unwrap(), &keys), expected, "{}", case["ref"]);
    }
    for case in file["thumbprints"].as_array().unwrap() {
        let expected =
            case.as_object().unwrap().values().filter_map(Value::as_str).any(|text| text == thumbprint(&case["jwk"]));
        assert!(expected, "{}", case["ref"]);
    }
}

#[test]
fn jose_cookbook() {
    let rows = [
        (vector!("jose-cookbook/jws/4_1.rsa_v15_signature.json"), true),
        (vector!("jose-cookbook/jws/4_2.rsa-pss_signature.json"), true),
        (vector!("jose-cookbook/jws/4_4.hmac-sha2_integrity_protection.json"), true),
        (vector!("jose-cookbook/curve25519/jws.json"), true),
        (vector!("jose-cookbook/jws/4_3.ecdsa_signature.json"), true),
    ];
    for (example, expected) in rows {
        let compact = example["output"]["compact"].as_str().unwrap();
        assert_eq!(accepts(compact, &[&example["input"]["key"]]), expected, "{}", example["title"]);
    }
    // Unencoded and detached payloads are not JWTs (RFC 7797 section 7).
    let unencoded = vector!("jose-cookbook/rfc7797/4.2.hmac-sha2_b64_false.json");
    let signing = &unencoded["signing"];
    let parts = [&signing["protected_b64u"], &unencoded["input"]["payload"], &signing["sig"]]
        .map(|part| part.as_str().unwrap());
    assert!(!accepts(&parts.join("."), &[&unencoded["input"]["key"]]));
    let detached = vector!("jose-cookbook/jws/4_5.signature_with_detached_content.json");
    assert!(!accepts(detached["output"]["compact"].as_str().unwrap(), &[&detached["input"]["key"]]));
}
