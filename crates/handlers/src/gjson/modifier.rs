//! Modifiers: `@name` or `@name:argument`, which turn a whole value into another.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Path;

/// A modifier with its argument.
#[derive(Debug)]
pub(super) enum Modifier {
    /// What a path finds in a value and in everything in it.
    Dig(Box<Path>),
    /// Flattens arrays in an array; `deep`, all the way down.
    Flatten { deep: bool },
    /// Parses a text that holds JSON.
    FromStr,
    /// An array of objects out of an object of arrays.
    Group,
    /// One object out of an array of objects.
    Join,
    /// The keys of an object.
    Keys,
    /// Turns an array or an object round.
    Reverse,
    /// Nothing: `@this`, and what only concerns how JSON is written.
    This,
    /// The value's JSON, as a text.
    ToStr,
    /// The values of an object.
    Values,
}

impl Modifier {
    /// By name; `None` when GJSON has no such modifier, so that it is a key. [`Modifier::Dig`] is made of a path.
    pub(super) fn named(name: &str, argument: &str) -> Option<Result<Self, String>> {
        let is_set = |key: &str| {
            let argument: Value = serde_json::from_str(argument).unwrap_or_default();
            argument[key] == true
        };
        Some(Ok(match name {
            "flatten" => Modifier::Flatten { deep: is_set("deep") },
            "fromstr" => Modifier::FromStr,
            "group" => Modifier::Group,
            "join" if is_set("preserve") => {
                return Some(Err(
                    "`@join` with `preserve` would write members twice, which is not supported".to_owned()
                ));
            }
            "join" => Modifier::Join,
            "keys" => Modifier::Keys,
            "reverse" => Modifier::Reverse,
            "this" | "pretty" | "ugly" | "valid" => Modifier::This,
            "tostr" => Modifier::ToStr,
            "values" => Modifier::Values,
            _ => return None,
        }))
    }

    /// What becomes of a value, or of nothing at all.
    pub(super) fn apply<'v>(&self, value: Option<&'v Value>) -> Option<Cow<'v, Value>> {
        let list = |items: Vec<Value>| Some(Cow::Owned(Value::Array(items)));
        let text = |text: String| Some(Cow::Owned(Value::String(text)));
        if let Modifier::Dig(path) = self {
            let mut all = Vec::new();
            dig(path, value, &mut all);
            return list(all);
        }
        let Some(value) = value else {
            return match self {
                Modifier::Keys | Modifier::Values => list(Vec::new()),
                Modifier::ToStr => text(String::new()),
                _ => None,
            };
        };
        match (self, value) {
            (Modifier::Flatten { deep }, Value::Array(items)) => list(flat(items, *deep)),
            (Modifier::FromStr, Value::String(text)) => serde_json::from_str(text).ok().map(Cow::Owned),
            (Modifier::FromStr, Value::Null) => None,
            (Modifier::Group, Value::Object(map)) => list(grouped(map)),
            (Modifier::Group, _) => None,
            (Modifier::Join, Value::Array(items)) => {
                let objects = items.iter().filter_map(Value::as_object);
                let members = objects.flatten().map(|(key, value)| (key.clone(), value.clone()));
                Some(Cow::Owned(Value::Object(members.collect())))
            }
            (Modifier::Keys, Value::Object(map)) => list(map.keys().cloned().map(Value::String).collect()),
            (Modifier::Keys, Value::Array(items)) => list(vec![Value::Null; items.len()]),
            (Modifier::Keys, _) => list(vec![Value::Null]),
            (Modifier::Reverse, Value::Array(items)) => list(items.iter().rev().cloned().collect()),
            (Modifier::Reverse, Value::Object(map)) => Some(Cow::Owned(Value::Object(
                map.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect(),
            ))),
            (Modifier::ToStr, value) => text(value.to_string()),
            (Modifier::Values, Value::Object(map)) => list(map.values().cloned().collect()),
            (Modifier::Values, Value::Array(_)) => Some(Cow::Borrowed(value)),
            (Modifier::Values, _) => list(vec![value.clone()]),
            _ => Some(Cow::Borrowed(value)),
        }
    }
}

/// Values nest no deeper than the parser of answers allows.
fn dig(path: &Path, value: Option<&Value>, all: &mut Vec<Value>) {
    all.extend(path.find_in(value).map(Cow::into_owned));
    match value {
        Some(Value::Array(items)) => items.iter().for_each(|item| dig(path, Some(item), all)),
        Some(Value::Object(map)) => map.values().for_each(|member| dig(path, Some(member), all)),
        _ => {}
    }
}

fn grouped(map: &Map<String, Value>) -> Vec<Value> {
    let mut all: Vec<Map<String, Value>> = Vec::new();
    for (key, value) in map {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            if at == all.len() {
                all.push(Map::new());
            }
            all[at].insert(key.clone(), item.clone());
        }
    }
    all.into_iter().map(Value::Object).collect()
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
