//! Which keys a rule has, and those in another letter case. The reference takes `ID` for `id`, so that rules are written
//! like that and work; here they work with a warning.

use crate::diagnostic::Diagnostic;
use crate::document::decode::hint_for_key;
use crate::document::{Node, Value};

const RULE: &[&str] = &[
    "id",
    "version",
    "description",
    "match",
    "authenticators",
    "authorizer",
    "authorizers",
    "mutators",
    "errors",
    "upstream",
];
const MATCH: &[&str] = &["methods", "url", "authority", "full_method", "allow_http_get"];
const UPSTREAM: &[&str] =
    &["url", "strip_path", "preserve_host", "forward_caller_credential", "allow_encoded_slashes", "upgrade"];
const HANDLER: &[&str] = &["handler", "config"];

/// What was found in a rule.
#[derive(Default)]
pub(super) struct Spelled {
    /// A warning for each key that was written in another letter case.
    pub(super) warnings: Vec<Diagnostic>,
    /// A key that is there in two spellings: which of them counts is anybody's guess.
    pub(super) problem: Option<Diagnostic>,
}

/// Writes the keys of a rule, of its `match` and `upstream`, and of what names a handler, as they are known.
/// Settings of handlers keep theirs, as in the reference.
pub(super) fn correct(rule: &mut Node) -> Spelled {
    let mut found = Spelled::default();
    each_map(rule, &mut |map, known| keys(map, known, &mut found));
    found
}

/// Takes away the keys that are not known in the same places.
pub(super) fn remove_unknown(rule: &mut Node) {
    each_map(rule, &mut |map, known| {
        if let Value::Map(entries) = &mut map.value {
            entries.retain(|entry| known.contains(&entry.key.as_str()));
        }
    });
}

/// What is wrong with the keys that are not known in the same places.
pub(super) fn unknown(rule: &mut Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    each_map(rule, &mut |map, known| {
        let Value::Map(entries) = &map.value else { return };
        let unknown = entries.iter().filter(|entry| !known.contains(&entry.key.as_str()));
        found.extend(unknown.map(|entry| Diagnostic {
            hint: hint_for_key(&entry.key, known),
            ..Diagnostic::error(format!("unknown key `{}`", entry.key)).at(&entry.key_origin)
        }));
    });
    found
}

/// Every part of a rule that has keys of its own, the rule first, with the keys that there are.
fn each_map(rule: &mut Node, visit: &mut dyn FnMut(&mut Node, &[&str])) {
    visit(rule, RULE);
    let Value::Map(entries) = &mut rule.value else { return };
    for entry in entries {
        match entry.key.as_str() {
            "match" => visit(&mut entry.value, MATCH),
            "upstream" => visit(&mut entry.value, UPSTREAM),
            "authorizer" => visit(&mut entry.value, HANDLER),
            "authenticators" | "authorizers" | "mutators" | "errors" => {
                if let Value::List(items) = &mut entry.value.value {
                    items.iter_mut().for_each(|item| visit(item, HANDLER));
                }
            }
            _ => {}
        }
    }
}

fn keys(map: &mut Node, known: &[&str], found: &mut Spelled) {
    let Value::Map(entries) = &mut map.value else { return };
    for index in 0..entries.len() {
        let written = entries[index].key.as_str();
        if known.contains(&written) {
            continue;
        }
        let Some(name) = known.iter().find(|name| name.eq_ignore_ascii_case(written)) else { continue };
        let place = &entries[index].key_origin;
        if entries.iter().any(|other| other.key == *name) {
            let problem = Diagnostic::error(format!("`{written}` and `{name}` are the same key")).at(place);
            found.problem.get_or_insert(problem.hint(format!("keep `{name}`")));
            return;
        }
        let warning = Diagnostic::warning(format!("`{written}` is taken for `{name}`")).at(place);
        found.warnings.push(warning.hint("write keys in lower case"));
        entries[index].key = (*name).to_owned();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::to_json;
    use crate::rule::model::{HandlerReference, MatchDefinition, RuleDefinition, UpstreamDefinition};
    use schemars::JsonSchema;
    use serde_json::{Value as Json, json};

    #[test]
    fn every_key_of_a_rule_is_known_here() {
        fn of<T: JsonSchema>() -> Vec<String> {
            let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
            schema.get("properties").unwrap().as_object().unwrap().keys().cloned().collect()
        }
        let rows = [
            (of::<RuleDefinition>(), RULE),
            (of::<MatchDefinition>(), MATCH),
            (of::<UpstreamDefinition>(), UPSTREAM),
            (of::<HandlerReference>(), HANDLER),
        ];
        for (mut properties, known) in rows {
            let mut known = known.to_vec();
            properties.sort();
            known.sort_unstable();
            assert_eq!(properties, known);
        }
    }

    #[test]
    fn letter_case_is_corrected_and_settings_are_left_alone() {
        let corrected = |rule: &Json| {
            let mut rule = Node::from_json(rule, "rules.yaml");
            let Spelled { warnings, problem } = correct(&mut rule);
            let messages: Vec<String> = warnings.into_iter().chain(problem).map(|finding| finding.message).collect();
            (to_json(&rule), messages.join("; "))
        };
        let rows = [
            (json!({"ID": "a"}), json!({"id": "a"}), "`ID` is taken for `id`"),
            (
                json!({"Match": {"URL": "u"}}),
                json!({"match": {"url": "u"}}),
                "`Match` is taken for `match`; `URL` is taken for `url`",
            ),
            (
                json!({"mutators": [{"handler": "header", "CONFIG": {"Headers": 1}}, 1]}),
                json!({"mutators": [{"handler": "header", "config": {"Headers": 1}}, 1]}),
                "`CONFIG` is taken for `config`",
            ),
            (
                json!({"upstream": {"Url": "u", "nosuch": 1}}),
                json!({"upstream": {"url": "u", "nosuch": 1}}),
                "`Url` is taken for `url`",
            ),
            (json!({"ID": "a", "id": "b"}), json!({"ID": "a", "id": "b"}), "`ID` and `id` are the same key"),
            (json!({"id": "b", "authorizer": null}), json!({"id": "b", "authorizer": null}), ""),
            (json!(["ID"]), json!(["ID"]), ""),
        ];
        for (written, expected, messages) in rows {
            assert_eq!(corrected(&written), (expected, messages.to_owned()), "{written}");
        }
    }
}
