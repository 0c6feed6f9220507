//! Tokens that made other verifiers work, fail or believe.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::same_flaw;
use keyward_testkit::tokens::Es256;
use serde_json::{Value, json};

/// A server that takes tokens of this key from one issuer.
fn serve(key: &Es256) -> (Running, Recorder) {
    let upstream = Recorder::start(true);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let keys = keyward.write("keys.json", &json!({"keys": [key.jwk()]}).to_string());
    let config = format!(
        "authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: ['file://{}'], allowed_algorithms: [ES256], \
         trusted_issuers: ['https://issuer.example']}}}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n",
        keys.display()
    );
    let rules = format!(
        "- id: r\n  match: {{url: 'http://h/<.*>', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{}'}}\n",
        upstream.port
    );
    (keyward.with(&config, &rules).start(), upstream)
}

fn claims() -> Value {
    json!({"sub": "s", "iss": "https://issuer.example", "exp": 4_000_000_000_u64})
}

/// Claims of which one is another.
fn but(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn status(running: &Running, token: &str) -> u16 {
    running.get("/", &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]).status()
}

/// Every token is refused, nothing reaches the upstream, and a good one is taken afterwards.
fn all_refused(tokens: impl FnOnce(&Es256) -> Vec<String>) {
    let key = Es256::new("k");
    let (running, upstream) = serve(&key);
    for token in tokens(&key) {
        assert_eq!(status(&running, &token), 401, "{token}");
    }
    assert!(upstream.take().is_empty());
    assert_eq!(status(&running, &key.sign(&json!({}), &claims())), 200, "{}", running.log());
}

