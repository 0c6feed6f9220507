//! Checks a token's signature with the keys of its sources, or finds it in the cache.

use std::sync::Arc;

use super::cache::{Entry, TokenCache};
use super::claims::VerifiedToken;
use super::token::{self, Decoded};
use super::{Algorithm, algorithm_name};
use crate::pipeline::denial::Reason;
use crate::pipeline::step::Step;
use crate::ports::KeySource;

/// Keys that are tried for a token without `kid`.
const MAX_TRIES: usize = 8;

/// Key sources and allowed algorithms, compiled once per distinct combination.
pub struct TokenVerifier {
    profile: Arc<str>,
    sources: Box<[Arc<dyn KeySource>]>,
    algorithms: Box<[Algorithm]>,
    cache: Arc<TokenCache>,
}

impl TokenVerifier {
    /// A verifier over key sources, in order.
    pub fn new(sources: Vec<Arc<dyn KeySource>>, algorithms: Vec<Algorithm>, cache: Arc<TokenCache>) -> Self {
        let locations: Vec<&str> = sources.iter().map(|source| source.location()).collect();
        let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm_name(*algorithm)).collect();
        let profile = format!("{}\n\n{}", locations.join("\n"), names.join("\n"));
        let profile = cache.profile(profile);
        Self { profile, sources: sources.into(), algorithms: algorithms.into(), cache }
    }

    /// Verifies a token that is not [`known`](Self::known). Ready at once unless a key set has to be fetched
    /// first.
    pub fn verify<'a>(&'a self, token: &'a str) -> Step<'a, Result<VerifiedToken, Reason>> {
        match self.check(token) {
            Err(Reason::KeyUnavailable) => Step::Pending(Box::pin(async move {
                for source in &self.sources {
                    source.refresh().await;
                }
                self.check(token)
            })),
            decided => Step::Ready(decided),
        }
    }

    /// A token that was verified before, with a key that is still published. Takes bytes: whether they are
    /// text was seen then.
    pub fn known(&self, token: &[u8]) -> Option<VerifiedToken> {
        let entry = self.cache.get(&self.profile, token)?;
        let source = self.sources.get(entry.source)?;
        source.publishes(entry.revision, entry.fingerprint).then_some(entry.token)
    }

    fn check(&self, token: &str) -> Result<VerifiedToken, Reason> {
        let decoded = token::decode(token, &self.cache.headers)?;
        if !self.algorithms.contains(&decoded.header.algorithm) {
            return Err(Reason::SignatureInvalid);
        }
        let (source, fingerprint, revision) = self.find_key(&decoded)?;
        self.cache.headers.remember(&decoded);
        let verified = VerifiedToken::read(decoded.payload)?;
        // Without an end the entry could outlive what the rule would accept; such tokens are rare.
        if verified.times().expires.is_some() {
            let entry = Entry { token: verified.clone(), source, fingerprint, revision };
            self.cache.insert(&self.profile, token, entry);
        }
        Ok(verified)
    }

    /// The key that verifies: in the order of the sources, then of the sets.
    pub(super) fn find_key(&self, decoded: &Decoded<'_>) -> Result<(usize, u64, u64), Reason> {
        let (algorithm, key_id) = (decoded.header.algorithm, decoded.header.key_id.as_deref());
        let mut tries = 0;
        for (index, source) in self.sources.iter().enumerate() {
            let Some(set) = source.current() else { continue };
            // One name for two keys: the issuer's mistake, or somebody else's key slipped in.
            if key_id.is_some_and(|id| set.is_ambiguous(id)) {
                return Err(Reason::SignatureInvalid);
            }
            for key in set.candidates(key_id, algorithm) {
                tries += 1;
                if tries > MAX_TRIES {
                    return Err(Reason::SignatureInvalid);
                }
                if key.verification.verify(algorithm, decoded.signed.as_bytes(), &decoded.signature) {
                    return Ok((index, key.fingerprint(), set.revision()));
                }
            }
        }
        Err(if tries == 0 { Reason::KeyUnavailable } else { Reason::SignatureInvalid })
    }
}
