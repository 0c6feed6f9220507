//! How every rule repository is doing. One line each: their number is that of the configuration in force.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    /// Where it stands in the list; locations can be alike once they are redacted.
    repository: u64,
    location: String,
}

type Flag = Gauge<u64, AtomicU64>;

/// What is said of repositories.
#[derive(Default)]
pub struct RepositoryMetrics {
    age: Family<Labels, Gauge<f64, AtomicU64>>,
    stale: Family<Labels, Flag>,
    copied: Family<Labels, Flag>,
    failures: Family<Labels, Counter>,
    /// Copies that could not be written to disk.
    pub copy_failures: Counter,
}

impl RepositoryMetrics {
    /// Registers all of them.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { age, stale, copied, failures, copy_failures } = &metrics;
        let help = "Seconds since the source last confirmed the rules in force";
        registry.register_with_unit("keyward_repository_age", help, Unit::Seconds, age.clone());
        registry.register("keyward_repository_stale", "1 while the source fails or nothing is in force", stale.clone());
        let help = "1 while the rules in force are a copy from disk";
        registry.register("keyward_repository_from_copy", help, copied.clone());
        registry.register("keyward_repository_failures", "Failures of the source and refused rules", failures.clone());
        let help = "Copies of rules that could not be written to disk";
        registry.register("keyward_repository_copy_failures", help, copy_failures.clone());
        metrics
    }

    /// Takes every line away: other repositories may be in force now.
    pub fn forget(&self) {
        self.age.clear();
        self.stale.clear();
        self.copied.clear();
        self.failures.clear();
    }

    /// Says how a repository is doing. Without an age nothing of it is in force.
    pub fn set(&self, position: usize, name: &str, age: Option<Duration>, stale: bool, copied: bool, failures: u64) {
        let labels = Labels { repository: position as u64, location: name.to_owned() };
        if let Some(age) = age {
            self.age.get_or_create(&labels).set(age.as_secs_f64());
        }
        self.stale.get_or_create(&labels).set(stale.into());
        self.copied.get_or_create(&labels).set(copied.into());
        self.failures.get_or_create(&labels).inc_by(failures);
    }
}
