//! Key sets without a network: from files, or one set for every location.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use keyward_core::jwt::{KeySet, SigningSet};
use keyward_core::ports::{KeySource, KeySources, LocalFuture, SigningSource};
use keyward_core::secret::shown_url;

use crate::issuer::key_file;
use crate::keys::{KeySetRegistry, local_path};

/// Where key sets come from when nothing is fetched.
pub struct OfflineKeys {
    /// Checks locations as the server does.
    locations: KeySetRegistry,
    checking: Option<Arc<KeySet>>,
    signing: Option<Arc<SigningSet>>,
    missing: Arc<Missing>,
}

/// Locations that were needed and are not at hand, as they may be shown.
#[derive(Default)]
struct Missing(Mutex<BTreeSet<String>>);

impl OfflineKeys {
    /// Key sets of files as they are; `checking` stands for all of them, `signing` for private ones that are
    /// not at hand.
    pub fn new(checking: Option<KeySet>, signing: Option<SigningSet>) -> Self {
        Self {
            locations: KeySetRegistry::offline(),
            checking: checking.map(Arc::new),
            signing: signing.map(Arc::new),
            missing: Arc::default(),
        }
    }

    /// What was needed since the last call and is not at hand.
    pub fn take_missing(&self) -> Vec<String> {
        let mut missing = self.missing.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *missing).into_iter().collect()
    }
}

impl KeySources for OfflineKeys {
    fn open(&self, url: &str) -> Result<Arc<dyn KeySource>, String> {
        self.locations.open(url)?;
        let set = self.checking.clone().or_else(|| {
            let document = read(url)?;
            KeySet::parse(&document).ok().map(Arc::new)
        });
        Ok(Arc::new(Fixed { url: url.to_owned(), set, missing: self.missing.clone() }))
    }

    fn open_signing(&self, url: &str) -> Result<Arc<dyn SigningSource>, String> {
        self.locations.open_signing(url)?;
        let of_file = read(url).and_then(|document| SigningSet::parse(&document).ok().map(Arc::new));
        let set = of_file.or_else(|| self.signing.clone());
        Ok(Arc::new(Fixed { url: url.to_owned(), set, missing: self.missing.clone() }))
    }
}

fn read(url: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    key_file::read(&local_path(url)?).ok()
}

/// A set that never changes.
struct Fixed<D> {
    url: String,
    set: Option<Arc<D>>,
    missing: Arc<Missing>,
}

impl<D> Fixed<D> {
    fn set(&self) -> Option<Arc<D>> {
        if self.set.is_none() {
            let mut missing = self.missing.0.lock().unwrap_or_else(PoisonError::into_inner);
            missing.insert(shown_url(&self.url).into_owned());
        }
        self.set.clone()
    }
}

impl KeySource for Fixed<KeySet> {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.set()
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn location(&self) -> &str {
        &self.url
    }
}

impl SigningSource for Fixed<SigningSet> {
    fn current(&self) -> Option<Arc<SigningSet>> {
        self.set()
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
