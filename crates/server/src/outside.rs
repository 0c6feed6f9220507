//! What the core asks for through its ports: time and randomness of this machine, and the stand-ins of
//! commands that must not reach anything.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyward_core::jwt::TokenCache;
use keyward_core::ports::{
    CallPolicy, Clock, LocalFuture, Outside, Random, SideAnswer, SideClient, SideError, SideRequest,
};

use crate::config::settings::Settings;
use crate::keys::KeySetRegistry;
use crate::secrets::view::{Secrets, View};
use crate::secrets::{EnvironmentSecrets, offline};

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    begun: Instant,
}

impl SystemClock {
    /// Counts from now.
    pub fn new() -> Self {
        Self { begun: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }

    fn unix(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// The crypto library's generator.
#[derive(Debug)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // It fails only when the operating system has no entropy source, and then nothing can be safe.
        if aws_lc_rs::rand::fill(bytes).is_err() {
            tracing::error!("the system has no random numbers");
            std::process::abort();
        }
    }
}

/// Reaches no side service.
#[derive(Debug)]
struct NoSideServices;

impl SideClient for NoSideServices {
    fn call<'a>(&'a self, _: SideRequest, _: &'a CallPolicy) -> LocalFuture<'a, Result<SideAnswer, SideError>> {
        let refused = SideError::Broken("side services are not called here".to_owned());
        Box::pin(std::future::ready(Err(refused)))
    }
}

/// What outlives every snapshot.
#[derive(Clone)]
pub struct Lasting {
    /// Key sets.
    pub keys: Arc<KeySetRegistry>,
    /// The verified-token cache.
    pub tokens: Arc<TokenCache>,
    /// Side services.
    pub side: Arc<dyn SideClient>,
    /// The values of `secrets.sources`.
    pub secrets: Arc<View>,
}

impl Lasting {
    /// For commands that check and explain: nothing is called or fetched, but files are read.
    pub fn offline(settings: &Settings) -> Self {
        Self {
            keys: Arc::new(KeySetRegistry::offline()),
            tokens: Arc::new(TokenCache::new(1024)),
            side: Arc::new(NoSideServices),
            secrets: offline::view(&settings.secrets),
        }
    }

    /// For one snapshot, which takes its own look at the secrets.
    pub fn under(&self, settings: &Settings) -> Outside {
        Outside {
            secrets: Arc::new(Secrets {
                environment: EnvironmentSecrets::new(settings.env_dir.clone()),
                view: self.secrets.clone(),
            }),
            keys: self.keys.clone(),
            tokens: self.tokens.clone(),
            side: self.side.clone(),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
        }
    }
}
