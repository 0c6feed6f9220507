//! What checks signatures: keys parsed once per set and used for every token (RFC 7518 section 3).

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};

use super::Algorithm;

/// One key, ready to check signatures of each algorithm that its type fits.
pub(super) struct Verification(Box<[(Algorithm, Check)]>);

enum Check {
    Public(ParsedPublicKey),
    /// With the hash of what is signed: the library takes longer when it hashes by itself.
    Rsa(ParsedPublicKey, &'static digest::Algorithm),
    Shared(Box<hmac::Key>),
}

/// A curve that is signed on, with what its keys look like.
pub(super) struct Curve {
    /// As in the `crv` of a JWK (RFC 7518 section 6.2.1.1).
    pub(super) name: &'static str,
    /// The length of a coordinate in bytes.
    pub(super) length: usize,
    pub(super) algorithm: Algorithm,
    verification: &'static signature::EcdsaVerificationAlgorithm,
    pub(super) signing: &'static signature::EcdsaSigningAlgorithm,
}

/// The curves of RFC 7518 section 3.4.
pub(super) static CURVES: &[Curve] = &[
    Curve {
        name: "P-256",
        length: 32,
        algorithm: Algorithm::ES256,
        verification: &signature::ECDSA_P256_SHA256_FIXED,
        signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    },
    Curve {
        name: "P-384",
        length: 48,
        algorithm: Algorithm::ES384,
        verification: &signature::ECDSA_P384_SHA384_FIXED,
        signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    },
    Curve {
        name: "P-521",
        length: 66,
        algorithm: Algorithm::ES512,
        verification: &signature::ECDSA_P521_SHA512_FIXED,
        signing: &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
    },
];

/// RSA with the hash of each algorithm.
static RSA: &[(Algorithm, &RsaParameters, &digest::Algorithm)] = &[
    (Algorithm::RS256, &signature::RSA_PKCS1_2048_8192_SHA256, &digest::SHA256),
    (Algorithm::RS384, &signature::RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
    (Algorithm::RS512, &signature::RSA_PKCS1_2048_8192_SHA512, &digest::SHA512),
    (Algorithm::PS256, &signature::RSA_PSS_2048_8192_SHA256, &digest::SHA256),
    (Algorithm::PS384, &signature::RSA_PSS_2048_8192_SHA384, &digest::SHA384),
    (Algorithm::PS512, &signature::RSA_PSS_2048_8192_SHA512, &digest::SHA512),
];

/// HMAC with the fewest bytes of a key: as many as the hash has (RFC 7518 section 3.2).
pub(super) const SHARED: &[(Algorithm, hmac::Algorithm, usize)] = &[
    (Algorithm::HS256, hmac::HMAC_SHA256, 32),
    (Algorithm::HS384, hmac::HMAC_SHA384, 48),
    (Algorithm::HS512, hmac::HMAC_SHA512, 64),
];

impl Verification {
    /// From the numbers of an RSA key, big-endian, without zeros in front.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let numbers = RsaPublicKeyComponents { n: modulus, e: exponent };
        let checks = RSA.iter().map(|(algorithm, parameters, hash)| {
            Some((*algorithm, Check::Rsa(numbers.to_parsed_public_key(parameters).ok()?, hash)))
        });
        checks.collect::<Option<_>>().map(Self)
    }

    /// From the coordinates of a point, which must be on the curve.
    pub(super) fn curve(curve: &'static Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        Self::public(curve.algorithm, curve.verification, &[&[4][..], x, y].concat())
    }

    /// From an Ed25519 public key.
    pub(super) fn ed25519(key: &[u8]) -> Option<Self> {
        Self::public(Algorithm::EdDSA, &signature::ED25519, key)
    }

    /// From a shared secret, for each hash that is no longer than it.
    pub(super) fn shared(secret: &[u8]) -> Self {
        let fitting = SHARED.iter().filter(|(_, _, least)| secret.len() >= *least);
        Self(
            fitting
                .map(|(algorithm, hash, _)| (*algorithm, Check::Shared(Box::new(hmac::Key::new(*hash, secret)))))
                .collect(),
        )
    }

    /// From the DER of a public key (RFC 5280 section 4.1, or PKCS#1 for RSA), for one algorithm.
    pub(super) fn from_der(algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        let rsa = RSA.iter().find(|(one, ..)| *one == algorithm);
        let curve = CURVES.iter().find(|curve| curve.algorithm == algorithm);
        match (rsa, curve) {
            (Some((_, parameters, hash)), _) => {
                Some(Self::one(algorithm, Check::Rsa(ParsedPublicKey::new(*parameters, der).ok()?, hash)))
            }
            (_, Some(curve)) => Self::public(algorithm, curve.verification, der),
            _ if algorithm == Algorithm::EdDSA => Self::ed25519(der),
            _ => None,
        }
    }

    fn public(algorithm: Algorithm, method: &'static dyn VerificationAlgorithm, key: &[u8]) -> Option<Self> {
        Some(Self::one(algorithm, Check::Public(ParsedPublicKey::new(method, key).ok()?)))
    }

    fn one(algorithm: Algorithm, check: Check) -> Self {
        Self(Box::new([(algorithm, check)]))
    }

    /// Keeps one algorithm only, which a key may name. `None`: it does not fit the key.
    pub(super) fn only(self, algorithm: Algorithm) -> Option<Self> {
        let check = self.0.into_iter().find(|(fitting, _)| *fitting == algorithm)?;
        Some(Self(Box::new([check])))
    }

    /// Whether the key checks signatures of an algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.0.iter().any(|(fitting, _)| *fitting == algorithm)
    }

    /// Whether everybody may know the key.
    pub(super) fn is_public(&self) -> bool {
        self.0.iter().all(|(_, check)| !matches!(check, Check::Shared(_)))
    }

    /// Whether a signature over a message is this key's by an algorithm.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|(fitting, check)| {
            *fitting == algorithm
                && match check {
                    Check::Public(key) => key.verify_sig(message, signature).is_ok(),
                    Check::Rsa(key, hash) => key.verify_digest_sig(&digest::digest(hash, message), signature).is_ok(),
                    Check::Shared(key) => hmac::verify(key, message, signature).is_ok(),
                }
        })
    }
}
