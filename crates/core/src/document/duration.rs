//! Durations as configuration files write them: one number, one unit (pipeline spec 1.2).

use std::time::Duration;

/// What JSON Schema says of a duration.
pub const PATTERN: &str = "^[0-9]+(ns|us|ms|s|m|h)$";

/// A duration such as `500ms`, `15s`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub Duration);

impl<'de> serde::Deserialize<'de> for GoDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(GoDuration).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a duration: write a whole number and one of ns, us, ms, s, m, h, such as `15s`"
            ))
        })
    }
}

impl schemars::JsonSchema for GoDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": PATTERN})
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ns" => Some(Duration::from_nanos(number)),
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
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
        for text in ["", "5", "s", "1m30s", "1.5s", "-1s", "1 s", "99999999999999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
