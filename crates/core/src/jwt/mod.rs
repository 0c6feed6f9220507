//! JSON Web Tokens: decoding, key selection, verification, claims, scopes, the cache of verified
//! tokens, signing.
//!
//! Signatures are checked by `jsonwebtoken` on aws-lc. Here are the rules around it (RFC 8725): what a
//! token may look like, which keys may check it, which claims must hold. Compact JWS only, never JWE.

pub mod cache;
pub mod claims;
mod der;
pub mod generate;
pub mod key_set;
mod roca;
pub mod scope;
pub mod sign;
pub mod signing_set;
pub mod token;
pub mod verify;

pub use cache::TokenCache;
pub use key_set::KeySet;
pub use signing_set::SigningSet;

pub use jsonwebtoken::Algorithm;

/// The algorithms that can be allowed, by their JOSE names (RFC 7518, RFC 8037).
pub const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
];

/// An algorithm by its exact, case-sensitive name. `none` is none of them.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// The name of an algorithm.
pub fn algorithm_name(algorithm: Algorithm) -> &'static str {
    ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
