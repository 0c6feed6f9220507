//! What claims take in memory: without room to grow, and counted.

use std::mem::size_of;

use serde_json::{Map, Value};

/// What stands before a value that is shared: two counters.
pub(super) const COUNTERS: usize = 2 * size_of::<usize>();

/// The same members in no more memory than they need. Those of a parsed text have room for more.
pub(super) fn without_spare_room(members: Map<String, Value>) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name, exact(value))).collect()
}

fn exact(value: Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(exact).collect();
            list.shrink_to_fit();
            Value::Array(list)
        }
        Value::Object(members) => Value::Object(without_spare_room(members)),
        value => value,
    }
}

/// What members take besides the map itself, in bytes.
pub(super) fn of_members(members: &Map<String, Value>) -> usize {
    if members.is_empty() {
        return 0;
    }
    // One entry each, and a table of their numbers that is at most seven eighths full.
    let entry = size_of::<u64>() + size_of::<String>() + size_of::<Value>();
    let table = (members.len() * 8).div_ceil(7).next_power_of_two().max(4) * (size_of::<usize>() + 1);
    let each = members.iter().map(|(name, value)| allocation(name.len()) + of_value(value));
    allocation(members.len() * entry) + allocation(table) + each.sum::<usize>()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => allocation(text.len()),
        Value::Array(list) => allocation(list.len() * size_of::<Value>()) + list.iter().map(of_value).sum::<usize>(),
        Value::Object(members) => of_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// What a list of texts takes besides the list itself, in bytes.
pub(super) fn of_texts(texts: &[String]) -> usize {
    allocation(size_of_val(texts)) + texts.iter().map(|text| allocation(text.len())).sum::<usize>()
}

/// Memory of this many bytes, with what an allocator rounds up.
pub(super) fn allocation(bytes: usize) -> usize {
    // Sizes come in steps: of 16 bytes, then of an eighth to a quarter.
    bytes.next_multiple_of(16) + bytes / 16
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_without_spare_room_say_the_same_in_the_same_order() {
        let claims = json!({"z": 1, "a": {"b": ["x", {"y": null}], "c": {}}, "m": [], "k": "text", "f": 1.5});
        let text = claims.to_string();
        let parsed = crate::strict_json::object(text.as_bytes()).unwrap();
        assert_eq!(Value::Object(without_spare_room(parsed)).to_string(), text);
    }

    #[test]
    fn whatever_adds_memory_counts() {
        let rows = [
            (json!({}), json!({"a": 1})),
            (json!({"a": 1}), json!({"a": "a text of some length"})),
            (json!({"a": 1}), json!({"a very long name of a claim": 1})),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!({"a": []}), json!({"a": [1]})),
            (json!({"a": {}}), json!({"a": {"b": 1}})),
            (json!({"a": {"b": [1]}}), json!({"a": {"b": ["a text of some length"]}})),
        ];
        for (less, more) in rows {
            let bytes = |value: &Value| of_members(value.as_object().unwrap());
            assert!(bytes(&less) < bytes(&more), "{less} {more}");
        }
    }
}
