//! Tokens whose signature was verified, so that the next request with the same token costs a lookup.
//!
//! Only the signature is remembered. Times, audience, issuer and scope are checked on every request
//! against the rule at hand (GHSA-qvp4-rpmr-xwrr), and an entry counts only under the very key sets and
//! algorithms it was verified with (GHSA-4mq7-pvjg-xp2r) and while its key is still published.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};
use zeroize::Zeroizing;

use super::claims::VerifiedToken;
use super::footprint::allocation;
use super::headers::KnownHeaders;

/// A bounded cache, shared by every rule and core. Found by a keyed hash, matched by the whole token:
/// a fast hash alone is no identity.
pub struct TokenCache {
    entries: Cache<Key, Entry, TokenWeight, foldhash::quality::RandomState>,
    /// Thousands of rules share a few profiles.
    profiles: Mutex<HashSet<Arc<str>>>,
    pub(super) headers: KnownHeaders,
}

/// What is remembered about a token.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) token: VerifiedToken,
    /// Which source's key verified it, and which key that was.
    pub(super) source: usize,
    pub(super) fingerprint: u64,
    /// The revision of the source's set at that time.
    pub(super) revision: u64,
}

/// Which key sets and algorithms a token was verified with, and the token itself.
struct Key {
    profile: Arc<str>,
    token: Zeroizing<String>,
}

struct KeyRef<'a> {
    profile: &'a Arc<str>,
    token: &'a [u8],
}

#[derive(Clone)]
struct TokenWeight;

/// How much of a token's end is hashed, in bytes.
const HASHED: usize = 64;

/// What an entry takes besides its text and its claims, roughly: its slot, those of tokens that were dropped and
/// may come back, half as many, and what both have in spare where they grow by doubling.
const ENTRY_OVERHEAD: usize = 320;

impl Weighter<Key, Entry> for TokenWeight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        (allocation(key.token.len()) + entry.token.footprint() + ENTRY_OVERHEAD) as u64
    }
}

impl TokenCache {
    /// A cache that takes about `max_bytes` of memory; with 0 it remembers nothing.
    pub fn new(max_bytes: u64) -> Self {
        let typical = usize::try_from(max_bytes / 2048).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with(
                typical,
                max_bytes,
                TokenWeight,
                foldhash::quality::RandomState::default(),
                DefaultLifecycle::default(),
            ),
            profiles: Mutex::default(),
            headers: KnownHeaders::default(),
        }
    }

    /// The one copy of a profile's text.
    pub(super) fn profile(&self, text: String) -> Arc<str> {
        let mut profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = profiles.get(text.as_str()) {
            return known.clone();
        }
        // Those that no rule uses any more go.
        profiles.retain(|profile| Arc::strong_count(profile) > 1);
        let profile: Arc<str> = text.into();
        profiles.insert(profile.clone());
        profile
    }

    pub(super) fn get(&self, profile: &Arc<str>, token: &[u8]) -> Option<Entry> {
        self.entries.get(&KeyRef { profile, token })
    }

    pub(super) fn insert(&self, profile: &Arc<str>, token: &str, entry: Entry) {
        let key = Key { profile: profile.clone(), token: Zeroizing::new(token.to_owned()) };
        self.entries.insert(key, entry);
    }

    /// How many tokens are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("entries", &self.entries.len()).finish()
    }
}

/// The part of a token that finds it: its end is the end of its signature, and differs where anything does.
/// Nobody can fill a bucket, since only tokens that were verified get in.
fn hashed(token: &[u8]) -> &[u8] {
    token.last_chunk::<HASHED>().map_or(token, |end| end)
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hashed(self.token.as_bytes()).hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hashed(self.token).hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.profile == other.profile && self.token == other.token
    }
}

impl Eq for Key {}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        // There is one copy of each profile's text that is in use.
        Arc::ptr_eq(self.profile, &key.profile) && self.token == key.token.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_one_copy_for_as_long_as_somebody_has_it() {
        let cache = TokenCache::new(0);
        let profile = |text: &str| cache.profile(text.to_owned());
        let (first, second) = (profile("a"), profile("b"));
        assert!(Arc::ptr_eq(&first, &profile("a")) && !Arc::ptr_eq(&first, &second));
        drop(second);
        drop(profile("c"));
        let kept = profile("d");
        let known = cache.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(known.len(), 2, "{known:?} {first} {kept}");
    }
}
