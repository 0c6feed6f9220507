//! What a plain word of a file is a number, as the reference's parsers see it.

use keyward_core::document::whole;
use keyward_core::go_integer::radix;
use serde_json::Number;

/// Integers as Go writes them (`0x1f`, `0o17`, `017`, `0b101`), and floats, both with `_` between digits. A float
/// that is whole is the integer, as in JSON that the reference makes of it.
pub(super) fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| float(&plain))
}

fn integer(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = radix(unsigned);
    // The standard library would take a second sign.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if text.starts_with('-') {
        i64::try_from(-i128::from(magnitude)).ok().map(Into::into)
    } else {
        Some(magnitude.into())
    }
}

fn float(text: &str) -> Option<Number> {
    // No words, such as `inf`.
    let looks_like_one = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let number = text.parse::<f64>().ok().filter(|_| looks_like_one).and_then(Number::from_f64)?;
    let integer = whole(&number).and_then(|value| i64::try_from(value).ok());
    Some(integer.map_or(number, Number::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn numbers_are_those_of_the_reference() {
        let rows = [
            ("10", json!(10)),
            ("+10", json!(10)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            ("0x1F", json!(31)),
            ("-0x10", json!(-16)),
            ("0o17", json!(15)),
            ("017", json!(15)),
            ("-010", json!(-8)),
            ("08", json!(8)),
            ("0b101", json!(5)),
            ("1_000", json!(1000)),
            ("1_000.5", json!(1000.5)),
            ("1.5", json!(1.5)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("1e3", json!(1000)),
        ];
        for (text, expected) in rows {
            assert_eq!(number(text).map(Value::Number), Some(expected), "{text}");
        }
        for text in ["", "_1", "1.2.3", "v1", "0x", "0o8", "0x+1", "+-1", "-", ".", "1e400", "inf", "+inf", "1_a", "e5"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
