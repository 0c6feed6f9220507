//! Environment variables over files (serving spec 2.3): a variable names a path of the configuration, in
//! upper case, with `_` for `.`. Which paths there are is read off the types, so a new setting has its
//! variable at once.
//!
//! Two differences from the reference: a list replaces the file's list as a whole, and a value that
//! cannot be read is an error that names the variable, not a silent zero.

use std::collections::BTreeMap;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Entry, Node, Value};
use keyward_core::pipeline::HandlerKind;
use keyward_handlers::TABLES;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::file::ConfigFile;
use super::yaml::{self, Dialect};

/// What a variable's text is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Bool,
    Integer,
    List,
    Map,
    Text,
}

/// A generator whose schemas stand alone, without references.
pub fn generator() -> SchemaGenerator {
    SchemaGenerator::new(SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true))
}

/// Sets every path that a variable names. Variables that name none are left alone.
pub fn apply(root: &mut Node, variables: &[(String, String)]) -> Vec<Diagnostic> {
    let paths = paths();
    let mut findings = Vec::new();
    for (name, text) in variables {
        let upper = name.to_ascii_uppercase();
        let (path, shape) = match paths.get(&upper) {
            Some((path, shape)) => (path.clone(), *shape),
            None => match element_of_list(&paths, &upper) {
                Some(found) => found,
                None => continue,
            },
        };
        let origin = Origin::whole(format!("environment variable `{name}`"));
        match read(text, shape, &origin) {
            Ok(value) => set(root, &path, Node { value, origin }),
            Err(expected) => findings.push(
                Diagnostic::error(format!("expected {expected} for `{path}`"))
                    .at(&origin)
                    .hint("unset it or correct it"),
            ),
        }
    }
    findings
}

fn paths() -> BTreeMap<String, (String, Shape)> {
    let mut found = BTreeMap::new();
    let schema = generator().into_root_schema_for::<ConfigFile>();
    walk(schema.as_value(), "", &mut found);
    group("authenticators", TABLES.authenticators.all, TABLES.authenticators.planned, &mut found);
    group("authorizers", TABLES.authorizers.all, TABLES.authorizers.planned, &mut found);
    group("mutators", TABLES.mutators.all, TABLES.mutators.planned, &mut found);
    group("errors.handlers", TABLES.error_handlers.all, TABLES.error_handlers.planned, &mut found);
    found.into_iter().map(|(path, shape)| (path.to_ascii_uppercase().replace('.', "_"), (path, shape))).collect()
}

fn group<K: HandlerKind + ?Sized>(group: &str, all: &[&K], planned: &[&str], found: &mut BTreeMap<String, Shape>) {
    for id in all.iter().map(|kind| kind.id()).chain(planned.iter().copied()) {
        found.insert(format!("{group}.{id}.enabled"), Shape::Bool);
    }
    for kind in all {
        if let Some(schema) = kind.settings(&mut generator()) {
            walk(schema.as_value(), &format!("{group}.{}.config", kind.id()), found);
        }
    }
}

/// Collects the leaves of a schema.
fn walk(schema: &Json, path: &str, found: &mut BTreeMap<String, Shape>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (key, member) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(member, &path, found);
        }
        return;
    }
    for alternatives in ["anyOf", "oneOf", "allOf"] {
        if let Some(list) = schema[alternatives].as_array() {
            for member in list.iter().filter(|member| member["type"] != "null") {
                walk(member, path, found);
            }
            return;
        }
    }
    let types = match &schema["type"] {
        Json::Array(types) => types.iter().filter_map(Json::as_str).find(|name| *name != "null"),
        one => one.as_str(),
    };
    let shape = match types {
        Some("boolean") => Shape::Bool,
        Some("integer" | "number") => Shape::Integer,
        Some("array") => Shape::List,
        Some("object") => Shape::Map,
        Some("string") => Shape::Text,
        _ if schema["enum"].is_array() || schema["const"].is_string() => Shape::Text,
        _ => return,
    };
    found.insert(path.to_owned(), shape);
}

/// `ACCESS_RULES_REPOSITORIES_0`: one element of a list.
fn element_of_list(paths: &BTreeMap<String, (String, Shape)>, name: &str) -> Option<(String, Shape)> {
    let (list, index) = name.rsplit_once('_')?;
    let (path, shape) = paths.get(list)?;
    (*shape == Shape::List && !index.is_empty() && index.len() < 4 && index.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| (format!("{path}.{index}"), Shape::Text))
}

