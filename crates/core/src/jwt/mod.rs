//! JSON Web Tokens: decoding, key selection, verification, claims, scopes, the cache of verified
//! tokens, signing.
//!
//! Signatures are made and checked by aws-lc. Here are the rules around it (RFC 8725): what a token may
//! look like, which keys may check it, which claims must hold. Compact JWS only, never JWE.

mod algorithm;
pub mod cache;
pub mod claims;
mod der;
mod footprint;
pub mod generate;
mod headers;
pub mod key_set;
mod outline;
mod roca;
pub mod scope;
pub mod sign;
mod signer;
pub mod signing_set;
pub mod token;
mod verification;
pub mod verify;

pub use cache::TokenCache;
pub use key_set::KeySet;
pub use signing_set::SigningSet;

pub use algorithm::{ALGORITHMS, Algorithm, algorithm, algorithm_name};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_sets;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
