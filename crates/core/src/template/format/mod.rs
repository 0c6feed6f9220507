//! Go's formatting: what `{{ value }}` prints, and `printf` (pipeline spec 6.5).

mod directives;
mod float;
mod number;
mod print;
mod quote;
mod spec;

pub(super) use directives::printf;
pub(super) use float::json_float;
pub(super) use quote::{is_printed, quote};

use super::value::Value;
use print::Printer;

/// How much is written: what is longer no function may give and no template may write.
const MAX_SHOWN: usize = 512 * 1024;

/// A value as the language itself prints it: what is missing is said to be so, pointers are followed.
pub(super) fn printed(value: &Value<'_>) -> Vec<u8> {
    let mut printer = Printer::default();
    match value {
        Value::Nil | Value::Null => return b"<no value>".to_vec(),
        Value::Session(data) => printer.session(data, 'v', 0),
        _ => printer.argument(value, 'v'),
    }
    printer.out
}

/// Values as the language's own functions take them together: a space between two that are no text.
pub(super) fn joined(values: &[Value<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_)) || value.is_nil();
        if !before && !is_text {
            out.push(b' ');
        }
        out.extend(printed(value));
        before = is_text;
    }
    out
}

/// A value as `fmt.Sprint` prints it.
pub(super) fn text(value: &Value<'_>) -> Vec<u8> {
    let mut printer = Printer::default();
    printer.argument(value, 'v');
    printer.out
}
