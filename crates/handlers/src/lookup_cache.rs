//! What side services said, for as long as it may count: bounded in bytes and entries, every entry with an
//! end, and one call for all who ask the same at the same time.
//!
//! Entries are found by an HMAC over everything the answer depends on, under a key that this process makes
//! for each cache. So neither a token nor a client's secret is kept, and a digest that leaks from memory
//! cannot be tried against guessed secrets without that key. Two inputs share an entry, or a call, only when
//! all of them are equal (CVE-2026-71326 is what happens otherwise).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::pipeline::BindContext;
use keyward_core::pipeline::denial::Denial;
use keyward_core::ports::{Clock, Outside};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// How long an answer counts when neither the settings nor the answer itself say (the reference: for ever).
pub(crate) const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// What one cache may take, whatever number of entries its settings allow.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// What an entry takes besides its value, roughly.
const ENTRY_BYTES: u64 = 256;

/// Names settings that rules share a cache under, without holding what is secret in them.
pub(crate) fn settings_digest(settings: &serde_json::Value) -> String {
    let digest = digest(&SHA256, settings.to_string().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many entries settings ask for: `default` for none and, as in the reference, for zero; `None` for a negative
/// number, with which rules that use it fail there.
pub(crate) fn max_entries(
    written: Option<i64>,
    default: u64,
    (key, node): (&str, &Node),
    context: &BindContext<'_>,
) -> Option<u64> {
    match written {
        None | Some(0) => Some(default),
        Some(number) => {
            let most = u64::try_from(number).ok();
            if most.is_none() {
                let finding = Diagnostic::warning(format!("`{key}` is negative: nothing is remembered"));
                context.warn(finding.at(node.origin_of(key)).hint("set `cache.enabled: false`"));
            }
            most
        }
    }
}

/// A digest over all inputs of a look-up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LookupKey([u8; 32]);

/// A value that was looked up.
pub(crate) struct Found<V> {
    pub(crate) value: V,
    /// How long it may be used again; zero for whoever waits now only.
    pub(crate) lifetime: Duration,
    /// What it takes in memory, roughly.
    pub(crate) bytes: usize,
}

/// Remembers values of one kind of look-up under one set of settings.
pub(crate) struct LookupCache<V> {
    entries: Cache<LookupKey, Entry<V>, EntryWeight, foldhash::quality::RandomState>,
    key: hmac::Key,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Entry<V> {
    /// A failure is only ever seen by those who waited for it.
    outcome: Result<V, Arc<Denial>>,
    until: Duration,
    weight: u64,
}

#[derive(Clone)]
struct EntryWeight {
    least: u64,
}

impl<V> Weighter<LookupKey, Entry<V>> for EntryWeight {
    fn weight(&self, _: &LookupKey, entry: &Entry<V>) -> u64 {
        entry.weight.max(self.least)
    }
}

impl<V: Clone> LookupCache<V> {
    /// An empty cache for at most so many entries.
    pub(crate) fn new(max_entries: u64, outside: &Outside) -> Self {
        let max_entries = max_entries.max(1);
        let typical = usize::try_from(max_entries.min(MAX_BYTES / 1024)).unwrap_or(usize::MAX);
        // Weighing every entry at least this much makes the limit in bytes one in entries as well. A
        // single one must still fit into the share that the cache gives to what is in use.
        let least = (MAX_BYTES / max_entries).clamp(ENTRY_BYTES, MAX_BYTES * 9 / 10);
        let options = OptionsBuilder::new().estimated_items_capacity(typical).weight_capacity(MAX_BYTES).build();
        let hasher = foldhash::quality::RandomState::default();
        let entries = match options {
            Ok(options) => Cache::with_options(options, EntryWeight { least }, hasher, DefaultLifecycle::default()),
            // Both capacities are set above, which is all that is asked for.
            Err(_) => Cache::with(typical, MAX_BYTES, EntryWeight { least }, hasher, DefaultLifecycle::default()),
        };
        let mut secret = [0; 32];
        outside.random.fill(&mut secret);
        Self { entries, key: hmac::Key::new(hmac::HMAC_SHA256, &secret), clock: outside.clock.clone() }
    }

    /// The key for these inputs. Lengths go in too: `ab`, `c` is not `a`, `bc`.
    pub(crate) fn key<I: AsRef<[u8]>>(&self, inputs: impl IntoIterator<Item = I>) -> LookupKey {
        let mut context = hmac::Context::with_key(&self.key);
        for input in inputs {
            let input = input.as_ref();
            context.update(&(input.len() as u64).to_be_bytes());
            context.update(input);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        LookupKey(digest)
    }

    /// What is remembered and still counts.
    pub(crate) fn fresh(&self, key: &LookupKey) -> Option<V> {
        let entry = self.entries.get(key)?;
        if self.clock.monotonic() < entry.until {
            return entry.outcome.ok();
        }
        self.forget_stale(key);
        None
    }

    /// The outcome of a look-up, of which only one at a time runs per key; everybody who asks meanwhile
    /// gets its outcome, failures too. To be called when [`fresh`](Self::fresh) found nothing.
    pub(crate) async fn look_up(
        &self,
        key: &LookupKey,
        look_up: impl Future<Output = Result<Found<V>, Denial>>,
    ) -> Result<V, Arc<Denial>> {
        // When whoever makes the call goes away, the guard passes to the next who waits.
        let guard = match self.entries.get_value_or_guard_async(key).await {
            Ok(entry) => return entry.outcome,
            Err(guard) => guard,
        };
        let (outcome, lifetime, bytes) = match look_up.await {
            Ok(Found { value, lifetime, bytes }) => (Ok(value), lifetime, bytes),
            Err(denial) => (Err(Arc::new(denial)), Duration::ZERO, 0),
        };
        let until = if lifetime.is_zero() { Duration::ZERO } else { self.clock.monotonic().saturating_add(lifetime) };
        let entry = Entry { outcome: outcome.clone(), until, weight: ENTRY_BYTES.saturating_add(bytes as u64) };
        // It may have been cleared away meanwhile, or be too large to keep: whoever waits has it all the same.
        let _ = guard.insert(entry);
        if lifetime.is_zero() {
            self.forget_stale(key);
        }
        outcome
    }

    /// Remembers a value that was made here.
    pub(crate) fn insert(&self, key: &LookupKey, found: Found<V>) {
        let until = self.clock.monotonic().saturating_add(found.lifetime);
        let weight = ENTRY_BYTES.saturating_add(found.bytes as u64);
        self.entries.insert(*key, Entry { outcome: Ok(found.value), until, weight });
    }

    /// Forgets an entry before its time.
    pub(crate) fn forget(&self, key: &LookupKey) {
        self.entries.remove_if(key, |_| true);
    }

    fn forget_stale(&self, key: &LookupKey) {
        let now = self.clock.monotonic();
        self.entries.remove_if(key, |entry| entry.until <= now);
    }
}
