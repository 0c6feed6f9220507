//! Modifiers: `@name` or `@name:argument`, which turn a whole value into another.

use std::borrow::Cow;

use serde_json::Value;

/// A modifier with its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modifier {
    /// Flattens arrays in an array; `deep`, all the way down.
    Flatten { deep: bool },
    /// Parses a text that holds JSON.
    FromStr,
    /// The keys of an object.
    Keys,
    /// Turns an array or an object round.
    Reverse,
    /// Nothing: `@this`, and what only concerns how JSON is written.
    This,
    /// The values of an object.
    Values,
}

/// GJSON's others.
const UNSUPPORTED: &[&str] = &["dig", "group", "join", "tostr"];

impl Modifier {
    /// By name; `None` when GJSON has no such modifier, so that it is a key.
    pub(super) fn named(name: &str, argument: &str) -> Option<Result<Self, String>> {
        let modifier = match name {
            "flatten" => {
                let argument: Value = serde_json::from_str(argument).unwrap_or_default();
                Modifier::Flatten { deep: argument["deep"] == true }
            }
            "fromstr" => Modifier::FromStr,
            "keys" => Modifier::Keys,
            "reverse" => Modifier::Reverse,
            "this" | "pretty" | "ugly" | "valid" => Modifier::This,
            "values" => Modifier::Values,
            name if UNSUPPORTED.contains(&name) => {
                return Some(Err(format!("the modifier `@{name}` is not supported")));
            }
            _ => return None,
        };
        Some(Ok(modifier))
    }

    pub(super) fn apply<'v>(&self, value: &'v Value) -> Option<Cow<'v, Value>> {
        let list = |items: Vec<Value>| Some(Cow::Owned(Value::Array(items)));
        match (self, value) {
            (Modifier::Flatten { deep }, Value::Array(items)) => list(flat(items, *deep)),
            (Modifier::FromStr, Value::String(text)) => serde_json::from_str(text).ok().map(Cow::Owned),
            (Modifier::FromStr, Value::Null) => None,
            (Modifier::Keys, Value::Object(map)) => list(map.keys().cloned().map(Value::String).collect()),
            (Modifier::Keys, Value::Array(items)) => list(vec![Value::Null; items.len()]),
            (Modifier::Keys, _) => list(vec![Value::Null]),
            (Modifier::Reverse, Value::Array(items)) => list(items.iter().rev().cloned().collect()),
            (Modifier::Reverse, Value::Object(map)) => Some(Cow::Owned(Value::Object(
                map.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect(),
            ))),
            (Modifier::Values, Value::Object(map)) => list(map.values().cloned().collect()),
            (Modifier::Values, Value::Array(_)) => Some(Cow::Borrowed(value)),
            (Modifier::Values, _) => list(vec![value.clone()]),
            (Modifier::This | Modifier::Flatten { .. } | Modifier::FromStr | Modifier::Reverse, _) => {
                Some(Cow::Borrowed(value))
            }
        }
    }
}

fn flat(items: &[Value], deep: bool) -> Vec<Value> {
    let mut all = Vec::new();
    for item in items {
        match item {
            Value::Array(inner) if deep => all.extend(flat(inner, deep)),
            Value::Array(inner) => all.extend(inner.iter().cloned()),
            other => all.push(other.clone()),
        }
    }
    all
}
