//! Signing keys: what the issuer signs tokens with.

use std::fmt;

use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{Algorithm, algorithm_name, der};
use crate::strict_json;

/// A private key with its public half.
pub struct SigningKey {
    algorithm: Algorithm,
    key_id: String,
    encoding: EncodingKey,
    public: Value,
}

/// A key that cannot sign. Says what is wrong with it, never what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyError(String);

impl SigningKey {
    /// Reads a private key: a JWK, a key set (its first private key), or PEM (PKCS#8 or PKCS#1 RSA).
    /// `algorithm` and `key_id` go over what the key itself says; without a `kid` it is the key's
    /// thumbprint (RFC 7638).
    pub fn read(document: &[u8], algorithm: Option<Algorithm>, key_id: Option<&str>) -> Result<Self, SigningKeyError> {
        if document.trim_ascii_start().starts_with(b"-----BEGIN") {
            Self::from_pem(document, algorithm.unwrap_or(Algorithm::RS256), key_id)
        } else {
            let object = strict_json::object(document)
                .ok_or_else(|| refuse("it is neither PEM nor a JSON object, or it writes members twice"))?;
            let jwk = match object.get("keys").and_then(Value::as_array) {
                Some(keys) => keys
                    .iter()
                    .filter_map(Value::as_object)
                    .find(|key| key.contains_key("d") || key.contains_key("k"))
                    .cloned()
                    .ok_or_else(|| refuse("the set holds no private key"))?,
                None => object,
            };
            Self::from_jwk(&jwk, algorithm, key_id)
        }
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Its public half as a JWK; none for a symmetric key.
    pub fn public_jwk(&self) -> Option<&Value> {
        (!self.public.is_null()).then_some(&self.public)
    }

    /// Whether a PEM public key is the other half, shown by a signature.
    pub fn matches_public_pem(&self, pem: &[u8]) -> bool {
        let decoding = match self.algorithm {
            Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(pem),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
            _ => DecodingKey::from_rsa_pem(pem),
        };
        let Ok(decoding) = decoding else { return false };
        let message = b"which key is this?";
        jsonwebtoken::crypto::sign(message, &self.encoding, self.algorithm)
            .and_then(|signature| jsonwebtoken::crypto::verify(&signature, message, &decoding, self.algorithm))
            .unwrap_or(false)
    }

    /// Signs claims as a compact JWS with `typ`, `alg` and `kid`.
    pub fn sign(&self, claims: &Value) -> Result<String, SigningKeyError> {
        self.encode(Some(self.key_id.clone()), claims)
    }

    /// The same without `kid`, as issuers with a single key do.
    pub fn sign_without_kid(&self, claims: &Value) -> Result<String, SigningKeyError> {
        self.encode(None, claims)
    }

    fn encode(&self, key_id: Option<String>, claims: &Value) -> Result<String, SigningKeyError> {
        let mut header = jsonwebtoken::Header::new(self.algorithm);
        header.kid = key_id;
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(|error| refuse(error.to_string()))
    }

    fn from_pem(pem: &[u8], algorithm: Algorithm, key_id: Option<&str>) -> Result<Self, SigningKeyError> {
        let der = Zeroizing::new(pem_body(pem)?);
        if is_rsa(algorithm) {
            let numbers = der::rsa_integers(&der)
                .ok_or_else(|| refuse("it is not an RSA private key; name the algorithm of another kind of key"))?;
            return Self::from_rsa(numbers.iter().map(|number| number.to_vec()).collect(), algorithm, key_id);
        }
        match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => {
                let pair = EcdsaKeyPair::from_pkcs8(curve(algorithm).1, &der)
                    .map_err(|_| refuse("it is not a PKCS#8 private key of the algorithm's curve"))?;
                let public = ec_public(algorithm, pair.public_key().as_ref());
                Ok(Self::new(algorithm, key_id, EncodingKey::from_ec_der(&der), public))
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                    .map_err(|_| refuse("it is not a PKCS#8 Ed25519 private key"))?;
                let public = ed_public(pair.public_key().as_ref());
                Ok(Self::new(algorithm, key_id, EncodingKey::from_ed_der(&der), public))
            }
            _ => Err(refuse("a PEM file cannot hold a symmetric key")),
        }
    }

