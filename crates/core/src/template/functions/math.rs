//! sprig's integer arithmetic and conversions.

use super::{Function, MANY, Value, row, string};

pub(super) const ALL: &[Function] = &[
    row("int", 1, 1, |args| Ok(Value::Int(to_int(&args[0])))),
    row("int64", 1, 1, |args| Ok(Value::Int(to_int(&args[0])))),
    row("float64", 1, 1, |args| Ok(Value::Float(to_float(&args[0])))),
    row("atoi", 1, 1, |args| Ok(Value::Int(string(&args[0])?.parse().unwrap_or(0)))),
    row("add", 1, MANY, |args| fold(args, i64::wrapping_add)),
    row("add1", 1, 1, |args| Ok(Value::Int(to_int(&args[0]).wrapping_add(1)))),
    row("sub", 2, 2, |args| fold(args, i64::wrapping_sub)),
    row("mul", 1, MANY, |args| fold(args, i64::wrapping_mul)),
    row("div", 2, 2, |args| checked(args, i64::checked_div)),
    row("mod", 2, 2, |args| checked(args, i64::checked_rem)),
    row("max", 1, MANY, |args| fold(args, i64::max)),
    row("min", 1, MANY, |args| fold(args, i64::min)),
];

fn fold<'a>(args: &[Value<'a>], step: fn(i64, i64) -> i64) -> super::Outcome<'a> {
    Ok(Value::Int(args.iter().map(to_int).reduce(step).unwrap_or(0)))
}

fn checked<'a>(args: &[Value<'a>], step: fn(i64, i64) -> Option<i64>) -> super::Outcome<'a> {
    step(to_int(&args[0]), to_int(&args[1])).map(Value::Int).ok_or_else(|| "integer divide by zero".to_owned())
}

pub(super) fn to_int(value: &Value<'_>) -> i64 {
    match value {
        Value::Int(value) => *value,
        #[allow(clippy::cast_possible_truncation)]
        Value::Float(value) => *value as i64,
        Value::Bool(value) => i64::from(*value),
        Value::Text(text) => parse(text),
        _ => 0,
    }
}

/// As the reference's library: a prefix names the base.
fn parse(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let value = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => i64::from_str_radix(&digits[2..], 16),
        Some("0b") => i64::from_str_radix(&digits[2..], 2),
        Some("0o") => i64::from_str_radix(&digits[2..], 8),
        _ => digits.parse(),
    };
    value.map_or(0, |value: i64| sign * value)
}

pub(super) fn to_float(value: &Value<'_>) -> f64 {
    match value {
        #[allow(clippy::cast_precision_loss)]
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Text(text) => text.parse().unwrap_or(0.0),
        _ => 0.0,
    }
}
