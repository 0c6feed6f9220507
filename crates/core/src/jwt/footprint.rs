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

/// What so many members of one object take besides their names and values, in bytes.
pub(super) fn of_object(members: usize) -> usize {
    if members == 0 {
        return 0;
    }
    // One entry each, and a table of their numbers that is at most seven eighths full.
    let entry = size_of::<u64>() + size_of::<String>() + size_of::<Value>();
    let table = (members * 8).div_ceil(7).next_power_of_two().max(4) * (size_of::<usize>() + 1);
    allocation(members * entry) + allocation(table)
}

/// What a list of so many values takes besides these, in bytes.
pub(super) fn of_list(values: usize) -> usize {
    allocation(values * size_of::<Value>())
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
}
