//! Signing keys: what the issuer signs tokens with.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::signer::{Signer, rsa_encoding};
use super::verification::{CURVES, Curve, SHARED, Verification};
use super::{Algorithm, algorithm_name, der};
use crate::strict_json;

/// A private key with its public half.
pub struct SigningKey {
    algorithm: Algorithm,
    key_id: String,
    signer: Signer,
    public: Value,
}

/// A key that cannot sign. Says what is wrong with it, never what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyError(String);

impl SigningKey {
    /// Reads a private key: a JWK, a key set (its first private key), or PEM (PKCS#8, PKCS#1 RSA, SEC1 EC).
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
        let message = b"which key is this?";
        let Ok(block) = pem::parse(pem) else { return false };
        let Some(verification) = Verification::from_der(self.algorithm, block.contents()) else { return false };
        self.signer.sign(message).is_some_and(|signature| verification.verify(self.algorithm, message, &signature))
    }

    /// Signs claims as a compact JWS with `typ`, `alg` and `kid`.
    pub fn sign(&self, claims: &Value) -> Result<String, SigningKeyError> {
        self.encode(Some(&self.key_id), claims)
    }

    /// The same without `kid`, as issuers with a single key do.
    pub fn sign_without_kid(&self, claims: &Value) -> Result<String, SigningKeyError> {
        self.encode(None, claims)
    }

    /// RFC 7515 section 7.1.
    fn encode(&self, key_id: Option<&str>, claims: &Value) -> Result<String, SigningKeyError> {
        let mut header = Map::new();
        header.insert("typ".to_owned(), "JWT".into());
        header.insert("alg".to_owned(), algorithm_name(self.algorithm).into());
        if let Some(key_id) = key_id {
            header.insert("kid".to_owned(), key_id.into());
        }
        let header = Value::Object(header).to_string();
        let mut token = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = self.signer.sign(token.as_bytes()).ok_or_else(|| refuse("there is no randomness"))?;
        token.push('.');
        token.push_str(&encode(&signature));
        Ok(token)
    }

    fn from_pem(text: &[u8], algorithm: Algorithm, key_id: Option<&str>) -> Result<Self, SigningKeyError> {
        let block = pem::parse(text).map_err(|_| refuse("it is not a PEM block"))?;
        if !block.tag().ends_with("PRIVATE KEY") || block.tag().starts_with("ENCRYPTED") {
            return Err(refuse("the PEM block is not an unencrypted private key"));
        }
        let der = Zeroizing::new(block.into_contents());
        if is_rsa(algorithm) {
            let numbers = der::rsa_integers(&der)
                .ok_or_else(|| refuse("it is not an RSA private key; name the algorithm of another kind of key"))?;
            return Self::from_rsa(numbers.iter().map(|number| number.to_vec()).collect(), algorithm, key_id);
        }
        if let Some(curve) = CURVES.iter().find(|curve| curve.algorithm == algorithm) {
            let pair = EcdsaKeyPair::from_private_key_der(curve.signing, &der)
                .map_err(|_| refuse("it is not a private key of the algorithm's curve"))?;
            let public = ec_public(curve, pair.public_key().as_ref());
            return Ok(Self::new(algorithm, key_id, Signer::Curve(pair), public));
        }
        if algorithm == Algorithm::EdDSA {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                .map_err(|_| refuse("it is not a PKCS#8 Ed25519 private key"))?;
            let public = ed_public(pair.public_key().as_ref());
            return Ok(Self::new(algorithm, key_id, Signer::Ed25519(pair), public));
        }
        Err(refuse("a PEM file cannot hold a symmetric key"))
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
        let curve = CURVES.iter().find(|curve| text("crv") == Some(curve.name));
        let default = match (text("kty"), curve) {
            (Some("RSA"), _) => Algorithm::RS256,
            (Some("EC"), Some(curve)) => curve.algorithm,
            (Some("OKP"), _) if text("crv") == Some("Ed25519") => Algorithm::EdDSA,
            (Some("oct"), _) => Algorithm::HS256,
            _ => return Err(refuse("its type or curve is not supported")),
        };
        let algorithm = algorithm.or(named).unwrap_or(default);
        let key_id = key_id.or_else(|| text("kid").filter(|id| !id.is_empty()));
        if default == Algorithm::RS256 && is_rsa(algorithm) {
            let numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].into_iter().map(bytes);
            return Self::from_rsa(numbers.collect::<Result<_, _>>()?, algorithm, key_id);
        }
        let hash = SHARED.iter().find(|(one, ..)| *one == algorithm).map(|(_, hash, _)| *hash);
        if let (Algorithm::HS256, Some(hash)) = (default, hash) {
            let secret = Zeroizing::new(bytes("k")?);
            if secret.len() < 32 {
                return Err(refuse("a symmetric key needs at least 32 bytes"));
            }
            let key_id = key_id.ok_or_else(|| refuse("a symmetric key needs a `kid`"))?;
            let signer = Signer::Shared(Box::new(hmac::Key::new(hash, &secret)));
            return Ok(Self::new(algorithm, Some(key_id), signer, Value::Null));
        }
        if algorithm != default {
            return Err(refuse(format!("its type does not fit {}", algorithm_name(algorithm))));
        }
        let secret = Zeroizing::new(bytes("d")?);
        let (signer, public) = match curve {
            Some(curve) => {
                let point = [&[4][..], &bytes("x")?, &bytes("y")?].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &secret, &point)
                    .map_err(|_| refuse("`d`, `x` and `y` are not a key pair"))?;
                (Signer::Curve(pair), ec_public(curve, &point))
            }
            None => {
                let point = bytes("x")?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(&secret, &point)
                    .map_err(|_| refuse("`d` and `x` are not a key pair"))?;
                (Signer::Ed25519(pair), ed_public(&point))
            }
        };
        Ok(Self::new(algorithm, key_id, signer, public))
    }

    /// From n, e, d, p, q, dp, dq, qi.
    fn from_rsa(numbers: Vec<Vec<u8>>, algorithm: Algorithm, key_id: Option<&str>) -> Result<Self, SigningKeyError> {
        let numbers = Zeroizing::new(numbers);
        let der = Zeroizing::new(der::rsa_private_key(&numbers));
        let pair = RsaKeyPair::from_der(&der)
            .map_err(|_| refuse("its numbers are not a valid RSA key of 2048 to 8192 bits"))?;
        let public = json!({"kty": "RSA", "n": encode(&numbers[0]), "e": encode(&numbers[1])});
        let encoding = rsa_encoding(algorithm)
            .ok_or_else(|| refuse(format!("its type does not fit {}", algorithm_name(algorithm))))?;
        Ok(Self::new(algorithm, key_id, Signer::Rsa(pair, encoding), public))
    }

    fn new(algorithm: Algorithm, key_id: Option<&str>, signer: Signer, mut public: Value) -> Self {
        let key_id = key_id.map_or_else(|| thumbprint(&public), str::to_owned);
        if let Some(members) = public.as_object_mut() {
            members.insert("use".to_owned(), "sig".into());
            members.insert("alg".to_owned(), algorithm_name(algorithm).into());
            members.insert("kid".to_owned(), key_id.clone().into());
        }
        Self { algorithm, key_id, signer, public }
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

/// From an uncompressed point.
fn ec_public(curve: &Curve, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    json!({"kty": "EC", "crv": curve.name, "x": encode(x), "y": encode(y)})
}

fn ed_public(point: &[u8]) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": encode(point)})
}

fn is_rsa(algorithm: Algorithm) -> bool {
    rsa_encoding(algorithm).is_some()
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
