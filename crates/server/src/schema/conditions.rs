//! What the values of a configuration have to be beyond their types, and which go together: what the checks of
//! `config/settings` refuse, for readers of its schema. A test holds both to the same documents.

use keyward_handlers::TABLES;
use serde_json::{Value, json};

use super::settings;
use crate::config::settings::audit::{APP_NAME_PATTERN, COLLECTOR_PATTERN, LEAST_ROTATED_BYTES};
use crate::config::settings::proxy::MOST_ECHO_BYTES;
use crate::config::yaml::MAX_BYTES;

/// None, or at least 5 ms.
const QUEUE_TIME: &str = "^0*(0(ns|us|ms|s|m|h)|([5-9][0-9]{6}|[1-9][0-9]{7,})ns|([5-9][0-9]{3}|[1-9][0-9]{4,})us|\
([5-9]|[1-9][0-9]+)ms|[1-9][0-9]*(s|m|h))$";

/// Adds every condition where it belongs.
pub(super) fn add_to(schema: &mut Value) {
    for (path, condition) in table() {
        let place = format!("/properties/{}", path.replace('.', "/properties/").replace("[]", "/items"));
        let (Some(Value::Object(property)), Value::Object(condition)) = (schema.pointer_mut(&place), condition) else {
            continue;
        };
        property.extend(condition);
    }
}

/// (key, what its schema says besides)
fn table() -> Vec<(&'static str, Value)> {
    let some = || json!({"minimum": 1});
    let once = || json!({"uniqueItems": true});
    let text = || json!({"minLength": 1});
    let address = || {
        json!({"anyOf": [
            {"enum": ["", "localhost", null]},
            {"type": "string", "format": "ipv4"},
            {"type": "string", "format": "ipv6"},
        ]})
    };
    let ids: Vec<&str> = TABLES.error_handlers.all.iter().map(|kind| kind.id()).collect();
    vec![
        ("errors", fallback()),
        ("errors.fallback[]", json!({"enum": ids})),
        ("serve.proxy.host", address()),
        ("serve.api.host", address()),
        ("serve.prometheus.host", address()),
        ("serve.prometheus.metric_name_prefix", json!({"pattern": "^[A-Za-z0-9_]*$"})),
        ("serve.proxy.workers", some()),
        ("serve.proxy.limits.connections", some()),
        ("serve.proxy.limits.requests", some()),
        ("serve.proxy.limits.queue_time", json!({"pattern": QUEUE_TIME})),
        ("serve.proxy.limits.header_bytes", some()),
        ("serve.proxy.limits.header_field_bytes", some()),
        ("serve.proxy.limits.headers", some()),
        ("serve.proxy.limits.target_bytes", some()),
        ("serve.proxy.echoed_credentials.body_bytes", json!({"minimum": 1, "maximum": MOST_ECHO_BYTES})),
        ("access_rules.max_document_bytes", json!({"minimum": 1, "maximum": MAX_BYTES})),
        ("access_rules.repositories[]", json!({"if": {"type": "object"}, "then": {"required": ["url"]}})),
        ("serve.proxy.cors.allowed_origins", once()),
        ("serve.proxy.cors.allowed_origins[]", text()),
        ("serve.proxy.cors.allowed_headers", once()),
        ("serve.proxy.cors.allowed_headers[]", text()),
        ("serve.proxy.cors.exposed_headers", once()),
        ("serve.proxy.cors.exposed_headers[]", text()),
        ("serve.api.cors.allowed_origins", once()),
        ("serve.api.cors.allowed_origins[]", text()),
        ("serve.api.cors.allowed_headers", once()),
        ("serve.api.cors.allowed_headers[]", text()),
        ("serve.api.cors.exposed_headers", once()),
        ("serve.api.cors.exposed_headers[]", text()),
        (
            "audit",
            json!({"allOf": [
                {
                    "if": {"properties": {"sink": {"const": "file"}}, "required": ["sink"]},
                    "then": {"properties": {"path": {"type": "string", "minLength": 1}}, "required": ["path"]},
                    "else": {"properties": {"rotate": {"type": "null"}}},
                },
                {
                    "if": {"properties": {"sink": {"enum": ["syslog", "tcp"]}}, "required": ["sink"]},
                    "then": {"properties": {"url": {"type": "string"}}, "required": ["url"]},
                    "else": {"properties": {"url": {"type": "null"}}},
                },
                {
                    "if": {"properties": {"sink": {"const": "syslog"}}, "required": ["sink"]},
                    "else": {"properties": {"syslog": {"type": "null"}}},
                },
            ]}),
        ),
        (
            "audit.rotate",
            json!({
                "if": {"type": "object"},
                "then": {"anyOf": [
                    {"properties": {"max_bytes": {"type": "integer"}}, "required": ["max_bytes"]},
                    {"properties": {"every": {"type": "string"}}, "required": ["every"]},
                ]},
            }),
        ),
        ("audit.rotate.max_bytes", json!({"minimum": LEAST_ROTATED_BYTES})),
        ("audit.rotate.keep", some()),
        ("audit.url", json!({"pattern": COLLECTOR_PATTERN})),
        ("audit.syslog.app_name", json!({"pattern": APP_NAME_PATTERN})),
        (
            "issuer",
            json!({
                "if": {"properties": {"insecure_open": {"const": true}}, "required": ["insecure_open"]},
                "then": {"properties": {"clients": {"maxItems": 0}}},
                "else": {"properties": {"clients": {"type": "array", "minItems": 1}}, "required": ["clients"]},
            }),
        ),
        ("issuer.host", address()),
        ("issuer.keys[]", json!({"required": ["path"]})),
        ("issuer.keys[].path", text()),
        ("issuer.clients[]", json!({"required": ["id", "scopes"]})),
        ("issuer.clients[].id", text()),
        ("issuer.clients[].scopes", json!({"minItems": 1})),
        ("issuer.clients[].scopes[]", json!({"pattern": "^\\S+$"})),
    ]
}

/// A fallback is bound at start: it has to exist, to be on, and to have all its settings.
fn fallback() -> Value {
    let conditions = TABLES.error_handlers.all.iter().map(|kind| {
        let id = kind.id();
        let named =
            json!({"properties": {"fallback": {"type": "array", "contains": {"const": id}}}, "required": ["fallback"]});
        if id == "json" {
            // It is the fallback where none is named, and on where nothing else is said.
            let unnamed = json!({"properties": {"fallback": {"type": "null"}}});
            let handler = json!({"properties": {"enabled": {"enum": [true, null]}}});
            return json!({
                "if": {"anyOf": [named, unnamed]},
                "then": {"properties": {"handlers": {"properties": {id: handler}}}},
            });
        }
        let mut handler = json!({
            "type": "object", "properties": {"enabled": {"const": true}}, "required": ["enabled"],
        });
        if let Some(required) = settings(*kind).and_then(|settings| settings.get("required").cloned()) {
            handler["properties"]["config"] = json!({"type": "object", "required": required});
            handler["required"] = json!(["enabled", "config"]);
        }
        json!({
            "if": named,
            "then": {
                "properties": {"handlers": {"type": "object", "properties": {id: handler}, "required": [id]}},
                "required": ["handlers"],
            },
        })
    });
    json!({"allOf": conditions.collect::<Vec<Value>>()})
}
