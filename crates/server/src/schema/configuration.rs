//! The schema of configuration files.

use keyward_core::pipeline::HandlerKind;
use keyward_core::rule::handlers::Table;
use keyward_handlers::TABLES;
use serde_json::{Map, Value, json};

use super::{conditions, defaults, described_reference, document, handlers, simplify};
use crate::config::environment::generator;
use crate::config::file::ConfigFile;
use crate::config::idle;

/// The schema of a configuration file.
pub fn configuration() -> Value {
    let mut schema = generator().into_root_schema_for::<ConfigFile>().to_value();
    simplify::simplify(&mut schema);
    let mut definitions = Map::new();
    group(&mut schema, "/properties/authenticators", &TABLES.authenticators, &mut definitions);
    group(&mut schema, "/properties/authorizers", &TABLES.authorizers, &mut definitions);
    group(&mut schema, "/properties/mutators", &TABLES.mutators, &mut definitions);
    let errors = "/properties/errors/properties/handlers";
    group(&mut schema, errors, &TABLES.error_handlers, &mut definitions);
    conditions::add_to(&mut schema);
    defaults::add_to(&mut schema);
    schema["definitions"] = Value::Object(definitions);
    document("Keyward configuration", schema)
}

/// Replaces `any id: any settings` by one property per handler.
fn group<K: HandlerKind + ?Sized>(
    schema: &mut Value,
    place: &str,
    table: &Table<'_, K>,
    definitions: &mut Map<String, Value>,
) {
    let group = format!("{}s", table.noun.replace(' ', "_"));
    let path = place.replace("/properties/", ".");
    let mut properties = Map::new();
    for (id, settings) in handlers(table.all) {
        let is_on = id == "json";
        let mut handler = json!({
            "description": format!("The {} `{id}`: whether rules may use it, with its settings.", table.noun),
            "type": ["object", "null"],
            "properties": {
                "enabled": {
                    "type": ["boolean", "null"],
                    "default": is_on,
                    "description": "Rules may use it. A rule cannot enable a handler.",
                },
            },
        });
        let mut checked = json!({"properties": {"enabled": {}}, "additionalProperties": false});
        if let Some(settings) = settings {
            let definition = format!("{group}.{id}");
            handler["properties"]["config"] = json!({"description": "Settings that rules merge theirs over."});
            checked["properties"]["config"] = described_reference(&definition, &settings);
            definitions.insert(definition, settings);
        }
        if idle::is_tolerant(path.trim_start_matches('.'), id) {
            // What is switched off is not looked at.
            let off = if is_on { json!([false]) } else { json!([false, null]) };
            handler["if"] = json!({"properties": {"enabled": {"enum": off}}});
            if is_on {
                handler["if"]["required"] = json!(["enabled"]);
            }
            handler["else"] = checked;
        } else {
            handler["allOf"] = json!([checked]);
        }
        properties.insert(id.to_owned(), handler);
    }
    if let Some(group) = schema.pointer_mut(place) {
        group["properties"] = Value::Object(properties);
        group["additionalProperties"] = false.into();
    }
}