/// Five parts under this header: what an encrypted token looks like.
fn encrypted(header: &Value) -> String {
    format!("{}.AAAA.AAAA.AAAA.AAAA", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// go-jose, jwx: an encrypted token unpacked to more than there was memory for, or asked for a million rounds of a hash,
/// or brought the process down.
fn encrypted_tokens_are_none() {
    all_refused(|key| {
        let rounds = json!({"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2_147_483_647, "p2s": "AAAA"});
        vec![
            encrypted(&json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"})),
            encrypted(&json!({"alg": "RSA-OAEP", "enc": "A128GCM", "kid": "k"})),
            encrypted(&json!({"alg": "ECDH-ES", "enc": "A128GCM", "epk": {}})),
            encrypted(&rounds),
            format!("{}....", URL_SAFE_NO_PAD.encode(rounds.to_string())),
            "....".to_owned(),
            key.sign(&json!({"alg": "PBES2-HS512+A256KW", "p2c": 2_147_483_647}), &claims()),
        ]
    });
}

same_flaw!(encrypted_tokens_are_none:
    cve_2024_28180_packed_tokens,
    cve_2024_28122_packed_tokens,
    ghsa_2c7c_3mj9_8fqh_rounds,
    cve_2023_49290_rounds,
    cve_2026_34986_encrypted_tokens,
);

/// golang-jwt, go-jose: a token of nothing but dots took memory for as many parts.
#[test]
fn cve_2025_27144_many_dots_are_no_token() {
    all_refused(|_| vec![".".repeat(7000), format!("a{}", ".a".repeat(3500)), ".".repeat(3), ".".repeat(2)]);
}

/// golang-jwt: of several faults the harmless one was told, and what took that for all let the token pass.
#[test]
fn cve_2024_51744_the_signature_is_judged_first() {
    let (key, stranger) = (Es256::new("k"), Es256::new("k"));
    let (running, upstream) = serve(&key);
    for claims in [but("exp", 1), but("iss", "https://other.example"), but("nbf", 4_000_000_000_u64)] {
        assert_eq!(status(&running, &stranger.sign(&json!({}), &claims)), 401);
    }
    let reasons: Vec<_> = running.audit(3).iter().map(|record| record["reason"].clone()).collect();
    assert_eq!(reasons, ["signature_invalid"; 3]);
    assert!(upstream.take().is_empty());
}

/// jsonwebtoken: a date of the wrong type counted as one that was not there.
fn a_date_of_the_wrong_type_is_none() {
    all_refused(|key| {
        let rows = [
            but("exp", "4000000000"),
            but("exp", json!([4_000_000_000_u64])),
            but("exp", Value::Null),
            but("exp", true),
            but("nbf", "0"),
            but("nbf", json!({})),
            but("iat", "0"),
        ];
        rows.iter().map(|claims| key.sign(&json!({}), claims)).collect()
    });
}

same_flaw!(a_date_of_the_wrong_type_is_none: cve_2026_25537_types, ghsa_h395_gr6q_cpjc_types);

/// oauth2-proxy, Authelia: a name was compared by a part of it, or not in one spelling.
fn names_are_compared_as_a_whole() {
    all_refused(|key| {
        let issuers = [
            "https://issuer.example@other.example",
            "https://issuer.example.other.example",
            "https://other.example/https://issuer.example",
            "https://issuer.example/",
            "https://ISSUER.example",
            " https://issuer.example",
            "https://issuer.example\u{0}",
            "",
        ];
        let mut tokens: Vec<_> = issuers.iter().map(|issuer| key.sign(&json!({}), &but("iss", *issuer))).collect();
        tokens.push(key.sign(&json!({}), &but("iss", json!(["https://issuer.example"]))));
        tokens
    });
}

same_flaw!(names_are_compared_as_a_whole: cve_2026_40574_names, cve_2026_47203_names);

/// APISIX: what was said about a bad token held the secret that it had been checked with.
#[test]
fn cve_2022_29266_what_is_said_of_a_bad_token_holds_no_key() {
    let secret = "hmac-canary-4471f0c2-that-is-long-enough";
    let encoded = URL_SAFE_NO_PAD.encode(secret);
    let upstream = Recorder::start(true);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let set = json!({"keys": [{"kty": "oct", "alg": "HS256", "use": "sig", "kid": "k", "k": encoded}]});
    let keys = keyward.write("keys.json", &set.to_string());
    let config = format!(
        "log: {{level: trace}}\nauthenticators: {{jwt: {{enabled: true, config: {{jwks_urls: ['file://{}'], \
         allowed_algorithms: [HS256]}}}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n\
         errors: {{handlers: {{json: {{enabled: true, config: {{verbose: true}}}}}}}}\n",
        keys.display()
    );
    let rules = format!(
        "- id: r\n  match: {{url: 'http://h/<.*>', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  errors: [{{handler: json}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{}'}}\n",
        upstream.port
    );
    let running = keyward.with(&config, &rules).start();
    let token = |header: &Value, claims: &Value| {
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 32]))
    };
    let good = json!({"alg": "HS256", "kid": "k"});
    let tokens = [
        token(&good, &claims()),
        token(&good, &but("exp", 1)),
        token(&good, &json!([])),
        token(&json!({"alg": "HS256"}), &claims()),
        token(&json!({"alg": "HS512", "kid": "k"}), &claims()),
        token(&json!({"alg": "none", "kid": "k"}), &claims()),
        token(&json!({"alg": "RS256", "kid": "k"}), &claims()),
        "x.y.z".to_owned(),
        String::new(),
    ];
    let mut told = Vec::new();
    for token in &tokens {
        let answer = running.get("/x", &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]);
        assert_eq!(answer.status(), 401, "{token}");
        told.push(format!("{answer:?} {}", answer.text()));
    }
    told.push(running.log());
    told.push(format!("{:?}", running.audit(tokens.len())));
    for path in ["/rules", "/health/ready?verbose", "/metrics", "/.well-known/jwks.json"] {
        told.push(running.api(path).unwrap().text());
    }
    for text in told {
        assert!(!text.contains(secret) && !text.contains(&encoded), "{text}");
    }
    assert!(upstream.take().is_empty());
}
