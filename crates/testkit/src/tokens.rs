//! Tokens with a header of one's own, signed as it is.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key for ES256.
pub struct Es256 {
    pair: EcdsaKeyPair,
    key_id: String,
}

impl Es256 {
    /// Makes one.
    pub fn new(key_id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { pair, key_id: key_id.to_owned() }
    }

    /// Its public half, as a JWK.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.key_id, "x": x, "y": y})
    }

    /// Its public half, as a point that is not compressed.
    pub fn point(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// Signs a header and a payload as they are, whatever they are.
    pub fn sign_bytes(&self, header: &[u8], payload: &[u8]) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs claims under a header; `alg` and `kid` are this key's unless the header says otherwise.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let mut whole = json!({"alg": "ES256", "kid": self.key_id});
        for (name, value) in header.as_object().unwrap() {
            whole[name.as_str()] = value.clone();
        }
        self.sign_bytes(whole.to_string().as_bytes(), claims.to_string().as_bytes())
    }
}