fn read(text: &str, shape: Shape, origin: &Origin) -> Result<Value, &'static str> {
    // What was no text was replaced by this character, which no setting needs.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("a text in UTF-8");
    }
    let structured = |text: &str| yaml::parse(text, &origin.to_string(), Dialect::Core).ok().map(|node| node.value);
    match shape {
        Shape::Text => Ok(Value::String(text.to_owned())),
        Shape::Integer => {
            text.trim().parse::<i64>().map(|value| Value::Number(value.into())).map_err(|_| "a whole number")
        }
        Shape::Bool => match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => Err("a boolean"),
        },
        Shape::List if text.trim_start().starts_with('[') => match structured(text) {
            Some(list @ Value::List(_)) => Ok(list),
            _ => Err("a JSON list"),
        },
        Shape::List => Ok(Value::List(
            text.split(',')
                .map(|item| item.trim().trim_matches('"'))
                .filter(|item| !item.is_empty())
                .map(|item| Node { value: Value::String(item.to_owned()), origin: origin.clone() })
                .collect(),
        )),
        Shape::Map => match structured(text) {
            Some(map @ Value::Map(_)) => Ok(map),
            _ => Err("a JSON object"),
        },
    }
}

/// Sets the value under a dotted path, making maps on the way. Maps merge, everything else replaces.
fn set(node: &mut Node, path: &str, value: Node) {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    if let (Value::List(list), Ok(index)) = (&mut node.value, key.parse::<usize>()) {
        match list.get_mut(index) {
            Some(element) => *element = value,
            None => list.push(value),
        }
        return;
    }
    if !matches!(node.value, Value::Map(_)) {
        if let (Ok(_), None) = (key.parse::<usize>(), rest) {
            node.value = Value::List(vec![value]);
            return;
        }
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let position = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        let empty = Node { value: Value::Null, origin: value.origin.clone() };
        entries.push(Entry { key: key.to_owned(), key_origin: value.origin.clone(), value: empty });
        entries.len() - 1
    });
    let member = &mut entries[position].value;
    match rest {
        Some(rest) => set(member, rest, value),
        None if matches!((&member.value, &value.value), (Value::Map(_), Value::Map(_))) => {
            *member = keyward_core::document::merge(member, &value);
        }
        None => *member = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_core::document::to_json;
    use serde_json::json;

    #[test]
    fn variables_name_paths_and_are_read_by_type() {
        let base = json!({"mutators": {"header": {"config": {"headers": {"X-B": "c"}}}}, "access_rules": {"repositories": ["file://a"]}});
        let rows = [
            ("SERVE_PROXY_PORT", "1234", "serve.proxy.port", json!(1234)),
            ("serve_proxy_port", "1234", "serve.proxy.port", json!(1234)),
            ("AUTHENTICATORS_NOOP_ENABLED", "1", "authenticators.noop.enabled", json!(true)),
            ("ACCESS_RULES_REPOSITORIES", "inline://W10=", "access_rules.repositories", json!(["inline://W10="])),
            (
                "ACCESS_RULES_REPOSITORIES",
                "file://a,file://b",
                "access_rules.repositories",
                json!(["file://a", "file://b"]),
            ),
            ("ACCESS_RULES_REPOSITORIES_0", "file://z", "access_rules.repositories", json!(["file://z"])),
            (
                "AUTHENTICATORS_JWT_CONFIG_SCOPE_STRATEGY",
                "exact",
                "authenticators.jwt.config.scope_strategy",
                json!("exact"),
            ),
            (
                "MUTATORS_HEADER_CONFIG_HEADERS",
                "{\"X-A\":\"b\"}",
                "mutators.header.config.headers",
                json!({"X-B": "c", "X-A": "b"}),
            ),
            ("ERRORS_FALLBACK", "redirect", "errors.fallback", json!(["redirect"])),
            ("LOG_LEVEL", "debug", "log.level", json!("debug")),
            ("ACCESS_RULES_MATCHING_STRATEGY", "glob", "access_rules.matching_strategy", json!("glob")),
        ];
        for (name, text, path, expected) in rows {
            let mut node = Node::from_json(&base, "file");
            assert_eq!(apply(&mut node, &[(name.to_owned(), text.to_owned())]), [], "{name}");
            assert_eq!(node.get(path).map(to_json), Some(expected), "{name}");
        }
        let mut node = Node::from_json(&base, "file");
        let others = [("PATH", "/bin"), ("MUTATORS_HEADER_CONFIG_HEADERS_X_USER", "x"), ("HOME", "/")];
        let others = others.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert!(apply(&mut node, &others).is_empty() && to_json(&node) == base);
    }

    #[test]
    fn values_that_cannot_be_read_name_their_variable() {
        for (name, text) in [
            ("SERVE_PROXY_PORT", "abc"),
            ("AUTHENTICATORS_NOOP_ENABLED", "maybe"),
            ("MUTATORS_HEADER_CONFIG_HEADERS", "x"),
            ("SERVE_PROXY_HOST", "\u{fffd}"),
        ] {
            let findings = apply(&mut Node::from_json(&json!({}), "file"), &[(name.to_owned(), text.to_owned())]);
            assert!(
                findings[0].to_string().starts_with(&format!("environment variable `{name}`: error: expected")),
                "{name}"
            );
        }
    }
}
