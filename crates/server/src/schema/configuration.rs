//! The schema of configuration files.

use keyward_core::pipeline::HandlerKind;
use keyward_core::rule::handlers::Table;
use keyward_handlers::TABLES;
use serde_json::{Map, Value, json};

use super::{defaults, described_reference, document, handlers, simplify};
use crate::config::environment::generator;
use crate::config::file::ConfigFile;

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
    let mut properties = Map::new();
    for (id, settings) in handlers(table.all) {
        let mut handler = json!({
            "description": format!("The {} `{id}`: whether rules may use it, with its settings.", table.noun),
            "type": ["object", "null"],
            "properties": {
                "enabled": {
                    "type": ["boolean", "null"],
                    "default": id == "json",
                    "description": "Rules may use it. A rule cannot enable a handler.",
                },
            },
            "additionalProperties": false,
        });
        if let Some(settings) = settings {
            let definition = format!("{group}.{id}");
            handler["properties"]["config"] =
                json!({"description": "Settings that rules merge theirs over.", "type": ["object", "null"]});
            let checked = json!({"properties": {"config": described_reference(&definition, &settings)}});
            if id == "json" {
                handler["allOf"] = json!([checked]);
            } else {
                // What is switched off is not looked at.
                handler["if"] = json!({"properties": {"enabled": {"enum": [false, null]}}});
                handler["else"] = checked;
            }
            definitions.insert(definition, settings);
        }
        properties.insert(id.to_owned(), handler);
    }
    if let Some(group) = schema.pointer_mut(place) {
        group["properties"] = Value::Object(properties);
        group["additionalProperties"] = false.into();
    }
}
