//! Handlers that are switched off: the reference tolerates any keys beside `enabled` and any `config` then
//! (serving spec 2.7), so that one can be switched off without being taken out.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, Value};

/// Handlers that the reference tolerates so.
const TOLERANT: [(&str, &[&str]); 4] = [
    ("authenticators", &["bearer_token", "cookie_session", "jwt", "oauth2_client_credentials", "oauth2_introspection"]),
    ("authorizers", &["keto_engine_acp_ory", "remote", "remote_json"]),
    ("mutators", &["cookie", "header", "hydrator", "id_token"]),
    ("errors.handlers", &["json", "redirect", "www_authenticate"]),
];

/// Whether a handler may have any keys and any `config` while it is off.
pub(crate) fn is_tolerant(group: &str, id: &str) -> bool {
    TOLERANT.iter().any(|(tolerant, ids)| *tolerant == group && ids.contains(&id))
}

/// Takes the other keys of such handlers away, and warns of each: a mistyped `enabled` looks the same.
pub(super) fn remove(root: &mut Node) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for (group, ids) in TOLERANT {
        for id in ids {
            let path = format!("{group}.{id}");
            // `errors.handlers.json` is on unless it is switched off.
            let is_off = |handler: &Node| match handler.get("enabled").map_or(&Value::Null, |node| &node.value) {
                Value::Null => *id != "json",
                enabled => *enabled == Value::Bool(false),
            };
            let Some(handler) = member(root, &path).filter(|handler| is_off(handler)) else { continue };
            let Value::Map(entries) = &mut handler.value else { continue };
            entries.retain(|entry| {
                let known = matches!(entry.key.as_str(), "enabled" | "config");
                if !known {
                    let message = format!("`{}` has no effect: `{path}` is not enabled", entry.key);
                    warnings.push(Diagnostic::warning(message).at(&entry.key_origin));
                }
                known
            });
        }
    }
    warnings
}

fn member<'n>(node: &'n mut Node, path: &str) -> Option<&'n mut Node> {
    path.split('.').try_fold(node, |node, key| match &mut node.value {
        Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_core::document::to_json;
    use serde_json::json;

    #[test]
    fn only_switched_off_handlers_may_have_other_keys() {
        let mut root = Node::from_json(
            &json!({
                "authenticators": {"jwt": {"enabled": false, "note": 1, "config": {"x": 1}}, "noop": {"note": 1}},
                "mutators": {"header": {"enabeld": true}, "cookie": {"enabled": true, "note": 1}},
                "errors": {"handlers": {"json": {"enabled": null, "note": 1}}},
            }),
            "file",
        );
        let warnings = remove(&mut root);
        assert_eq!(
            to_json(&root),
            json!({
                "authenticators": {"jwt": {"enabled": false, "config": {"x": 1}}, "noop": {"note": 1}},
                "mutators": {"header": {}, "cookie": {"enabled": true, "note": 1}},
                "errors": {"handlers": {"json": {"enabled": null, "note": 1}}},
            })
        );
        assert_eq!(warnings.len(), 2);
        assert!(warnings[1].to_string().contains("`enabeld` has no effect: `mutators.header` is not enabled"));
    }
}
