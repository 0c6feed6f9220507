//! Defaults of the configuration, for readers of its schema. They are decided where settings are checked;
//! a test here holds this table to them.

use serde_json::{Value, json};

/// (key, default)
fn table() -> Vec<(&'static str, Value)> {
    vec![
        ("serve.proxy.host", json!("")),
        ("serve.proxy.port", json!(4455)),
        ("serve.proxy.cors.enabled", json!(false)),
        ("serve.proxy.cors.allowed_origins", json!(["*"])),
        ("serve.proxy.cors.allowed_methods", json!(["GET", "POST", "PUT", "PATCH", "DELETE"])),
        ("serve.proxy.cors.allowed_headers", json!(["Authorization", "Content-Type"])),
        ("serve.proxy.cors.exposed_headers", json!(["Content-Type"])),
        ("serve.proxy.cors.allow_credentials", json!(false)),
        ("serve.proxy.cors.max_age", json!(0)),
        ("serve.proxy.trust_forwarded_headers", json!(false)),
        ("serve.proxy.authorities", json!([])),
        ("serve.proxy.rules_version_header", json!(false)),
        ("serve.proxy.shutdown_timeout", json!("30s")),
        ("serve.proxy.timeout.header", json!("10s")),
        ("serve.proxy.timeout.handshake", json!("5s")),
        ("serve.proxy.timeout.idle", json!("120s")),
        ("serve.proxy.limits.connections", json!(10_000)),
        ("serve.proxy.limits.requests", json!(10_000)),
        ("serve.proxy.limits.queue_time", json!("200ms")),
        ("serve.proxy.limits.header_bytes", json!(32 * 1024)),
        ("serve.proxy.limits.header_field_bytes", json!(8704)),
        ("serve.proxy.limits.headers", json!(100)),
        ("serve.proxy.limits.target_bytes", json!(8192)),
        ("serve.proxy.limits.held_body_bytes", json!(1024 * 1024)),
        ("serve.proxy.limits.token_cache_bytes", json!(16 * 1024 * 1024)),
        ("serve.proxy.underscore_headers", json!("drop")),
        ("serve.proxy.method_override_headers", json!("refuse")),
        ("serve.proxy.echoed_credentials.headers", json!("remove")),
        ("serve.proxy.echoed_credentials.bodies", json!("remove")),
        ("serve.proxy.echoed_credentials.body_bytes", json!(16 * 1024)),
        ("serve.proxy.upstream.ca_files", json!([])),
        ("serve.proxy.upstream.resolve", json!([])),
        ("serve.proxy.upstream.connect_timeout", json!("3s")),
        ("serve.proxy.upstream.idle_timeout", json!("30s")),
        ("serve.proxy.upstream.response_header_timeout", json!("60s")),
        ("serve.proxy.upstream.stream_idle_timeout", json!("300s")),
        ("serve.api.host", json!("")),
        ("serve.api.port", json!(4456)),
        ("serve.api.timeout.read", json!("5s")),
        ("serve.api.timeout.write", json!("120s")),
        ("serve.api.cors.enabled", json!(false)),
        ("serve.api.cors.allowed_origins", json!(["*"])),
        ("serve.api.cors.allowed_methods", json!(["GET", "POST", "PUT", "PATCH", "DELETE"])),
        ("serve.api.cors.allowed_headers", json!(["Authorization", "Content-Type"])),
        ("serve.api.cors.exposed_headers", json!(["Content-Type"])),
        ("serve.api.cors.allow_credentials", json!(false)),
        ("serve.api.cors.max_age", json!(0)),
        ("serve.api.timeout.idle", json!("120s")),
        ("serve.prometheus.host", json!("")),
        ("serve.prometheus.port", json!(9000)),
        ("serve.prometheus.metrics_path", json!("/metrics")),
        ("serve.prometheus.metric_name_prefix", json!("ory_oathkeeper_")),
        ("serve.prometheus.hide_request_paths", json!(false)),
        ("serve.prometheus.collapse_request_paths", json!(true)),
        ("access_rules.repositories", json!([])),
        ("access_rules.refresh_interval", json!("60s")),
        ("access_rules.fetch_timeout", json!("15s")),
        ("access_rules.max_document_bytes", json!(16 * 1024 * 1024)),
        ("access_rules.matching_strategy", json!("regexp")),
        ("access_rules.match_authority", json!("loopback")),
        ("errors.fallback", json!(["json"])),
        ("log.level", json!("info")),
        ("log.format", json!("text")),
        ("audit.sink", json!("stdout")),
        ("audit.syslog.facility", json!("local0")),
        ("audit.syslog.app_name", json!("keyward")),
        ("audit.policy", json!("block")),
    ]
}

/// Writes every default beside its key.
pub(super) fn add_to(schema: &mut Value) {
    for (key, default) in table() {
        let place = format!("/properties/{}", key.replace('.', "/properties/"));
        if let Some(Value::Object(property)) = schema.pointer_mut(&place) {
            property.insert("default".to_owned(), default);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::settings;
    use keyward_core::document::Node;

    fn checked(written: &Value) -> String {
        let (settings, _) = settings::check(&Node::from_json(written, "file")).unwrap();
        // Where a fallback was written is not what it means.
        format!("{settings:?}").replace("source: \"built-in default\"", "source: \"file\"")
    }

    #[test]
    fn writing_a_default_changes_nothing() {
        let mut schema = super::super::configuration();
        for (key, default) in table() {
            let mut written = key.rsplit('.').fold(default, |value, key| json!({ key: value }));
            let mut nothing = json!({});
            if key.starts_with("audit.syslog.") {
                // Beside another sink it is refused.
                for file in [&mut written, &mut nothing] {
                    file["audit"]["sink"] = json!("syslog");
                    file["audit"]["url"] = json!("tcp://127.0.0.1:601");
                }
            }
            assert_eq!(checked(&written), checked(&nothing), "{key}");
            let place = format!("/properties/{}/default", key.replace('.', "/properties/"));
            assert!(schema.pointer_mut(&place).is_some(), "{key} is no key of the configuration");
        }
    }
}
