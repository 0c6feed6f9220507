//! A rule as the rules API shows it: the reference's shape (serving spec 5.1), secrets redacted.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::document::to_json;
use crate::rule::alike::Alike;
use crate::rule::model::{HandlerReference, RuleDefinition};
use crate::secret::shown_url;

/// The text that stands for a value that is not shown.
const REDACTED: &str = "[redacted]";

/// Keys whose values are credentials or may hold one written out: headers and cookies that mutators
/// or side calls send, and anything called a secret.
const HIDDEN_MAPS: &[&str] = &["headers", "cookies", "additional_headers", "introspection_request_headers"];
const HIDDEN_WORDS: &[&str] = &["secret", "password"];

/// One JSON object, as text.
pub(crate) struct Shown {
    /// Its start, and from `end_of_start` on its end.
    own: Box<str>,
    end_of_start: usize,
    /// What stands between them: the handlers, which many rules have in common.
    handlers: Arc<str>,
}

impl Shown {
    pub(super) fn new(rule: &RuleDefinition, alike: &Alike) -> Self {
        let mut own = members(start(rule));
        own.insert(0, '{');
        own.push(',');
        let end_of_start = own.len();
        own.push(',');
        own.push_str(&members(end(rule)));
        own.push('}');
        Self { own: own.into(), end_of_start, handlers: alike.texts.copy_of(members(pipeline(rule))) }
    }

    pub(super) fn document(&self) -> String {
        let (start, end) = self.own.split_at(self.end_of_start);
        [start, &*self.handlers, end].concat()
    }
}

/// The text of an object without its braces.
fn members(object: Map<String, Value>) -> String {
    let mut text = Value::Object(object).to_string();
    text.pop();
    text.remove(0);
    text
}

fn start(rule: &RuleDefinition) -> Map<String, Value> {
    let matches = rule.matches.as_ref().map(|matches| match &matches.full_method {
        Some(full_method) => json!({
            "authority": matches.authority.as_deref().unwrap_or_default(),
            "full_method": full_method,
            "allow_http_get": matches.allow_http_get.unwrap_or_default(),
        }),
        None => json!({"methods": matches.methods, "url": matches.url}),
    });
    let mut shown = Map::new();
    shown.insert("id".into(), rule.id.clone().into());
    shown.insert("version".into(), rule.version.clone().unwrap_or_default().into());
    shown.insert("description".into(), rule.description.clone().unwrap_or_default().into());
    shown.insert("match".into(), matches.unwrap_or_default());
    shown
}

fn pipeline(rule: &RuleDefinition) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("authenticators".into(), handlers(rule.authenticators.as_deref()));
    let single = match (&rule.authorizer, rule.authorizers.as_deref()) {
        (Some(one), _) => handler(one),
        (None, Some([one])) => handler(one),
        (None, _) => json!({"handler": "", "config": null}),
    };
    shown.insert("authorizer".into(), single);
    if rule.authorizers.as_ref().is_some_and(|list| list.len() > 1) {
        shown.insert("authorizers".into(), handlers(rule.authorizers.as_deref()));
    }
    shown.insert("mutators".into(), handlers(rule.mutators.as_deref()));
    shown.insert("errors".into(), handlers(rule.errors.as_deref()));
    shown
}

fn end(rule: &RuleDefinition) -> Map<String, Value> {
    let upstream = rule.upstream.clone().unwrap_or_default();
    let shown = json!({
        "preserve_host": upstream.preserve_host.unwrap_or_default(),
        "strip_path": upstream.strip_path.unwrap_or_default(),
        "url": upstream.url.unwrap_or_default(),
    });
    Map::from_iter([("upstream".to_owned(), shown)])
}

fn handlers(list: Option<&[HandlerReference]>) -> Value {
    list.map_or(Value::Null, |list| list.iter().map(handler).collect())
}

fn handler(reference: &HandlerReference) -> Value {
    let mut config = reference.config.as_ref().map_or(Value::Null, to_json);
    redact(&mut config, false);
    json!({"handler": reference.handler, "config": config})
}

fn redact(value: &mut Value, hidden: bool) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.to_ascii_lowercase();
                let hides = HIDDEN_MAPS.contains(&key.as_str()) || HIDDEN_WORDS.iter().any(|word| key.contains(word));
                redact(value, hidden || hides);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| redact(value, hidden)),
        Value::Null => {}
        scalar if hidden => *scalar = REDACTED.into(),
        Value::String(text) if text.contains("://") => *text = shown_url(text).into_owned(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::Node;
    use crate::rule::model::read_rule;

    /// [T] of serving spec 5.1: which members there are, in which order, and what stands where nothing is written.
    #[test]
    fn a_rule_that_says_nothing_has_every_member() {
        let text = r#"{"id":"","version":"","description":"","match":null,"authenticators":null,"authorizer":{"handler":"","config":null},"mutators":null,"errors":null,"upstream":{"preserve_host":false,"strip_path":"","url":""}}"#;
        let rule = read_rule(Node::from_json(&json!({}), "rules.json"), None).unwrap();
        assert_eq!(Shown::new(&rule.definition, &Alike::default()).document(), text);
    }

    /// [T] of serving spec 5.1: what makes a rule one for RPC.
    #[test]
    fn a_method_of_rpc_makes_an_rpc_rule() {
        let rows = [
            (
                json!({"authority": "example.com", "full_method": "/full/method"}),
                json!({"authority": "example.com", "full_method": "/full/method", "allow_http_get": false}),
            ),
            (
                json!({"url": "example.com/some/method", "methods": ["GET", "PUT"]}),
                json!({"methods": ["GET", "PUT"], "url": "example.com/some/method"}),
            ),
        ];
        for (written, expected) in rows {
            let rule = read_rule(Node::from_json(&json!({ "match": written }), "rules.json"), None).unwrap();
            let shown: Value =
                serde_json::from_str(&Shown::new(&rule.definition, &Alike::default()).document()).unwrap();
            assert_eq!(shown["match"], expected);
            assert_eq!(rule.definition.matches.unwrap().is_rpc(), written["full_method"].is_string());
        }
    }
}
