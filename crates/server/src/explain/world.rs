//! The outside of rules that are looked at offline, and the rules compiled for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyward_core::credential::{Absent, NamedSecret};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::jwt::TokenCache;
use keyward_core::ports::{Clock, Outside, SecretSource, UnixTime};
use keyward_core::secret::Secret;

use super::keys::OfflineKeys;
use super::side::ScriptedSide;
use crate::config::settings::Settings;
use crate::courtesy::Courtesy;
use crate::outside::SystemRandom;
use crate::repository::documents::Documents;
use crate::secrets::{self, EnvironmentSecrets, offline};
use crate::snapshot::{Built, Snapshot};

/// Everything that stands for the outside. Nothing in it reaches anything but files.
pub struct World {
    /// Key sets.
    pub keys: Arc<OfflineKeys>,
    /// Side services.
    pub side: Arc<ScriptedSide>,
    /// Values of `{{ env "NAME" }}` that go before the environment's.
    pub env: BTreeMap<String, String>,
    /// Values of `{{ secret "NAME" }}` that go before those of the sources.
    pub secrets: BTreeMap<String, String>,
    /// What time it is.
    pub now: UnixTime,
}

impl World {
    /// Compiles the rules for this world.
    pub fn compile(&self, settings: &Settings) -> Result<Built, Diagnostic> {
        let outside = Outside {
            secrets: Arc::new(Secrets {
                env: self.env.clone(),
                named: self.secrets.clone(),
                outside: secrets::view::Secrets {
                    environment: EnvironmentSecrets::new(settings.env_dir.clone()),
                    view: offline::view(&settings.secrets),
                },
            }),
            keys: self.keys.clone(),
            tokens: Arc::new(TokenCache::new(1024)),
            side: self.side.clone(),
            clock: Arc::new(Stopped(self.now)),
            random: Arc::new(SystemRandom),
        };
        Snapshot::build(settings, &Documents::offline(), settings.proxy.listener.port, &outside, 0, &Courtesy::none())
    }
}

struct Secrets {
    env: BTreeMap<String, String>,
    named: BTreeMap<String, String>,
    outside: secrets::view::Secrets,
}

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<Secret> {
        self.env.get(name).map(Secret::new).or_else(|| self.outside.env(name))
    }

    fn secret(&self, name: &str) -> Result<NamedSecret, Absent> {
        let found = self.outside.secret(name);
        match self.named.get(name) {
            Some(value) => {
                let hosts = found.ok().and_then(|found| found.hosts);
                Ok(NamedSecret { value: Secret::new(value), version: "test".into(), hosts })
            }
            None => found,
        }
    }
}

/// A clock at which nothing takes time.
struct Stopped(UnixTime);

impl Clock for Stopped {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn unix(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.0).unwrap_or(0))
    }
}
