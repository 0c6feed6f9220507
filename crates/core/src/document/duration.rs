//! Durations as configuration files write them: one number, one unit (pipeline spec 1.2); in a few places
//! whatever Go reads as one.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// What JSON Schema says of a duration.
pub const PATTERN: &str = "^[0-9]+(ns|us|ms|s|m|h)$";
/// What it says of a composed one.
pub const COMPOSED_PATTERN: &str = "^(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$";

/// The longest there is, as in Go: some 292 years.
const MAX_NANOS: u128 = i64::MAX as u128;
/// Digits behind the point that can count.
const FRACTION_DIGITS: usize = 15;

/// A duration such as `500ms`, `15s`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub Duration);

/// A duration that may have several parts and fractions, such as `1m30s` and `1.5h`. The reference checks
/// some settings with Go's own reader only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComposedDuration(pub Duration);

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(GoDuration).ok_or_else(|| {
            Error::custom(format!(
                "`{text}` is not a duration: write a whole number and one of ns, us, ms, s, m, h, such as `15s`"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for ComposedDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_composed(&text).map(ComposedDuration).ok_or_else(|| {
            Error::custom(format!(
                "`{text}` is not a duration: write numbers, each with one of ns, us, ms, s, m, h, such as `1m30s`"
            ))
        })
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN})
    }
}

impl JsonSchema for ComposedDuration {
    fn schema_name() -> Cow<'static, str> {
        "ComposedDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": COMPOSED_PATTERN})
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    bounded(nanos_of(unit).filter(|_| unit.is_ascii())?.checked_mul(number.parse().ok()?)?)
}

fn parse_composed(text: &str) -> Option<Duration> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut nanos) = (text, 0_u128);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c))?);
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        nanos = nanos.checked_add(part(number, nanos_of(unit)?)?)?;
        rest = after;
    }
    bounded(nanos).filter(|_| !text.is_empty())
}

/// A number with a fraction of so many nanoseconds.
fn part(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let digits = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let read = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok().map(u128::from) };
    let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    Some(read(whole)? * unit + read(digits)? * unit / scale)
}

fn nanos_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return None,
    })
}

fn bounded(nanos: u128) -> Option<Duration> {
    let nanos = u64::try_from(nanos).ok().filter(|nanos| u128::from(*nanos) <= MAX_NANOS)?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        for (text, millis) in
            [("100ms", Some(100)), ("15s", Some(15_000)), ("2m", Some(120_000)), ("1h", Some(3_600_000))]
        {
            assert_eq!(parse(text).map(|duration| duration.as_millis()), millis, "{text}");
        }
        let rows = ["", "5", "s", "1m30s", "1.5s", "-1s", "1 s", "1µs", "2562048h", "99999999999999999999h"];
        for text in rows {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn composed_durations_are_those_of_go() {
        let rows = [
            ("15s", 15_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.h", 3_600_000_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("1µs1μs", 2_000),
            ("0.333333333333333333333h", 1_199_999_999_999),
            ("0s", 0),
        ];
        for (text, nanos) in rows {
            assert_eq!(parse_composed(text).map(|duration| duration.as_nanos()), Some(nanos), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            ".s",
            "1..5s",
            "1.5.5s",
            "-1s",
            "1 s",
            "1d",
            "1m30",
            "2562047h1000h",
            "99999999999999999999h",
        ] {
            assert_eq!(parse_composed(text), None, "{text}");
        }
    }
}
