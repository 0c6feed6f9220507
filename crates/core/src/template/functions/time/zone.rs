//! Time zones: from the data that is compiled in, never from the machine.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone.
#[derive(Clone)]
pub(super) enum Zone {
    Utc,
    /// Local time, which is UTC by another name.
    Local,
    /// An offset as it was read, with its name if there was one.
    Fixed {
        name: String,
        offset: i64,
    },
    /// One of the data base.
    Named(TimeZone),
}

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// Finds a zone by its exact name.
    pub(super) fn find(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" => return Some(Zone::Utc),
            "Local" => return Some(Zone::Local),
            _ => {}
        }
        let zone = ZONES.get(name).ok().filter(|zone| !zone.is_unknown())?;
        // The data base does not care for case; file names, from which the reference reads, do.
        (zone.iana_name() == Some(name)).then_some(Zone::Named(zone))
    }

    /// What it is called at all times.
    pub(super) fn name(&self) -> &str {
        match self {
            Zone::Utc => "UTC",
            Zone::Local => "Local",
            Zone::Fixed { name, .. } => name,
            Zone::Named(zone) => zone.iana_name().unwrap_or_default(),
        }
    }

    /// Whether clocks are set forward at a moment.
    pub(super) fn is_summer_time(&self, seconds: i64) -> bool {
        match self {
            Zone::Named(zone) => zone.to_offset_info(timestamp(seconds)).dst().is_dst(),
            _ => false,
        }
    }

    /// Seconds east of UTC at a moment, and what the zone is called then.
    pub(super) fn at(&self, seconds: i64) -> (i64, String) {
        match self {
            Zone::Utc | Zone::Local => (0, "UTC".to_owned()),
            Zone::Fixed { name, offset } => (*offset, name.clone()),
            Zone::Named(zone) => {
                let info = zone.to_offset_info(timestamp(seconds));
                (i64::from(info.offset().seconds()), info.abbreviation().to_owned())
            }
        }
    }
}

/// The nearest moment that the data base can look up.
fn timestamp(seconds: i64) -> Timestamp {
    let bounds = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(seconds.clamp(bounds.0, bounds.1)).unwrap_or_default()
}
