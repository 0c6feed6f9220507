//! Conversions between kinds, as the `cast` library makes them: what cannot be converted is zero.

use super::super::function::Function;
use super::super::function::Param::{Any, Text};
use super::Value;
use super::arguments::{shown, utf8};

pub(super) const ALL: &[Function] = &[
    Function::pure("int", &[Any], |args| Ok(Value::Int(to_int(&args[0])))),
    Function::pure("int64", &[Any], |args| Ok(Value::Int64(to_int(&args[0])))),
    Function::pure("float64", &[Any], |args| Ok(Value::Float(to_float(&args[0])))),
    Function::pure("atoi", &[Text], |args| Ok(Value::Int(clamped(&utf8(&args[0])?)))),
    // Its name notwithstanding: reads octal digits.
    Function::pure("toDecimal", &[Any], |args| {
        Ok(Value::Int64(digits(&String::from_utf8_lossy(&shown(&args[0])), 8).unwrap_or(0)))
    }),
];

/// `strconv.Atoi` with its error ignored: too large a number becomes the largest there is.
fn clamped(text: &str) -> i64 {
    text.parse().unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow => i64::MAX,
        std::num::IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    })
}

/// `cast.ToInt64`
#[allow(clippy::cast_possible_truncation)]
pub(super) fn to_int(value: &Value<'_>) -> i64 {
    match value {
        Value::Bool(value) => i64::from(*value),
        // What Go makes of floats out of range depends on the processor; this is what x86-64 gives.
        Value::Float(value) if *value >= -9.3e18 && *value < 9_223_372_036_854_775_808.0 => *value as i64,
        Value::Float(_) => i64::MIN,
        Value::Text(text) => integer(without_decimals(&text.to_str())).unwrap_or(0),
        other => other.integer().unwrap_or(0),
    }
}

/// `cast.ToFloat64`
#[allow(clippy::cast_precision_loss)]
pub(super) fn to_float(value: &Value<'_>) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Text(text) => number(&text.to_str()).unwrap_or(0.0),
        other => to_int(other) as f64,
    }
}

/// `5.9` is `5`, and `-.5` is `0`; what has no such form stays as it is.
fn without_decimals(text: &str) -> &str {
    let Some((whole, decimals)) = text.split_once('.') else { return text };
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if !digits.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
        return text;
    }
    if digits.is_empty() { "0" } else { whole }
}

/// An integer with Go's prefixes and, after them, underscores between digits.
fn integer(text: &str) -> Option<i64> {
    let (sign, body) = match text.strip_prefix(['+', '-']) {
        Some(body) => (&text[..1], body),
        None => ("", text),
    };
    let lower = body.to_ascii_lowercase();
    let (base, prefix) = match lower.get(..2) {
        Some("0x") => (16, 2),
        Some("0b") => (2, 2),
        Some("0o") => (8, 2),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, 1),
        _ => (10, 0),
    };
    let body = &lower[prefix..];
    let body = if body.contains('_') { ungrouped(body, prefix > 0)? } else { body.to_owned() };
    if body.starts_with(['+', '-']) {
        return None;
    }
    digits(&format!("{sign}{body}"), base)
}

/// Takes out underscores that stand between digits, or between a prefix and a digit.
fn ungrouped(body: &str, prefixed: bool) -> Option<String> {
    let well = !body.ends_with('_') && !body.contains("__") && (prefixed || !body.starts_with('_'));
    well.then(|| body.replace('_', ""))
}

fn digits(text: &str, base: u32) -> Option<i64> {
    i64::from_str_radix(text, base).ok()
}

/// A float in Go's notation: hexadecimal floats and the names of infinity, too.
pub(super) fn number(text: &str) -> Option<f64> {
    let (sign, body) = match text.strip_prefix(['+', '-']) {
        Some(body) => (if text.starts_with('-') { -1.0 } else { 1.0 }, body),
        None => (1.0, text),
    };
    let lower = body.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" if sign > 0.0 && !text.starts_with('+') => return Some(f64::NAN),
        _ => {}
    }
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        return hexadecimal_float(hexadecimal).map(|value| sign * value);
    }
    let lower = if lower.contains('_') { ungrouped(&lower, false)? } else { lower };
    let plain = lower.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
    let value = if plain { lower.parse::<f64>().ok()? } else { return None };
    value.is_finite().then_some(sign * value)
}

/// Digits, a point, and the exponent that Go demands after `p`.
#[allow(clippy::cast_precision_loss)]
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let mantissa = if mantissa.contains('_') { ungrouped(mantissa, true)? } else { mantissa.to_owned() };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 15 {
        return None;
    }
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let value = digits as f64 * 2f64.powi(exponent.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?);
    value.is_finite().then_some(value)
}
