//! Tokens that somebody made to be taken for something else.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::tests::Keys;
use super::verify::TokenVerifier;
use super::{ALGORITHMS, Algorithm, TokenCache};
use crate::pipeline::denial::Reason;
use crate::pipeline::step::Step;

/// A key whose owner signs anything.
struct Signer {
    pair: EcdsaKeyPair,
    jwk: Value,
}

const CLAIMS: &str = r#"{"sub":"alice","exp":4000000000}"#;
const HEADER: &str = r#"{"alg":"ES256","kid":"k"}"#;

impl Signer {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        Self { jwk: json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}), pair }
    }

    /// A compact JWS of parts that are encoded already, signed as they are written.
    fn sign_encoded(&self, header: &str, payload: &str) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), format!("{header}.{payload}").as_bytes()).unwrap();
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.sign_encoded(&URL_SAFE_NO_PAD.encode(header), &URL_SAFE_NO_PAD.encode(payload))
    }

    /// Trusts this key, for every algorithm.
    fn verifier(&self) -> TokenVerifier {
        verifier(&[&self.jwk])
    }
}

fn verifier(keys: &[&Value]) -> TokenVerifier {
    let algorithms = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect();
    TokenVerifier::new(vec![Keys::publishing(keys)], algorithms, Arc::new(TokenCache::new(1 << 20)))
}

/// Both when the token is new and when one like it may be remembered.
fn verdict(verifier: &TokenVerifier, token: &str) -> Result<(), Reason> {
    let once = || match verifier.verify(token) {
        Step::Ready(outcome) => outcome.map(drop),
        // Another key is wanted than there is.
        Step::Pending(_) => Err(Reason::KeyUnavailable),
    };
    let first = once();
    assert_eq!(once(), first, "{token}");
    assert_eq!(verifier.known(token.as_bytes()).is_some(), first.is_ok(), "{token}");
    first
}