    pub(super) fn from_jwk(
        jwk: &Map<String, Value>,
        algorithm: Option<Algorithm>,
        key_id: Option<&str>,
    ) -> Result<Self, SigningKeyError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| {
            text(name)
                .and_then(|value| URL_SAFE_NO_PAD.decode(value).ok())
                .ok_or_else(|| refuse(format!("`{name}` is missing or not base64url")))
        };
        let named = text("alg").and_then(super::algorithm);
        let default = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => Algorithm::RS256,
            (Some("EC"), Some("P-256")) => Algorithm::ES256,
            (Some("EC"), Some("P-384")) => Algorithm::ES384,
            (Some("OKP"), Some("Ed25519")) => Algorithm::EdDSA,
            (Some("oct"), _) => Algorithm::HS256,
            _ => return Err(refuse("its type or curve is not supported")),
        };
        let algorithm = algorithm.or(named).unwrap_or(default);
        let key_id = key_id.or_else(|| text("kid").filter(|id| !id.is_empty()));
        match default {
            Algorithm::RS256 if is_rsa(algorithm) => {
                let numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].into_iter().map(bytes);
                Self::from_rsa(numbers.collect::<Result<_, _>>()?, algorithm, key_id)
            }
            Algorithm::ES256 | Algorithm::ES384 if algorithm == default => {
                let point = [&[4][..], &bytes("x")?, &bytes("y")?].concat();
                let secret = Zeroizing::new(bytes("d")?);
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve(algorithm).1, &secret, &point)
                    .map_err(|_| refuse("`d`, `x` and `y` are not a key pair"))?;
                let der = pair.to_pkcs8v1().map_err(|_| refuse("it cannot be encoded"))?;
                let encoding = EncodingKey::from_ec_der(der.as_ref());
                Ok(Self::new(algorithm, key_id, encoding, ec_public(algorithm, &point)))
            }
            Algorithm::EdDSA if algorithm == default => {
                let (seed, point) = (Zeroizing::new(bytes("d")?), bytes("x")?);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &point)
                    .map_err(|_| refuse("`d` and `x` are not a key pair"))?;
                let der = pair.to_pkcs8v1().map_err(|_| refuse("it cannot be encoded"))?;
                Ok(Self::new(algorithm, key_id, EncodingKey::from_ed_der(der.as_ref()), ed_public(&point)))
            }
            Algorithm::HS256 if matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) => {
                let secret = Zeroizing::new(bytes("k")?);
                if secret.len() < 32 {
                    return Err(refuse("a symmetric key needs at least 32 bytes"));
                }
                let key_id = key_id.ok_or_else(|| refuse("a symmetric key needs a `kid`"))?;
                Ok(Self::new(algorithm, Some(key_id), EncodingKey::from_secret(&secret), Value::Null))
            }
            _ => Err(refuse(format!("its type does not fit {}", algorithm_name(algorithm)))),
        }
    }

    /// From n, e, d, p, q, dp, dq, qi.
    fn from_rsa(numbers: Vec<Vec<u8>>, algorithm: Algorithm, key_id: Option<&str>) -> Result<Self, SigningKeyError> {
        let numbers = Zeroizing::new(numbers);
        let der = Zeroizing::new(der::rsa_private_key(&numbers));
        signature::RsaKeyPair::from_der(&der)
            .map_err(|_| refuse("its numbers are not a valid RSA key of 2048 to 8192 bits"))?;
        let public = json!({"kty": "RSA", "n": encode(&numbers[0]), "e": encode(&numbers[1])});
        Ok(Self::new(algorithm, key_id, EncodingKey::from_rsa_der(&der), public))
    }

    fn new(algorithm: Algorithm, key_id: Option<&str>, encoding: EncodingKey, mut public: Value) -> Self {
        let key_id = key_id.map_or_else(|| thumbprint(&public), str::to_owned);
        if let Some(members) = public.as_object_mut() {
            members.insert("use".to_owned(), "sig".into());
            members.insert("alg".to_owned(), algorithm_name(algorithm).into());
            members.insert("kid".to_owned(), key_id.clone().into());
        }
        Self { algorithm, key_id, encoding, public }
    }
}

/// The SHA-256 thumbprint of a public key (RFC 7638 section 3).
pub fn thumbprint(jwk: &Value) -> String {
    let members: &[&str] = match jwk["kty"].as_str() {
        Some("RSA") => &["e", "kty", "n"],
        Some("EC") => &["crv", "kty", "x", "y"],
        _ => &["crv", "kty", "x"],
    };
    let members: Vec<String> = members.iter().map(|name| format!("{}:{}", Value::from(*name), jwk[*name])).collect();
    let text = format!("{{{}}}", members.join(","));
    encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn curve(algorithm: Algorithm) -> (&'static str, &'static signature::EcdsaSigningAlgorithm) {
    match algorithm {
        Algorithm::ES384 => ("P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => ("P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
    }
}

/// From an uncompressed point.
fn ec_public(algorithm: Algorithm, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    json!({"kty": "EC", "crv": curve(algorithm).0, "x": encode(x), "y": encode(y)})
}

fn ed_public(point: &[u8]) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": encode(point)})
}

fn is_rsa(algorithm: Algorithm) -> bool {
    algorithm_name(algorithm).starts_with(['R', 'P'])
}

fn pem_body(pem: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| refuse("it is not text"))?;
    let mut lines = text.trim().lines();
    let begins = lines.next().unwrap_or_default();
    if !begins.contains("PRIVATE KEY") || begins.contains("ENCRYPTED") {
        return Err(refuse("the PEM block is not an unencrypted private key"));
    }
    if begins.contains("EC PRIVATE KEY") {
        return Err(refuse("SEC1 EC keys are not supported; convert with `openssl pkcs8 -topk8 -nocrypt`"));
    }
    let body: String = lines.take_while(|line| !line.starts_with("-----END")).map(str::trim).collect();
    base64::engine::general_purpose::STANDARD.decode(body).map_err(|_| refuse("the PEM block is not base64"))
}

fn refuse(reason: impl Into<String>) -> SigningKeyError {
    SigningKeyError(reason.into())
}

impl SigningKeyError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SigningKeyError {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
