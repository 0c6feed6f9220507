//! Headers of tokens that were verified: an issuer writes the same one into all of its tokens, so the next token's
//! need not be decoded and parsed again.
//!
//! A header is found by the whole of its text, and what it says depends on nothing else. Only those of tokens whose
//! signature was right get in, so that nobody else can push them out.

use std::fmt;
use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::token::{Decoded, Header};

/// The most headers that are remembered: each key of an issuer has its own.
const MAX_HEADERS: usize = 64;
/// The longest one that is, encoded. Longer ones carry certificates.
const MAX_BYTES: usize = 512;

/// A bounded number of headers, by their encoded text.
pub(super) struct KnownHeaders(Cache<Box<str>, Arc<Header>, UnitWeighter, foldhash::quality::RandomState>);

impl KnownHeaders {
    /// A header that was seen before.
    pub(super) fn find(&self, encoded: &str) -> Option<Arc<Header>> {
        self.0.get(encoded)
    }

    /// Remembers the header of a token whose signature was verified.
    pub(super) fn remember(&self, verified: &Decoded<'_>) {
        if let Some(encoded) = verified.new_header.filter(|encoded| encoded.len() <= MAX_BYTES) {
            self.0.insert(encoded.into(), verified.header.clone());
        }
    }
}

impl Default for KnownHeaders {
    fn default() -> Self {
        let (hasher, lifecycle) = (foldhash::quality::RandomState::default(), DefaultLifecycle::default());
        Self(Cache::with(MAX_HEADERS, MAX_HEADERS as u64, UnitWeighter, hasher, lifecycle))
    }
}

impl fmt::Debug for KnownHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownHeaders").field("headers", &self.0.len()).finish()
    }
}
