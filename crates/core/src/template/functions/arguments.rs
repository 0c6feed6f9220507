//! Arguments and results: typed access, and the bounds that no function's result may pass.

use std::borrow::Cow;

use super::super::format;
use super::super::function::Outcome;
use super::super::value::Value;

/// The longest text that a function makes, in bytes.
pub(super) const MAX_TEXT: usize = 256 * 1024;
/// The longest list that a function makes.
pub(super) const MAX_ITEMS: usize = 10_000;

/// The bytes of a string argument.
pub(super) fn bytes<'v>(value: &'v Value<'_>) -> Result<&'v [u8], String> {
    match value {
        Value::Text(text) => Ok(text.as_bytes()),
        other => Err(wrong(other, "string")),
    }
}

/// A string argument as UTF-8; what is not becomes U+FFFD.
pub(super) fn utf8<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, String> {
    match value {
        Value::Text(text) => Ok(text.to_str()),
        other => Err(wrong(other, "string")),
    }
}

/// An `int` argument.
pub(super) fn int(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        other => Err(wrong(other, "int")),
    }
}

/// A `float64` argument.
pub(super) fn float(value: &Value<'_>) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        other => Err(wrong(other, "float64")),
    }
}

/// The elements of a list that a function named in the message needs.
pub(super) fn elements<'a>(value: &Value<'a>, verb: &str) -> Result<Vec<Value<'a>>, String> {
    value.elements().ok_or_else(|| format!("cannot {verb} type {}", value.kind_name()))
}

/// What sprig makes text of: text and bytes as they are, everything else as `%v` prints it.
pub(super) fn shown(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Text(text) => text.as_bytes().to_vec(),
        other => other.as_octets().unwrap_or_else(|| format::text(other)),
    }
}

/// What a method that writes a text as bytes gives: these bytes after those that it was given.
pub(in crate::template) fn appended<'a>(given: Option<&Value<'a>>, bytes: &[u8]) -> Outcome<'a> {
    let mut all = given.and_then(Value::as_octets).unwrap_or_default();
    all.extend(bytes);
    holds(all.len())?;
    Ok(Value::octets(&all))
}

/// The strings of a list without its nils; a single value alone; nil as nothing.
pub(super) fn strings(value: &Value<'_>) -> Vec<Vec<u8>> {
    match value.elements() {
        Some(list) => list.iter().filter(|value| !value.is_nil()).map(shown).collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![shown(value)],
    }
}

/// Text, unless it is too long.
pub(super) fn text<'a>(made: impl Into<Vec<u8>>) -> Outcome<'a> {
    let made = made.into();
    fits(made.len())?;
    Ok(Value::bytes(made))
}

/// Refuses a text of so many bytes when it is too long. To be asked before it is made.
pub(super) fn fits(length: usize) -> Result<(), String> {
    if length > MAX_TEXT { Err("the result is too long".to_owned()) } else { Ok(()) }
}

/// Refuses a list of so many elements when it is too long.
pub(super) fn holds(count: usize) -> Result<(), String> {
    if count > MAX_ITEMS { Err("the list is too long".to_owned()) } else { Ok(()) }
}

fn wrong(value: &Value<'_>, wanted: &str) -> String {
    format!("wrong type for value; expected {wanted}; got {}", value.type_name())
}
