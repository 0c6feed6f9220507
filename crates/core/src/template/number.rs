//! Number literals: Go's integers, floats and complex numbers.

use super::value::{Complex, Value};
use crate::go_integer::radix;

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
    Complex(Complex),
}

impl Number {
    /// The value where no type is asked for.
    pub(super) fn value<'a>(self) -> Value<'a> {
        match self {
            Number::Int(value) => Value::Int(value),
            Number::Float(value) => Value::Float(value),
            Number::Complex(value) => Value::Complex(value),
        }
    }
}

/// Reads the number at the beginning; the rest is what follows it.
pub(super) fn leading(text: &str) -> Result<(Number, &str), String> {
    let (first, after) = text.split_at(length(text));
    if !after.starts_with(['+', '-']) {
        return Ok((number(first)?, after));
    }
    // `1+2i`, without spaces
    let (second, rest) = after.split_at(length(after));
    let bad = || format!("bad number syntax: `{first}{second}`");
    let imaginary = second.strip_suffix('i').and_then(float).ok_or_else(bad)?;
    let real = float(first).ok_or_else(bad)?;
    Ok((Number::Complex(Complex { real, imaginary }), rest))
}

/// How far a number without a second part goes.
fn length(text: &str) -> usize {
    let is_hexadecimal =
        text.trim_start_matches(['+', '-']).get(..2).is_some_and(|prefix| matches!(prefix, "0x" | "0X"));
    let mut before = ' ';
    let ends = |c: char| {
        let exponent = if is_hexadecimal { matches!(before, 'p' | 'P') } else { matches!(before, 'e' | 'E') };
        let signed = matches!(c, '+' | '-') && (before == ' ' || exponent);
        before = c;
        !(signed || c.is_ascii_alphanumeric() || c == '.' || c == '_')
    };
    text.find(ends).unwrap_or(text.len())
}

fn number(token: &str) -> Result<Number, String> {
    if let Some(imaginary) = token.strip_suffix('i').and_then(float) {
        return Ok(Number::Complex(Complex { real: 0.0, imaginary }));
    }
    if let Some(value) = integer(token) {
        // What is no `int` is of no use. Go says so, too, but only where it is reached when it fits 64 bits.
        return match i64::try_from(value) {
            Ok(value) => Ok(Number::Int(value)),
            Err(_) => Err(format!("{token} overflows int")),
        };
    }
    match float(token) {
        Some(value) if token.contains(['.', 'e', 'E', 'p', 'P']) => Ok(Number::Float(value)),
        Some(_) => Err(format!("integer overflow: `{token}`")),
        None => Err(format!("illegal number syntax: `{token}`")),
    }
}

fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = radix(digits);
    // Underscores stand between digits, or between a prefix and a digit.
    if digits.ends_with('_') || digits.contains("__") || (radix == 10 && digits.starts_with('_')) {
        return None;
    }
    let plain = digits.replace('_', "");
    if plain.is_empty() || !plain.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(&plain, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned.len() + 1 < text.len() || misplaced_underscore(unsigned) {
        return None;
    }
    let plain = unsigned.replace('_', "");
    let value = if plain.starts_with("0x") || plain.starts_with("0X") {
        hexadecimal(&plain[2..])?
    } else {
        if !plain.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
            return None;
        }
        plain.parse().ok()?
    };
    value.is_finite().then_some(if text.starts_with('-') { -value } else { value })
}

/// In a float, an underscore stands between two digits, or after the prefix.
fn misplaced_underscore(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<&u8>, hex: bool| {
        at.is_some_and(|byte| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() })
    };
    let hex = text.starts_with("0x") || text.starts_with("0X");
    bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'_'
            && !(at > 0 && (is_digit(bytes.get(at - 1), hex) || (hex && at == 2)) && is_digit(bytes.get(at + 1), hex))
    })
}

/// `1.8p1`: hexadecimal digits and a binary exponent, which Go demands.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    // More digits than this would be rounded twice.
    if all.is_empty() || all.len() > 16 {
        return None;
    }
    let mantissa = u64::from_str_radix(&all, 16).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()? * 4)?;
    #[allow(clippy::cast_precision_loss)]
    Some(mantissa as f64 * 2_f64.powi(shift))
}