/// Every header here is signed with the right key: only what it says makes the difference.
#[test]
fn headers_that_say_what_nobody_here_understands_are_refused() {
    let signer = Signer::new();
    let verifier = signer.verifier();
    let nested = |depth: usize| format!(r#"{{"alg":"ES256","x":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let (shallow, deep, deepest) = (nested(14), nested(16), nested(2500));
    let (malformed, other) = (Err(Reason::TokenMalformed), Err(Reason::SignatureInvalid));
    let rows: Vec<(&[u8], Result<(), Reason>)> = vec![
        (HEADER.as_bytes(), Ok(())),
        (br#"{"alg":"ES256"}"#, Ok(())),
        (br#"{"alg":"ES256","typ":"JWT","kid":"k"}"#, Ok(())),
        (shallow.as_bytes(), Ok(())),
        (deep.as_bytes(), malformed),
        (deepest.as_bytes(), malformed),
        // RFC 7515 section 4.1.11, RFC 7797.
        (br#"{"alg":"ES256","crit":["exp"],"exp":1}"#, malformed),
        (br#"{"alg":"ES256","crit":[]}"#, malformed),
        (br#"{"alg":"ES256","crit":null}"#, malformed),
        (br#"{"alg":"ES256","crit":["b64"],"b64":false}"#, malformed),
        (br#"{"alg":"ES256","b64":false}"#, malformed),
        (br#"{"alg":"ES256","b64":true}"#, malformed),
        // Members that are written twice, also in another spelling, also further inside.
        (br#"{"alg":"none","alg":"ES256"}"#, malformed),
        (br#"{"alg":"ES256","alg":"none"}"#, malformed),
        (br#"{"alg":"ES256","\u0061lg":"none"}"#, malformed),
        (br#"{"alg":"ES256","kid":"k","kid":"k"}"#, malformed),
        (br#"{"alg":"ES256","x":{"y":1,"y":1}}"#, malformed),
        // No text, or of another type.
        (br#"{"alg":["ES256"]}"#, malformed),
        (br#"{"alg":null}"#, malformed),
        (br#"{"alg":256}"#, malformed),
        (br#"{"ALG":"ES256"}"#, malformed),
        (br#"{"kid":"k"}"#, malformed),
        (br#"{"alg":"ES256","kid":""}"#, malformed),
        (br#"{"alg":"ES256","kid":["k"]}"#, malformed),
        (br#"{"alg":"ES256","kid":{"k":1}}"#, malformed),
        (b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", malformed),
        (b"{\"alg\":\"ES256\xc0\x80\"}", malformed),
        (b"\xef\xbb\xbf{\"alg\":\"ES256\"}", malformed),
        (br#"{"alg":"ES256","x":1e999}"#, malformed),
        (br#"{"alg":"ES256"}{}"#, malformed),
        (br#"[{"alg":"ES256"}]"#, malformed),
        (br#""ES256""#, malformed),
        (b"", malformed),
        // No algorithm, or none of this name.
        (br#"{"alg":""}"#, other),
        (br#"{"alg":"es256"}"#, other),
        (br#"{"alg":"ES256 "}"#, other),
        (br#"{"alg":"ES256\u0000"}"#, other),
        (br#"{"alg":"ES256K"}"#, other),
        (br#"{"alg":"EdDSA"}"#, Err(Reason::KeyUnavailable)),
        (br#"{"alg":"HS256"}"#, Err(Reason::KeyUnavailable)),
        (br#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, other),
        (br#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#, other),
        (br#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AA","enc":"A128GCM"}"#, other),
    ];
    for (header, expected) in rows {
        let token = signer.sign(header, CLAIMS);
        assert_eq!(verdict(&verifier, &token), expected, "{}", String::from_utf8_lossy(header));
    }
}

/// RFC 8725 section 3.2, and libraries that compared without regard to case: with the signature left out, kept, or empty.
#[test]
fn none_is_no_algorithm_in_any_case() {
    let signer = Signer::new();
    let verifier = signer.verifier();
    let right = signer.sign(HEADER, CLAIMS);
    let (_, signature) = right.rsplit_once('.').unwrap();
    for cases in 0..16 {
        let name: String = "none"
            .chars()
            .enumerate()
            .map(|(place, letter)| if cases & (1 << place) == 0 { letter } else { letter.to_ascii_uppercase() })
            .collect();
        for header in [format!(r#"{{"alg":"{name}"}}"#), format!(r#"{{"alg":"{name}","kid":"k","typ":"JWT"}}"#)] {
            let unsigned = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(CLAIMS));
            let own = signer.sign(&header, CLAIMS);
            for token in [format!("{unsigned}."), format!("{unsigned}.{signature}"), format!("{unsigned}.AA"), own] {
                assert_eq!(verdict(&verifier, &token), Err(Reason::SignatureInvalid), "{header} {token}");
            }
            assert_eq!(verdict(&verifier, &unsigned), Err(Reason::TokenMalformed));
        }
    }
    let (signed, _) = right.rsplit_once('.').unwrap();
    for signature in ["", "AA"] {
        assert_eq!(verdict(&verifier, &format!("{signed}.{signature}")), Err(Reason::SignatureInvalid));
    }
}

/// Keys that a token brings along verify nothing, although their signature would be right.
#[test]
fn keys_in_a_token_are_not_looked_at() {
    let (own, attacker) = (Signer::new(), Signer::new());
    let verifier = own.verifier();
    let members = [
        json!({"jwk": attacker.jwk}),
        json!({"jku": "https://attacker.example/keys"}),
        json!({"x5u": "https://attacker.example/chain"}),
        json!({"x5c": ["MIIB"], "x5t": "AA", "x5t#S256": "AA"}),
        json!({"jwk": attacker.jwk, "jku": "file:///etc/keys", "kid": "../../dev/null"}),
        json!({"kid": "k' OR '1'='1", "jwk": attacker.jwk}),
    ];
    for extra in members {
        let mut header = json!({"alg": "ES256", "kid": "k"});
        for (name, value) in extra.as_object().unwrap() {
            header[name.as_str()] = value.clone();
        }
        let expected = if header["kid"] == "k" { Reason::SignatureInvalid } else { Reason::KeyUnavailable };
        assert_eq!(verdict(&verifier, &attacker.sign(header.to_string(), CLAIMS)), Err(expected), "{header}");
        // They do no harm to a token whose signature is right.
        header["kid"] = "k".into();
        assert_eq!(verdict(&verifier, &own.sign(header.to_string(), CLAIMS)), Ok(()), "{header}");
    }
}

/// A token inside of a token (`cty`, RFC 7519 section 5.2) is not opened: what is signed has to be claims.
#[test]
fn a_token_inside_of_a_token_is_no_claims() {
    let signer = Signer::new();
    let inner = signer.sign(HEADER, CLAIMS);
    for content_type in ["JWT", "jwt", "application/jwt"] {
        let header = format!(r#"{{"alg":"ES256","kid":"k","cty":"{content_type}"}}"#);
        assert_eq!(verdict(&signer.verifier(), &signer.sign(header, &inner)), Err(Reason::TokenMalformed));
    }
}

#[test]
fn payloads_that_two_readers_could_read_differently_are_refused() {
    let signer = Signer::new();
    let verifier = signer.verifier();
    let nested = |depth: usize| format!(r#"{{"exp":4000000000,"x":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let objects =
        |depth: usize| format!(r#"{{"exp":4000000000,"x":{}1{}}}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let good = [CLAIMS.to_owned(), nested(14), objects(14), r#"{"exp":4000000000,"n":1e300}"#.to_owned()];
    for payload in good {
        assert_eq!(verdict(&verifier, &signer.sign(HEADER, &payload)), Ok(()), "{payload}");
    }
    let bad: [&[u8]; 20] = [
        nested(16).leak().as_bytes(),
        nested(2900).leak().as_bytes(),
        objects(16).leak().as_bytes(),
        objects(900).leak().as_bytes(),
        br#"{"sub":"alice","sub":"root","exp":4000000000}"#,
        br#"{"sub":"alice","s\u0075b":"root","exp":4000000000}"#,
        br#"{"exp":4000000000,"x":{"a":1,"a":2}}"#,
        br#"{"exp":4000000000,"n":1e999}"#,
        br#"{"exp":1e999}"#,
        br#"{"exp":NaN}"#,
        br#"{"exp":Infinity}"#,
        br#"{"exp":04000000000}"#,
        b"{\"sub\":\"\xff\",\"exp\":4000000000}",
        b"{\"sub\":\"\xed\xa0\x80\",\"exp\":4000000000}",
        br#"{"sub":"\ud800","exp":4000000000}"#,
        b"{\"sub\":\"a\0b\",\"exp\":4000000000}",
        br#"{"exp":4000000000} {}"#,
        br#"{"exp":4000000000,}"#,
        b"",
        b"null",
    ];
    for payload in bad {
        let outcome = verdict(&verifier, &signer.sign(HEADER, payload));
        assert_eq!(outcome, Err(Reason::TokenMalformed), "{}", String::from_utf8_lossy(payload));
    }
}

/// One token has one spelling (RFC 7515 section 2; RFC 4648 sections 3.2 to 3.5): otherwise what is revoked, logged or
/// counted by its text could be shown again as another.
#[test]
fn a_token_has_one_spelling() {
    let signer = Signer::new();
    let verifier = signer.verifier();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // Payloads of each length modulo three, so that each number of unused bits occurs; the signature leaves four.
    for filler in ["", "a", "aa"] {
        let token = signer.sign(HEADER, format!(r#"{{"exp":4000000000,"x":"{filler}"}}"#));
        assert_eq!(verdict(&verifier, &token), Ok(()));
        let parts: Vec<&str> = token.split('.').collect();
        for place in 0..3 {
            let with = |part: String| {
                let mut parts = parts.clone();
                parts[place] = &part;
                parts.join(".")
            };
            let part = parts[place];
            let mut spellings: Vec<String> = ["=", "==", " ", "\n", "\r\n", "\t", "\0", "A", "%3D", ".", "..", ","]
                .iter()
                .flat_map(|extra| [format!("{part}{extra}"), format!("{extra}{part}")])
                .collect();
            spellings.push(format!("{} {}", &part[..4], &part[4..]));
            spellings.push(format!("{}\n{}", &part[..4], &part[4..]));
            spellings.push(URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).unwrap()));
            spellings.push(STANDARD_NO_PAD.encode(URL_SAFE_NO_PAD.decode(part).unwrap()));
            // Other unused bits at the end mean the same octets to lenient readers.
            let unused = [0, 0, 4, 2][part.len() % 4];
            let last = alphabet.iter().position(|letter| part.ends_with(char::from(*letter))).unwrap();
            for bits in 1..1_usize << unused {
                spellings.push(format!("{}{}", &part[..part.len() - 1], char::from(alphabet[last ^ bits])));
            }
            for spelling in spellings.iter().filter(|spelling| *spelling != part) {
                assert!(verdict(&verifier, &with(spelling.clone())).is_err(), "{place} {spelling:?}");
            }
        }
        // Signed in another spelling by whoever has the key, it is none either.
        let padded = signer.sign_encoded(&URL_SAFE.encode(HEADER), &URL_SAFE.encode(CLAIMS));
        let standard = signer.sign_encoded(
            &URL_SAFE_NO_PAD.encode(HEADER),
            &STANDARD_NO_PAD.encode("{\"exp\":4000000000,\"x\":\"\u{3ff}\u{3fe}?>?>~~\"}"),
        );
        assert!(padded.contains('=') || URL_SAFE.encode(CLAIMS) == URL_SAFE_NO_PAD.encode(CLAIMS));
        assert!(standard.contains(['+', '/']));
        for token in [padded, standard].iter().filter(|token| token.contains(['=', '+', '/'])) {
            assert_eq!(verdict(&verifier, token), Err(Reason::TokenMalformed), "{token}");
        }
    }
}

/// RFC 7515 section 7.2: the same content in the other serialisations is no compact token.
#[test]
fn json_serialisations_are_refused() {
    let signer = Signer::new();
    let token = signer.sign(HEADER, CLAIMS);
    let parts: Vec<&str> = token.split('.').collect();
    let flattened = json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]});
    let general = json!({
        "payload": parts[1],
        "signatures": [
            {"protected": parts[0], "signature": parts[2]},
            {"protected": URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), "signature": ""},
        ],
    });
    let dotted = json!({"payload": parts[1], "protected": parts[0], "signature": parts[2], "header": {"x": ".."}});
    for form in [flattened, general, dotted] {
        assert_eq!(verdict(&signer.verifier(), &form.to_string()), Err(Reason::TokenMalformed), "{form}");
    }
}

/// CVE-2022-21449 ("psychic signatures"): of zeros, and of numbers that are zero modulo the order.
#[test]
fn cve_2022_21449_signatures_of_zeros_verify_nothing() {
    let signer = Signer::new();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&order[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let (zero, mut one) = (vec![0_u8; 32], vec![0_u8; 32]);
    one[31] = 1;
    let numbers = [&zero, &one, &order];
    let (signed, right) =
        signer.sign(HEADER, CLAIMS).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let right = URL_SAFE_NO_PAD.decode(right).unwrap();
    let mut signatures: Vec<Vec<u8>> =
        numbers.iter().flat_map(|r| numbers.iter().map(|s| [r.as_slice(), s.as_slice()].concat())).collect();
    // Of another length, and in the DER form of other protocols (RFC 7518 section 3.4 has none).
    signatures.extend([vec![0; 63], vec![0; 65], vec![0; 128], vec![0; 96], [right.as_slice(), &[0]].concat()]);
    signatures.push([&[0x30, 0x44, 2, 0x20][..], &right[..32], &[2, 0x20], &right[32..]].concat());
    signatures.push(vec![0x30, 6, 2, 1, 0, 2, 1, 0]);
    for signature in signatures {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(verdict(&signer.verifier(), &token), Err(Reason::SignatureInvalid), "{signature:?}");
    }
}

/// The same name for the keys of two issuers: a rule that trusts one of them does not trust the other, and a token that
/// was verified for one is not known to the other.
#[test]
fn a_key_of_another_issuer_with_the_same_name_verifies_nothing() {
    let (one, other) = (Signer::new(), Signer::new());
    let cache = Arc::new(TokenCache::new(1 << 20));
    let trusting =
        |keys: &Value, name| TokenVerifier::new(vec![Keys::at(name, &[keys])], vec![Algorithm::ES256], cache.clone());
    let (of_one, of_other) = (trusting(&one.jwk, "https://one/keys"), trusting(&other.jwk, "https://other/keys"));
    let token = one.sign(HEADER, CLAIMS);
    for _ in 0..2 {
        assert_eq!(verdict(&of_one, &token), Ok(()));
        assert_eq!(verdict(&of_other, &token), Err(Reason::SignatureInvalid));
    }
}

/// APISIX CVE-2026-39999, with every text that somebody could take the public key for.
#[test]
fn cve_2026_39999_a_public_key_is_no_secret_in_any_spelling() {
    let signer = Signer::new();
    let point = signer.pair.public_key().as_ref().to_vec();
    // RFC 5480 section 2: what precedes the point in a SubjectPublicKeyInfo of this curve.
    let prefix = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
        1, 7, 3, 0x42, 0,
    ];
    let der = [&prefix[..], &point].concat();
    let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", der.as_slice()));
    let secrets = [
        pem.clone().into_bytes(),
        pem.replace("\r\n", "\n").into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        der,
        point,
        signer.jwk.to_string().into_bytes(),
        signer.jwk["x"].as_str().unwrap().as_bytes().to_vec(),
        Vec::new(),
    ];
    let verifier = signer.verifier();
    for (name, hash) in [
        ("HS256", aws_lc_rs::hmac::HMAC_SHA256),
        ("HS384", aws_lc_rs::hmac::HMAC_SHA384),
        ("HS512", aws_lc_rs::hmac::HMAC_SHA512),
    ] {
        for secret in &secrets {
            for kid in [r#","kid":"k""#, ""] {
                let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{name}"{kid}}}"#));
                let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(CLAIMS));
                let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(hash, secret), signed.as_bytes());
                let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
                assert!(verdict(&verifier, &token).is_err(), "{name} {kid}");
            }
        }
    }
}

#[test]
fn a_token_is_looked_at_up_to_a_length() {
    let signer = Signer::new();
    let of = |filler: usize| signer.sign(HEADER, format!(r#"{{"exp":4000000000,"x":"{}"}}"#, "a".repeat(filler)));
    let most = (0..8192).rev().map(of).find(|token| token.len() <= 8192).unwrap();
    assert!(most.len() >= 8191);
    assert_eq!(verdict(&signer.verifier(), &most), Ok(()));
    assert_eq!(verdict(&signer.verifier(), &of(8192)), Err(Reason::TokenMalformed));
}
