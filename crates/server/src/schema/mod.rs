//! JSON Schemas (draft 7) of configuration and rule files, for editors and for checks before a deployment.
//!
//! Generated from the types that files are read into and from the tables of handlers; by hand there is only
//! what types cannot say (`conditions`). What a schema refuses, Keyward refuses, lets a rule deny, or at least warns of.

mod conditions;
mod configuration;
mod defaults;
mod rules;
mod simplify;

use keyward_core::pipeline::HandlerKind;
use serde_json::{Map, Value, json};

pub use configuration::configuration;
pub use rules::rules;

/// What the schemas call themselves.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// What a handler's `config` may hold; `None` when it takes none.
pub fn settings<K: HandlerKind + ?Sized>(kind: &K) -> Option<Value> {
    let mut schema = kind.settings(&mut crate::config::environment::generator())?.to_value();
    simplify::simplify(&mut schema);
    Some(schema)
}

/// The settings of every handler of a table, by id. Nothing is required in them: the global ones and a
/// rule's are merged before they are used.
fn handlers<K: HandlerKind + ?Sized>(all: &[&K]) -> Vec<(&'static str, Option<Value>)> {
    let partial = |mut schema: Value| {
        without_required(&mut schema);
        // An empty `config:` is none.
        schema["type"] = json!(["object", "null"]);
        schema
    };
    all.iter().map(|kind| (kind.id(), settings(*kind).map(partial))).collect()
}

fn without_required(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // `required` is a keyword only where it is a list; a setting may have that name.
            if map.get("required").is_some_and(Value::is_array) {
                map.remove("required");
            }
            map.values_mut().for_each(without_required);
        }
        Value::Array(list) => list.iter_mut().for_each(without_required),
        _ => {}
    }
}

/// A whole document: the members that come first, then the rest of the schema.
fn document(title: &str, schema: Value) -> Value {
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), DIALECT.into());
    whole.insert("title".to_owned(), title.into());
    if let Value::Object(map) = schema {
        whole.extend(map.into_iter().filter(|(key, _)| key != "$schema" && key != "title"));
    }
    Value::Object(whole)
}

/// Refers to a definition of the same document.
fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

/// The same, with what the definition says of itself: draft 7 knows no other words beside a reference.
fn described_reference(name: &str, definition: &Value) -> Value {
    json!({"description": definition["description"], "allOf": [reference(name)]})
}
