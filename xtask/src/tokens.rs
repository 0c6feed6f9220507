//! Tokens that callers show, signed before anything is measured, as many as are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyward_core::jwt::sign::SigningKey;
use keyward_core::ports::UnixTime;
use keyward_server::issuer::token::{TokenRequest, sign};

use crate::cores;

/// A key, and the tokens that were signed with it.
pub(crate) struct Tokens {
    key: SigningKey,
    file: PathBuf,
    /// A line of the file each.
    signed: Mutex<Vec<String>>,
}

impl Tokens {
    /// Those of a private key, in a file.
    pub(crate) fn new(key: &Path, file: PathBuf) -> Result<Self, String> {
        let document = fs::read(key).map_err(|error| format!("{}: {error}", key.display()))?;
        let key = SigningKey::read(&document, None, None).map_err(|error| error.to_string())?;
        Ok(Self { key, file, signed: Mutex::default() })
    }

    /// A file that has at least so many tokens, one a line, no two of them alike.
    pub(crate) fn at_least(&self, count: usize) -> Result<&Path, String> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.len() < count {
            let more = self.sign_range(signed.len(), count)?;
            signed.extend(more);
            fs::write(&self.file, signed.join("\n") + "\n")
                .map_err(|error| format!("{}: {error}", self.file.display()))?;
        }
        Ok(&self.file)
    }

    /// The first of them.
    pub(crate) fn first(&self) -> Result<String, String> {
        self.at_least(1)?;
        let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        signed.first().cloned().ok_or_else(|| "there is no token".to_owned())
    }

    /// The first so many.
    pub(crate) fn some(&self, count: usize) -> Result<Vec<String>, String> {
        self.at_least(count)?;
        let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(signed.iter().take(count).cloned().collect())
    }

    /// Signs on every core, and says how far it is when that takes a while.
    fn sign_range(&self, first: usize, end: usize) -> Result<Vec<String>, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
        let now = UnixTime(i64::try_from(now.as_secs()).map_err(|error| error.to_string())?);
        let done = AtomicUsize::new(0);
        let share = (end - first).div_ceil(cores::count());
        let shares: Vec<_> = (first..end).step_by(share).map(|start| start..(start + share).min(end)).collect();
        thread::scope(|scope| {
            let signers: Vec<_> =
                shares.into_iter().map(|numbers| scope.spawn(|| self.sign_some(numbers, now, &done))).collect();
            let mut told = Instant::now();
            while !signers.iter().all(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(Duration::from_millis(1));
                if told.elapsed() >= Duration::from_secs(1) {
                    eprintln!("signing tokens: {} of {}", done.load(Ordering::Relaxed), end - first);
                    told = Instant::now();
                }
            }
            let mut all = Vec::with_capacity(end - first);
            for signer in signers {
                all.extend(signer.join().map_err(|_| "a thread that signs tokens panicked")??);
            }
            Ok(all)
        })
    }

    fn sign_some(
        &self,
        numbers: std::ops::Range<usize>,
        now: UnixTime,
        done: &AtomicUsize,
    ) -> Result<Vec<String>, String> {
        let one = |number: usize| {
            let request = TokenRequest {
                issuer: "http://token-issuer:8080".to_owned(),
                subject: format!("caller-{number}"),
                audience: "oathkeeper-proxy".to_owned(),
                scope: "jira:read".to_owned(),
                ttl: 86_400,
            };
            done.fetch_add(1, Ordering::Relaxed);
            sign(&self.key, &request, now).map_err(|error| error.to_string())
        };
        numbers.map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use keyward_core::jwt::generate;

    use super::*;

    #[test]
    fn there_are_as_many_as_are_asked_for_and_no_two_are_alike() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("keys.json");
        fs::write(&key, generate::generate("ES256", "key", 0).unwrap().to_string()).unwrap();
        let tokens = Tokens::new(&key, directory.path().join("tokens")).unwrap();
        let first = tokens.first().unwrap();
        for (wanted, expected) in [(3, 3), (2, 3), (10, 10)] {
            let text = fs::read_to_string(tokens.at_least(wanted).unwrap()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!((lines.len(), lines[0]), (expected, first.as_str()));
            assert_eq!(lines.into_iter().collect::<HashSet<_>>().len(), expected);
        }
    }
}
