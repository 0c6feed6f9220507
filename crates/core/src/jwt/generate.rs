//! New keys, in the form of `credentials generate` (pipeline spec 3.4).

use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::sign::encode;
use super::verification::CURVES;
use super::{algorithm_name, der};

/// Every algorithm a key can be generated for, with the default size in bits.
pub const ALGORITHMS: &[(&str, u32)] = &[
    ("ES256", 256),
    ("ES384", 384),
    ("ES512", 521),
    ("EdDSA", 256),
    ("HS256", 256),
    ("HS384", 384),
    ("HS512", 1024),
    ("PS256", 2048),
    ("PS384", 2048),
    ("PS512", 2048),
    ("RS256", 2048),
    ("RS384", 2048),
    ("RS512", 2048),
];

/// Generates one private key as a JWK: `use, kty, kid, crv, alg` and the key material. `bits` 0 is the
/// algorithm's default. The error is the reason, for the operator.
pub fn generate(algorithm: &str, key_id: &str, bits: u32) -> Result<Value, String> {
    let Some((_, default)) = ALGORITHMS.iter().find(|(name, _)| *name == algorithm) else {
        let names: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        return Err(format!("unknown algorithm `{algorithm}`; available: {}", names.join(", ")));
    };
    let bits = if bits == 0 { *default } else { bits };
    let mut jwk = Map::new();
    let mut set = |name: &str, value: String| {
        jwk.insert(name.to_owned(), value.into());
    };
    set("use", "sig".to_owned());
    match &algorithm[..2] {
        "HS" => {
            let least: u32 = algorithm[2..].parse().unwrap_or(256);
            if bits < least || bits % 8 != 0 || bits > 65_536 {
                return Err(format!("{algorithm} needs at least {least} bits, a multiple of 8, at most 65536"));
            }
            set("kty", "oct".to_owned());
            set("kid", key_id.to_owned());
            set("alg", algorithm.to_owned());
            let mut secret = Zeroizing::new(vec![0; bits as usize / 8]);
            rand::fill(&mut secret).map_err(|_| "no randomness")?;
            set("k", encode(&secret));
        }
        "RS" | "PS" => {
            let numbers = rsa(bits)?;
            set("kty", "RSA".to_owned());
            set("kid", key_id.to_owned());
            set("alg", algorithm.to_owned());
            for (name, number) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"].into_iter().zip(numbers.iter()) {
                set(name, encode(number));
            }
        }
        "ES" | "Ed" => {
            if bits != *default {
                return Err(format!("{algorithm} keys have exactly {default} bits"));
            }
            let key = if algorithm == "EdDSA" { ed25519()? } else { ecdsa(algorithm)? };
            set("kty", if algorithm == "EdDSA" { "OKP" } else { "EC" }.to_owned());
            set("kid", key_id.to_owned());
            set("crv", key.curve.to_owned());
            set("alg", algorithm.to_owned());
            set("x", encode(&key.x));
            if let Some(y) = &key.y {
                set("y", encode(y));
            }
            set("d", encode(&key.secret));
        }
        _ => return Err(format!("unknown algorithm `{algorithm}`")),
    }
    Ok(Value::Object(jwk))
}

struct CurveKey {
    curve: &'static str,
    x: Vec<u8>,
    y: Option<Vec<u8>>,
    secret: Zeroizing<Vec<u8>>,
}

fn rsa(bits: u32) -> Result<Zeroizing<Vec<Vec<u8>>>, String> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => return Err("RSA keys have 2048, 3072, 4096 or 8192 bits".to_owned()),
    };
    let pair = signature::RsaKeyPair::generate(size).map_err(|_| "the key could not be generated")?;
    let der =
        AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| "the key could not be encoded")?;
    let numbers = der::rsa_integers(der.as_ref()).ok_or("the key could not be encoded")?;
    Ok(Zeroizing::new(numbers.iter().map(|number| number.to_vec()).collect()))
}

fn ecdsa(algorithm: &str) -> Result<CurveKey, String> {
    let curve = CURVES.iter().find(|curve| algorithm_name(curve.algorithm) == algorithm);
    let curve = curve.ok_or("the algorithm has no curve")?;
    let pair = EcdsaKeyPair::generate(curve.signing).map_err(|_| "the key could not be generated")?;
    let secret = pair.private_key().as_be_bytes().map_err(|_| "the key could not be encoded")?;
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    Ok(CurveKey {
        curve: curve.name,
        x: x.to_vec(),
        y: Some(y.to_vec()),
        secret: Zeroizing::new(secret.as_ref().to_vec()),
    })
}

fn ed25519() -> Result<CurveKey, String> {
    let pair = Ed25519KeyPair::generate().map_err(|_| "the key could not be generated")?;
    let seed = pair.seed().map_err(|_| "the key could not be encoded")?;
    let secret = seed.as_be_bytes().map_err(|_| "the key could not be encoded")?;
    let x = pair.public_key().as_ref().to_vec();
    Ok(CurveKey { curve: "Ed25519", x, y: None, secret: Zeroizing::new(secret.as_ref().to_vec()) })
}
