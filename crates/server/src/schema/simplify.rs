//! Makes generated schemas read as if a person had written them.

use serde_json::{Map, Value, json};

/// Folds `X or null` into X, lists of constants into enumerations, and drops formats that are no standard's
/// and defaults that say nothing.
pub(super) fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(simplify),
        Value::Object(map) => {
            map.values_mut().for_each(simplify);
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with(['u', 'i'])) {
                map.remove("format");
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            enumerate(map);
            flatten(map);
            fold_null(map);
        }
        _ => {}
    }
}

/// `oneOf` constants, each with a description, as the types' enumerations come.
fn enumerate(map: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = map.get("oneOf") else { return };
    let described: Option<Vec<(Value, Value)>> = variants
        .iter()
        .map(|variant| Some((variant.get("const")?.clone(), variant.get("description").cloned().unwrap_or_default())))
        .collect();
    let Some(described) = described else { return };
    let (names, descriptions): (Vec<Value>, Vec<Value>) = described.into_iter().unzip();
    map.remove("oneOf");
    map.insert("type".to_owned(), "string".into());
    map.insert("enum".to_owned(), names.into());
    // Editors show these; validators pass over them.
    map.insert("enumDescriptions".to_owned(), descriptions.into());
}

/// Alternatives among alternatives.
fn flatten(map: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = map.get_mut("anyOf") else { return };
    let inner = |one: Value| match one.get("anyOf").and_then(Value::as_array) {
        Some(inner) => inner.clone(),
        None => vec![one],
    };
    *alternatives = std::mem::take(alternatives).into_iter().flat_map(inner).collect();
}

/// An empty value in YAML is null, and counts as not written.
fn fold_null(map: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = map.get("anyOf") else { return };
    let [inner, null] = alternatives.as_slice() else { return };
    if *null != json!({"type": "null"}) {
        return;
    }
    let Value::Object(mut inner) = inner.clone() else { return };
    let Some(kind) = inner.get("type").and_then(Value::as_str) else { return };
    inner.insert("type".to_owned(), json!([kind, "null"]));
    if let Some(Value::Array(names)) = inner.get_mut("enum") {
        names.push(Value::Null);
    }
    map.remove("anyOf");
    // What was said about this use goes before what is said about the type.
    for (key, value) in inner {
        map.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_shapes_become_plain_ones() {
        let rows = [
            (
                json!({"description": "use", "anyOf": [{"description": "type", "type": "object"}, {"type": "null"}]}),
                json!({"description": "use", "type": ["object", "null"]}),
            ),
            (
                json!({"anyOf": [{"oneOf": [{"const": "a", "description": "A."}, {"const": "b"}]}, {"type": "null"}]}),
                json!({"type": ["string", "null"], "enum": ["a", "b", null], "enumDescriptions": ["A.", null]}),
            ),
            (json!({"type": "integer", "format": "uint16", "default": null}), json!({"type": "integer"})),
            (
                json!({"anyOf": [{"anyOf": [{"type": "object"}, {"type": "array"}]}, {"type": "null"}]}),
                json!({"anyOf": [{"type": "object"}, {"type": "array"}, {"type": "null"}]}),
            ),
            (json!({"description": "one\ntwo"}), json!({"description": "one two"})),
        ];
        for (mut schema, expected) in rows {
            simplify(&mut schema);
            assert_eq!(schema, expected);
        }
    }
}
