//! Durations: nanoseconds, as `time.Duration` reads and prints them.

use super::super::super::function::{Method, Param};
use super::super::super::value::{Integer, IntegerType};
use super::super::{Outcome, Value};

pub(super) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// `time.Duration`
pub(super) static DURATION: IntegerType =
    IntegerType { name: "time.Duration", kind: "int64", signed: true, show: Some(show), methods: &METHODS };

static METHODS: [Method; 9] = [
    Method::new("Nanoseconds", &[], |args| Ok(Value::Int64(length(args)))),
    Method::new("Microseconds", &[], |args| Ok(Value::Int64(length(args) / 1000))),
    Method::new("Milliseconds", &[], |args| Ok(Value::Int64(length(args) / 1_000_000))),
    Method::new("Seconds", &[], |args| Ok(Value::Float(in_units(length(args), SECOND)))),
    Method::new("Minutes", &[], |args| Ok(Value::Float(in_units(length(args), MINUTE)))),
    Method::new("Hours", &[], |args| Ok(Value::Float(in_units(length(args), HOUR)))),
    Method::new("Abs", &[], |args| made(length(args).saturating_abs())),
    Method::new("Truncate", &[Param::Integer(&DURATION)], |args| {
        let (length, unit) = (length(args), length(&args[1..]));
        made(if unit <= 0 { length } else { length - length % unit })
    }),
    Method::new("Round", &[Param::Integer(&DURATION)], |args| made(rounded(length(args), length(&args[1..])))),
];

fn length(args: &[Value<'_>]) -> i64 {
    args.first().and_then(Value::integer).unwrap_or(0)
}

/// A duration as a value.
pub(super) fn made<'a>(length: i64) -> Outcome<'a> {
    Ok(Value::Integer(Integer { of: &DURATION, bits: length }))
}

#[allow(clippy::cast_precision_loss)]
fn in_units(length: i64, unit: i64) -> f64 {
    (length / unit) as f64 + (length % unit) as f64 / unit as f64
}

/// To the nearest multiple of a unit, halves away from zero.
pub(super) fn rounded(length: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return length;
    }
    let rest = length % unit;
    let toward_zero = length - rest;
    if rest.unsigned_abs() < unit.unsigned_abs().div_ceil(2) {
        return toward_zero;
    }
    toward_zero.saturating_add(if length < 0 { -unit } else { unit })
}

/// `1h30m0s`
pub(super) fn show(length: i64) -> String {
    let size = length.unsigned_abs();
    let sign = if length < 0 { "-" } else { "" };
    if size == 0 {
        return "0s".to_owned();
    }
    // Below a second the unit is the largest that gives a whole part.
    let (unit, digits, name) = match size {
        ..1_000 => (1, 0, "ns"),
        1_000..1_000_000 => (1_000, 3, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, 6, "ms"),
        _ => (1_000_000_000, 9, "s"),
    };
    let (whole, part) = (size / unit, size % unit);
    let fraction = format!("{part:0digits$}");
    let fraction = if part == 0 { String::new() } else { format!(".{}", fraction.trim_end_matches('0')) };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (name, hours, minutes) {
        ("s", 0, 0) => format!("{sign}{seconds}{fraction}s"),
        ("s", 0, _) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        ("s", _, _) => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
        _ => format!("{sign}{whole}{fraction}{name}"),
    }
}

/// The whole units of the largest unit that a duration exceeds. The sign is lost.
pub(super) fn in_largest_unit(length: i64) -> String {
    let size = length.unsigned_abs();
    let units = [(8760, "y"), (720, "mo"), (24, "d"), (1, "h")].map(|(hours, name)| (hours * HOUR, name));
    let found = units
        .into_iter()
        .chain([(MINUTE, "m"), (SECOND, "s")])
        .map(|(unit, name)| (unit.unsigned_abs(), name))
        .find(|(unit, _)| size > *unit);
    found.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", size / unit))
}

/// Reads `-1h30m` and the like.
pub(super) fn parse(text: &str) -> Option<i64> {
    const LIMIT: u64 = 1 << 63;
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (name, after) = after.split_at(after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len()));
        let unit = unit(name)?.unsigned_abs();
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part = whole.checked_mul(unit).filter(|part| *part <= LIMIT)?;
        total = total.checked_add(part.checked_add(fraction_of(unit, fraction))?).filter(|total| *total <= LIMIT)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, total) => total.ok(),
        (true, Ok(total)) => Some(-total),
        (true, Err(_)) => Some(i64::MIN),
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Digits past those that fit 63 bits do not count.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn fraction_of(unit: u64, digits: &str) -> u64 {
    let (mut value, mut scale) = (0_u64, 1_f64);
    for digit in digits.bytes() {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
        match next.filter(|next| value <= (i64::MAX / 10).unsigned_abs() && *next <= 1 << 63) {
            Some(next) => (value, scale) = (next, scale * 10.0),
            None => break,
        }
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}
