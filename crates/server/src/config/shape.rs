//! Checks a handler's global settings against the schema of their type: unknown keys, wrong types, names
//! that are none. Keys that are missing are no fault here, since every rule may bring its own; what the
//! values mean is checked when a rule binds the handler.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::decode::hint_for_key;
use keyward_core::document::{Node, Value};
use serde_json::Value as Json;

/// Everything that does not fit. `path` names the node in messages.
pub fn check(node: &Node, schema: &Json, path: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    walk(node, schema, path, &mut findings);
    findings
}

fn walk(node: &Node, schema: &Json, path: &str, findings: &mut Vec<Diagnostic>) {
    if matches!(node.value, Value::Null) {
        return;
    }
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array());
    if let Some(alternatives) = alternatives {
        let attempts: Vec<Vec<Diagnostic>> =
            alternatives.iter().filter(|one| one["type"] != "null").map(|one| check(node, one, path)).collect();
        // The alternative that fits best explains best.
        if let Some(best) = attempts.into_iter().min_by_key(Vec::len) {
            findings.extend(best);
        }
        return;
    }
    if let Some(names) = names(schema) {
        if !matches!(&node.value, Value::String(text) if names.contains(&text.as_str())) {
            let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let finding = Diagnostic::error(format!("`{path}` must be one of {}", known.join(", ")));
            findings.push(finding.at(&node.origin));
        }
        return;
    }
    let expected: Vec<&str> = match &schema["type"] {
        Json::String(name) => vec![name],
        Json::Array(list) => list.iter().filter_map(Json::as_str).collect(),
        _ => return,
    };
    match &node.value {
        Value::Map(entries) if expected.contains(&"object") => {
            let Some(properties) = schema["properties"].as_object() else { return };
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            for entry in entries {
                match properties.get(&entry.key) {
                    Some(member) => walk(&entry.value, member, &format!("{path}.{}", entry.key), findings),
                    None if schema["additionalProperties"] == false => {
                        let mut finding = Diagnostic::error(format!("unknown key `{}` in `{path}`", entry.key));
                        finding.hint = hint_for_key(&entry.key, &known);
                        findings.push(finding.at(&entry.key_origin));
                    }
                    None => {}
                }
            }
        }
        Value::List(items) if expected.contains(&"array") => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &schema["items"], &format!("{path}[{index}]"), findings);
            }
        }
        value if fits(value, &expected) => {}
        value => {
            let wanted: Vec<&str> = expected.iter().filter(|name| **name != "null").map(|name| noun(name)).collect();
            let finding =
                Diagnostic::error(format!("`{path}` must be {}, found {}", wanted.join(" or "), value.kind()));
            findings.push(finding.at(&node.origin));
        }
    }
}

/// The names an enumeration allows.
fn names(schema: &Json) -> Option<Vec<&str>> {
    let listed = schema["enum"].as_array().map(|list| list.iter().filter_map(Json::as_str).collect());
    listed.or_else(|| schema["const"].as_str().map(|only| vec![only]))
}

fn fits(value: &Value, expected: &[&str]) -> bool {
    expected.iter().any(|name| match *name {
        "string" => matches!(value, Value::String(_)),
        "boolean" => matches!(value, Value::Bool(_)),
        "integer" => matches!(value, Value::Number(number) if !number.is_f64()),
        "number" => matches!(value, Value::Number(_)),
        "object" => matches!(value, Value::Map(_)),
        "array" => matches!(value, Value::List(_)),
        _ => false,
    })
}

fn noun(name: &str) -> &str {
    match name {
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "object" => "a map",
        "array" => "a list",
        other => other,
    }
}
