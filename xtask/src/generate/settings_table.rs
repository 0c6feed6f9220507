//! A JSON Schema as a table for readers: one row per setting, nested ones with dotted names.

use serde_json::Value;

/// A Markdown table of an object's properties.
pub(super) fn table(schema: &Value) -> String {
    let mut rows = "| setting | type | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    rows_of(schema, "", &mut rows);
    rows
}

fn rows_of(schema: &Value, prefix: &str, rows: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}");
        let default = match &property["default"] {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(text) if text.is_empty() => String::new(),
            Value::Array(list) if list.is_empty() => String::new(),
            other => format!("`{}`", other.to_string().trim_matches('"')),
        };
        let meaning = property["description"].as_str().unwrap_or_default().replace('|', "\\|");
        rows.push_str(&format!("| `{name}` | {} | {default} | {meaning} |\n", kind(property)));
        rows_of(property, &format!("{name}."), rows);
        rows_of(&property["items"], &format!("{name}[]."), rows);
        // Of alternatives, the one that is a map says most.
        let alternatives = property["anyOf"].as_array().into_iter().flatten();
        alternatives
            .filter(|one| one["properties"].is_object())
            .for_each(|one| rows_of(one, &format!("{name}."), rows));
    }
}

/// The type in words.
fn kind(schema: &Value) -> String {
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let kinds: Vec<String> = alternatives.iter().filter(|one| one["type"] != "null").map(kind).collect();
        return kinds.join(" or ");
    }
    if let Some(names) = schema["enum"].as_array() {
        let names: Vec<String> = names.iter().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect();
        return names.join(", ");
    }
    let name = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        one => one.as_str(),
    };
    match name {
        Some("array") => match kind(&schema["items"]).as_str() {
            "" => "list".to_owned(),
            items => format!("list of {items}"),
        },
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("object") => match kind(&schema["additionalProperties"]).as_str() {
            "" => "map".to_owned(),
            values => format!("map of {values}"),
        },
        Some("string") if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("ms|")) => {
            "duration".to_owned()
        }
        Some("string") => "text".to_owned(),
        Some(other) => other.to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_setting_has_its_row() {
        let schema = json!({
            "required": ["a"],
            "properties": {
                "a": {"type": "array", "items": {"type": "string"}, "description": "One | two."},
                "b": {
                    "type": ["object", "null"],
                    "properties": {"c": {"type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h)$", "default": "1s"}},
                },
                "d": {"type": ["string", "null"], "enum": ["x", "y", null]},
                "e": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        });
        let expected = "| setting | type | default | meaning |\n| --- | --- | --- | --- |\n\
                        | `a` | list of text | required | One \\| two. |\n| `b` | map |  |  |\n\
                        | `b.c` | duration | `1s` |  |\n| `d` | `x`, `y` |  |  |\n| `e` | map of text |  |  |\n";
        assert_eq!(table(&schema), expected);
    }
}
