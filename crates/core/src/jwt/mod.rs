//! JSON Web Tokens: decoding, key selection, verification, claims, scopes, signing.

/// A parsed JSON Web Key Set.
#[derive(Debug)]
pub struct KeySet;

/// Verified tokens, bounded, shared by every rule.
#[derive(Debug)]
pub struct TokenCache;
