//! `time.Time`: a moment and the zone it is seen in.

use std::any::Any;

use super::super::super::format::quote;
use super::super::super::function::Method;
use super::super::super::value::Object;
use super::super::Value;
use super::civil::{Civil, MONTHS};
use super::duration::SECOND;
use super::zone::Zone;
use super::{marshal, methods, print};

pub(super) const TYPE: &str = "time.Time";

/// A moment.
#[derive(Clone)]
pub(super) struct Moment {
    /// Since 1970.
    pub(super) seconds: i64,
    pub(super) nanos: u32,
    pub(super) zone: Zone,
}

impl Moment {
    /// The first of January of the year one.
    pub(super) const ZERO: Self = Self { seconds: -62_135_596_800, nanos: 0, zone: Zone::Utc };

    /// The moment that a value is.
    pub(super) fn of<'v>(value: &'v Value<'_>) -> Result<&'v Self, String> {
        let wrong = || format!("wrong type for value; expected {TYPE}; got {}", value.type_name());
        match value {
            Value::Object(object) => object.as_any().downcast_ref().ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

    pub(super) fn in_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Seconds east of UTC, and what the zone is called.
    pub(super) fn offset(&self) -> (i64, String) {
        self.zone.at(self.seconds)
    }

    /// What clocks and calendars of the zone show.
    pub(super) fn civil(&self) -> Civil {
        Civil::of(self.seconds.saturating_add(self.offset().0))
    }

    /// Nanoseconds since 1970.
    pub(super) fn total(&self) -> i128 {
        i128::from(self.seconds) * i128::from(SECOND) + i128::from(self.nanos)
    }

    /// So many nanoseconds later.
    pub(super) fn plus(&self, nanoseconds: i64) -> Self {
        self.at(self.total() + i128::from(nanoseconds))
    }

    /// Another moment in the same zone.
    pub(super) fn at(&self, total: i128) -> Self {
        let second = i128::from(SECOND);
        Self {
            seconds: i64::try_from(total.div_euclid(second)).unwrap_or(self.seconds),
            nanos: u32::try_from(total.rem_euclid(second)).unwrap_or(0),
            zone: self.zone.clone(),
        }
    }

    /// The nanoseconds between, as many as fit.
    pub(super) fn since(&self, earlier: &Self) -> i64 {
        let between = self.total() - earlier.total();
        i64::try_from(between).unwrap_or(if between < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Object for Moment {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn show(&self) -> String {
        let shown = print::print(self, b"2006-01-02 15:04:05.999999999 -0700 MST");
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The call in Go that makes it.
    fn source(&self) -> String {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        let month = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or_default();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Local => "time.Local".to_owned(),
            other => format!("time.Location({})", quote(other.name().as_bytes())),
        };
        format!("time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {}, {zone})", self.nanos)
    }

    fn json(&self) -> Option<serde_json::Value> {
        marshal::text(self).ok().map(|text| String::from_utf8_lossy(&text).into())
    }

    fn field<'a>(&self, _: &str) -> Option<Value<'a>> {
        None
    }

    fn methods(&self) -> &'static [Method] {
        methods::ALL
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
