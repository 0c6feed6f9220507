//! JSON, read and written as Go does.

use serde_json::Value as Json;

use super::super::function::Function;
use super::super::function::Param::{Any, Text};
use super::arguments::utf8;
use super::json_text::{Fault, Layout, json};
use super::{Outcome, Value};
use crate::go_json;

const PLAIN: Layout = Layout { escapes: true, pretty: false };
const PRETTY: Layout = Layout { escapes: true, pretty: true };
const RAW: Layout = Layout { escapes: false, pretty: false };

pub(super) const ALL: &[Function] = &[
    Function::pure("toJson", &[Any], |args| lenient(&args[0], PLAIN)),
    Function::pure("toPrettyJson", &[Any], |args| lenient(&args[0], PRETTY)),
    Function::pure("toRawJson", &[Any], |args| strict(&args[0], RAW)),
    Function::pure("mustToJson", &[Any], |args| strict(&args[0], PLAIN)),
    Function::pure("mustToPrettyJson", &[Any], |args| strict(&args[0], PRETTY)),
    Function::pure("mustToRawJson", &[Any], |args| strict(&args[0], RAW)),
    Function::pure("fromJson", &[Text], |args| Ok(parsed(&utf8(&args[0])?).unwrap_or(Value::Nil))),
    Function::pure("mustFromJson", &[Text], |args| parsed(&utf8(&args[0])?)),
];

/// What JSON cannot say gives an empty text.
fn lenient<'a>(value: &Value<'a>, layout: Layout) -> Outcome<'a> {
    match json(value, layout) {
        Err(Fault::Unsupported) => Ok(Value::text("")),
        made => made.map(Value::text).map_err(|fault| fault.message().to_owned()),
    }
}

fn strict<'a>(value: &Value<'a>, layout: Layout) -> Outcome<'a> {
    json(value, layout).map(Value::text).map_err(|fault| fault.message().to_owned())
}

fn parsed<'a>(text: &str) -> Outcome<'a> {
    go_json::check(text.as_bytes()).map_err(|_| "invalid JSON".to_owned())?;
    let json: Json = match serde_json::from_str(text) {
        Ok(json) => json,
        // Go reads half a surrogate pair as U+FFFD.
        Err(_) => serde_json::from_str(&whole_pairs(text)).map_err(|_| "JSON out of range".to_owned())?,
    };
    Ok(Value::of_owned(&json))
}

/// The text with the escapes of halves of surrogate pairs replaced.
fn whole_pairs(text: &str) -> String {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut made = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                made.push(char::REPLACEMENT_CHARACTER);
                at += 6;
                continue;
            }
            Some(_) => 6,
            None if rest.starts_with('\\') => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        made.push_str(&rest[..length.min(rest.len())]);
        at += length;
    }
    made
}
