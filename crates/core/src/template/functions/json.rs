//! sprig's functions that read JSON and show it.

use serde_json::Value as Json;

use super::super::format;
use super::{Function, Outcome, Value, row, string};

pub(super) const ALL: &[Function] = &[
    // The reference gives nil for what is no JSON.
    row("fromJson", 1, 1, |args| Ok(read(string(&args[0])?).unwrap_or(Value::Nil))),
    row("mustFromJson", 1, 1, |args| read(string(&args[0])?)),
    row("mustToJson", 1, 1, |args| Ok(Value::text(format::json(&args[0], true)))),
    row("mustToPrettyJson", 1, 1, pretty),
    row("mustToRawJson", 1, 1, |args| Ok(Value::text(format::json(&args[0], false)))),
    row("toPrettyJson", 1, 1, pretty),
];

fn read<'a>(text: &str) -> Outcome<'a> {
    let json: Json = serde_json::from_str(text).map_err(|_| "it is not JSON".to_owned())?;
    Ok(owned(json))
}

/// A JSON value as Go decodes it: every number is a float.
fn owned<'a>(json: Json) -> Value<'a> {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::text(text),
        Json::Array(list) => Value::List(list.into_iter().map(owned).collect()),
        Json::Object(map) => Value::Map(map.into_iter().map(|(key, value)| (key, owned(value))).collect()),
    }
}

fn pretty<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let json: Json = serde_json::from_str(&format::json(&args[0], true)).map_err(|error| error.to_string())?;
    let text = serde_json::to_string_pretty(&json).map_err(|error| error.to_string())?;
    Ok(Value::text(crate::pipeline::error_response::escape_html(&text)))
}
