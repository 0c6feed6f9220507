//! Checks the configuration, and handlers' global settings in it, against the schema of their type: unknown
//! keys, wrong types, names that are none, all at once. Keys that are missing are no fault here, since every rule may bring its own; what the
//! values mean is checked when a rule binds the handler.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::decode::{decode, hint_for_key};
use keyward_core::document::duration::{COMPOSED_PATTERN, ComposedDuration, GoDuration, PATTERN};
use keyward_core::document::{Node, Value, whole};
use serde_json::Value as Json;

/// Everything that does not fit; keys without a value are warned of. `path` names the node in messages; it is empty for the root.
pub fn check(node: &Node, schema: &Json, path: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    walk(node, schema, path, &mut findings);
    findings
}

fn walk(node: &Node, schema: &Json, path: &str, findings: &mut Vec<Diagnostic>) {
    if matches!(node.value, Value::Null) {
        if !takes_null(schema) {
            let finding = Diagnostic::warning(format!("`{path}` has no value")).at(&node.origin);
            findings.push(finding.hint("give it one, or remove the key"));
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
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array());
    if let Some(alternatives) = alternatives {
        let attempts = alternatives.iter().filter(|one| one["type"] != "null").map(|one| {
            let is_other_kind = one["type"].as_str().is_some_and(|name| !fits(&node.value, &[name]));
            (is_other_kind, check(node, one, path))
        });
        // The alternative that fits best explains best.
        if let Some((_, best)) =
            attempts.min_by_key(|(is_other_kind, found)| (*is_other_kind && !found.is_empty(), found.len()))
        {
            findings.extend(best);
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
            let properties = schema["properties"].as_object();
            let known: Vec<&str> = properties.into_iter().flat_map(|all| all.keys()).map(String::as_str).collect();
            let others = &schema["additionalProperties"];
            let within = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for entry in entries {
                let member = properties.and_then(|properties| properties.get(&entry.key));
                match member.or_else(|| others.is_object().then_some(others)) {
                    Some(member) => walk(&entry.value, member, &within(&entry.key), findings),
                    None if *others == false => {
                        let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
                        let mut finding = Diagnostic::error(format!("unknown key `{}`{place}", entry.key));
                        finding.hint = hint_for_key(&entry.key, &known);
                        findings.push(finding.at(&entry.key_origin));
                    }
                    None => {}
                }
            }
        }
        Value::List(items) if expected.contains(&"array") => {
            for (index, item) in items.iter().enumerate() {
                let again = items[..index].iter().any(|other| other.value == item.value);
                if again && schema["uniqueItems"] == true {
                    findings.push(Diagnostic::error(format!("`{path}[{index}]` is there twice")).at(&item.origin));
                }
                walk(item, &schema["items"], &format!("{path}[{index}]"), findings);
            }
        }
        Value::String(_) if is_duration(schema) => {
            let problem = match schema["pattern"] == PATTERN {
                true => decode::<GoDuration>(node).err(),
                false => decode::<ComposedDuration>(node).err(),
            };
            if let Some(mut problem) = problem {
                problem.message = format!("`{path}`: {}", problem.message);
                findings.push(problem);
            }
        }
        Value::Number(number) if expected.contains(&"integer") && !within_range(number, schema) => {
            let range = match (&schema["minimum"], &schema["maximum"]) {
                (Json::Number(low), Json::Number(high)) => format!("from {low} to {high}"),
                (Json::Number(low), _) => format!("of at least {low}"),
                _ => "that fits".to_owned(),
            };
            let finding = Diagnostic::error(format!("`{path}` must be a whole number {range}, found `{number}`"));
            findings.push(finding.at(&node.origin));
        }
        value if fits(value, &expected) => {}
        value => {
            let wanted: Vec<&str> = match schema {
                schema if is_duration(schema) => vec!["a duration such as `15s`"],
                _ => expected.iter().filter(|name| **name != "null").map(|name| noun(name)).collect(),
            };
            let finding =
                Diagnostic::error(format!("`{path}` must be {}, found {}", wanted.join(" or "), value.kind()));
            findings.push(finding.at(&node.origin));
        }
    }
}

/// Whether a key without a value is as if it were not there.
fn takes_null(schema: &Json) -> bool {
    let is_null = |name: &Json| *name == "null";
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array());
    match (alternatives, &schema["enum"], &schema["type"]) {
        (Some(alternatives), ..) => alternatives.iter().any(takes_null),
        (None, Json::Array(names), _) => names.contains(&Json::Null),
        (None, _, Json::Array(types)) => types.iter().any(is_null),
        (None, _, Json::String(name)) => name == "null",
        _ => true,
    }
}

fn is_duration(schema: &Json) -> bool {
    schema["pattern"] == PATTERN || schema["pattern"] == COMPOSED_PATTERN
}

fn within_range(number: &serde_json::Number, schema: &Json) -> bool {
    let Some(value) = whole(number) else { return false };
    let bound = |key: &str| schema[key].as_i64().map(i128::from);
    bound("minimum").is_none_or(|low| value >= low) && bound("maximum").is_none_or(|high| value <= high)
}

/// The names an enumeration allows, however it is written.
fn names(schema: &Json) -> Option<Vec<&str>> {
    if let Some(alternatives) = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array()) {
        let named = alternatives.iter().filter(|one| one["type"] != "null").map(names);
        return named.collect::<Option<Vec<_>>>().map(|all| all.concat());
    }
    let listed = schema["enum"].as_array().map(|list| list.iter().filter_map(Json::as_str).collect());
    listed.or_else(|| schema["const"].as_str().map(|only| vec![only]))
}

fn fits(value: &Value, expected: &[&str]) -> bool {
    expected.iter().any(|name| match *name {
        "string" => matches!(value, Value::String(_)),
        "boolean" => matches!(value, Value::Bool(_)),
        "integer" => matches!(value, Value::Number(number) if whole(number).is_some()),
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
