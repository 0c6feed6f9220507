//! Until when the certificates of listeners are good: one that has ended locks every caller out.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::Gauge64;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    listener: &'static str,
}

/// Ends by listener.
#[derive(Default)]
pub struct CertificateMetrics(Family<Labels, Gauge64>);

impl CertificateMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "When the certificate of a listener, or another of its chain, is no longer good, since 1970";
        let name = "keyward_certificate_expiry_timestamp";
        registry.register_with_unit(name, help, Unit::Seconds, metrics.0.clone());
        metrics
    }

    /// Says which are in force.
    pub fn show(&self, expiries: &[(&'static str, i64)]) {
        self.0.clear();
        for (listener, expiry) in expiries {
            self.0.get_or_create(&Labels { listener }).set(*expiry);
        }
    }
}
