//! How each key set is doing. Written anew for every scrape: what is used no longer is forgotten, so that there are
//! never more labels than sets.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::Gauge64;
use crate::sources::SourceReport;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    location: String,
}

/// Ages and failures by location.
pub struct KeySetMetrics {
    ages: Family<Labels, Gauge64>,
    failures: Family<Labels, Counter>,
}

impl KeySetMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (ages, failures) = (Family::default(), Family::default());
        let help = "How long ago each key set in force was last fetched";
        registry.register_with_unit("keyward_key_set_age", help, Unit::Seconds, Family::clone(&ages));
        let help = "Failed fetches of each key set in use";
        registry.register("keyward_key_set_fetch_failures", help, Family::clone(&failures));
        Self { ages, failures }
    }

    /// Says how they are doing. Locations that look the same are told as one: the oldest age, all failures. Must be
    /// followed by the scrape without a pause, since it begins at nought.
    pub fn show(&self, reports: &[SourceReport], failures: &[(String, u64)]) {
        let labels = |location: &String| Labels { location: location.clone() };
        self.ages.clear();
        for report in reports {
            let Some(age) = report.age else { continue };
            let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            let gauge = self.ages.get_or_create_owned(&labels(&report.name));
            gauge.set(gauge.get().max(age));
        }
        self.failures.clear();
        for (location, count) in failures {
            self.failures.get_or_create(&labels(location)).inc_by(*count);
        }
    }
}
