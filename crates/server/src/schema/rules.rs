//! The schema of rule files.

use keyward_core::pipeline::HandlerKind;
use keyward_core::rule::model::RuleDefinition;
use keyward_handlers::TABLES;
use serde_json::{Map, Value, json};

use super::{described_reference, document, handlers, reference, simplify};
use crate::config::environment::generator;

/// The schema of a rule file: a list of rules. A rule that lacks what is required here denies every request.
pub fn rules() -> Value {
    let mut rule = generator().into_root_schema_for::<RuleDefinition>().to_value();
    simplify::simplify(&mut rule);
    let mut definitions = Map::new();
    let authenticators = step("authenticators", TABLES.authenticators.all, &mut definitions);
    let authorizers = step("authorizers", TABLES.authorizers.all, &mut definitions);
    let mutators = step("mutators", TABLES.mutators.all, &mut definitions);
    let error_handlers = step("error_handlers", TABLES.error_handlers.all, &mut definitions);
    for (key, step) in [("authenticators", &authenticators), ("authorizers", &authorizers), ("mutators", &mutators)] {
        rule["properties"][key]["items"] = step.clone();
        rule["properties"][key]["minItems"] = 1.into();
        rule["properties"][key]["type"] = "array".into();
    }
    rule["properties"]["errors"]["items"] = error_handlers;
    let about = rule["properties"]["authorizer"]["description"].clone();
    rule["properties"]["authorizer"] = json!({
        "description": about, "type": ["object", "null"], "if": {"type": "object"}, "then": authorizers,
    });
    if let Value::Object(map) = &mut rule {
        for key in ["$schema", "title"] {
            map.remove(key);
        }
        map.insert("required".to_owned(), json!(["match", "authenticators", "mutators"]));
        // A key without a value is not there.
        let only = |key: &str, kind: &str| json!({"properties": {key: {"type": kind}}, "required": [key]});
        map.insert("oneOf".to_owned(), json!([only("authorizer", "object"), only("authorizers", "array")]));
    }
    rule["properties"]["authorizers"]["type"] = json!(["array", "null"]);
    let matches = &mut rule["properties"]["match"];
    matches["type"] = "object".into();
    // An RPC rule has neither.
    matches["if"] = json!({"required": ["full_method"]});
    matches["else"] =
        json!({"properties": {"url": {"type": "string", "minLength": 1}}, "required": ["methods", "url"]});
    definitions.insert("rule".to_owned(), rule);
    let schema = json!({
        "description": "A list of rules. Exactly one of them must match a request.",
        "type": ["array", "null"],
        "items": reference("rule"),
        "definitions": definitions,
    });
    document("Keyward access rules", schema)
}

/// A handler by name with the settings that fit it; returns a reference to its definition.
fn step<K: HandlerKind + ?Sized>(group: &str, all: &[&K], definitions: &mut Map<String, Value>) -> Value {
    let (mut ids, mut choices) = (Vec::new(), Vec::new());
    for (id, settings) in handlers(all) {
        ids.push(id);
        // A handler without settings passes over whatever is written.
        let Some(settings) = settings else { continue };
        let definition = format!("{group}.{id}");
        choices.push(json!({
            "if": {"properties": {"handler": {"const": id}}, "required": ["handler"]},
            "then": {"properties": {"config": described_reference(&definition, &settings)}},
        }));
        definitions.insert(definition, settings);
    }
    let mut step = json!({
        "type": "object",
        "properties": {
            "handler": {"description": "The handler's id.", "enum": ids},
            "config": {
                "description": "Its settings for this rule, merged over those of the configuration.",
                "type": ["object", "null"],
            },
        },
        "required": ["handler"],
        "additionalProperties": false,
    });
    if !choices.is_empty() {
        step["allOf"] = choices.into();
    }
    definitions.insert(group.to_owned(), step);
    reference(group)
}
