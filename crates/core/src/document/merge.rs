//! Merging one document over another (pipeline spec 1.3).

use super::{Entry, Node, Value};

/// Replaced whole although they are maps: two kinds of location merged make an invalid one.
const ATOMIC: &[&str] = &["token_from"];

/// Maps merge key by key; every other value, lists and null included, replaces.
pub fn merge(base: &Node, over: &Node) -> Node {
    let (Value::Map(base_entries), Value::Map(over_entries)) = (&base.value, &over.value) else {
        return over.clone();
    };
    let mut merged: Vec<Entry> = base_entries.clone();
    for entry in over_entries {
        match merged.iter_mut().find(|existing| existing.key == entry.key) {
            Some(existing) => {
                if ATOMIC.contains(&entry.key.as_str()) {
                    existing.value = entry.value.clone();
                } else {
                    existing.value = merge(&existing.value, &entry.value);
                }
                existing.key_origin = entry.key_origin.clone();
            }
            None => merged.push(entry.clone()),
        }
    }
    Node { value: Value::Map(merged), origin: over.origin.clone() }
}

/// The first key without a value in `over` that [`merge`] would let replace a value of `base`.
///
/// `token_from` is none: without a value it means the default place, as in the reference.
pub fn value_taken_back<'o>(base: &Node, over: &'o Node) -> Option<&'o Entry> {
    let (Value::Map(base_entries), Value::Map(over_entries)) = (&base.value, &over.value) else { return None };
    over_entries.iter().filter(|entry| !ATOMIC.contains(&entry.key.as_str())).find_map(|entry| {
        let existing = base_entries.iter().find(|existing| existing.key == entry.key)?;
        match (&existing.value.value, &entry.value.value) {
            (Value::Null, _) => None,
            (_, Value::Null) => Some(entry),
            _ => value_taken_back(&existing.value, &entry.value),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::to_json;
    use serde_json::json;

    /// [T] of pipeline spec 1.3, as far as values go; what is valid then is in the rows of handlers.
    #[test]
    fn rows_of_the_merge_table() {
        let rows = [
            (json!({"api": {"url": "https://some-url/"}}), json!({}), json!({"api": {"url": "https://some-url/"}})),
            (
                json!({"api": {"url": "https://a/", "retry": {"max_delay": "100ms"}}}),
                json!({"api": {"url": "http://b/foo", "retry": {"give_up_after": "15s"}}}),
                json!({"api": {"url": "http://b/foo", "retry": {"max_delay": "100ms", "give_up_after": "15s"}}}),
            ),
            (
                json!({"jwks_urls": [1, 2, 3]}),
                json!({"jwks_urls": ["http://foo"]}),
                json!({"jwks_urls": ["http://foo"]}),
            ),
            (json!({"a": 1}), json!({"a": null}), json!({"a": null})),
            (
                json!({"token_from": {"header": "X"}}),
                json!({"token_from": {"cookie": "c"}}),
                json!({"token_from": {"cookie": "c"}}),
            ),
        ];
        for (base, over, expected) in rows {
            let merged = merge(&Node::from_json(&base, "base"), &Node::from_json(&over, "over"));
            assert_eq!(to_json(&merged), expected);
        }
    }

    #[test]
    fn a_key_without_a_value_takes_a_value_back() {
        let rows = [
            (json!({"a": 1}), json!({"a": null}), Some("a")),
            (json!({"a": {"b": 1}}), json!({"a": null}), Some("a")),
            (json!({"a": {"b": 1}}), json!({"a": {"b": null}}), Some("b")),
            (json!({"a": {"b": 1}}), json!({"a": {"c": null}, "d": null}), None),
            (json!({"a": null}), json!({"a": null}), None),
            (json!({"token_from": {"header": "X"}}), json!({"token_from": null}), None),
        ];
        for (base, over, expected) in rows {
            let over_node = Node::from_json(&over, "over");
            let found = value_taken_back(&Node::from_json(&base, "base"), &over_node);
            assert_eq!(found.map(|entry| entry.key.as_str()), expected, "{over} over {base}");
        }
    }
}
