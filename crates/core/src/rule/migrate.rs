//! Rules written for earlier versions of the reference, brought up to date (serving spec 5.3).
//!
//! Only a rule that states its version is changed: one without is taken as current.

use std::borrow::Cow;

use regex::Regex;
use semver::Version;

use crate::diagnostic::Origin;
use crate::document::{Entry, Node, Value};
use crate::rule::model::{HandlerReference, RuleDefinition};

/// The last version whose `hydrator` counted retries.
const COUNTED_RETRIES: &str = "0.32.0-beta.1";
/// The last version whose `keto_engine_acp_ory` wrote capture groups as `$1`.
const DOLLAR_CAPTURES: &str = "0.37.0";
/// What development builds of the reference call their version: nothing is migrated.
const DEVELOPMENT: &str = "master";
/// Milliseconds between attempts, where an old rule names only their number.
const DEFAULT_DELAY: u64 = 100;

/// Whether a `version` is one: `v` and a semantic version.
pub(super) fn is_version(text: &str) -> bool {
    text == DEVELOPMENT || parse(text).is_some()
}

/// Applies every change since the version the rule states.
pub(super) fn migrate(rule: &mut RuleDefinition) {
    let Some(version) = rule.version.as_deref().and_then(parse) else { return };
    let is_at_most = |last: &str| parse(last).is_some_and(|last| version.cmp_precedence(&last).is_le());
    if is_at_most(COUNTED_RETRIES) {
        rule.mutators.iter_mut().flatten().filter_map(|mutator| config_of(mutator, "hydrator")).for_each(retries);
    }
    if is_at_most(DOLLAR_CAPTURES) {
        let authorizers = rule.authorizer.iter_mut().chain(rule.authorizers.iter_mut().flatten());
        authorizers
            .filter_map(|authorizer| config_of(authorizer, "keto_engine_acp_ory"))
            .for_each(|config| captures(config));
    }
}

fn parse(text: &str) -> Option<Version> {
    Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

fn config_of<'a>(reference: &'a mut HandlerReference, id: &str) -> Option<&'a mut Vec<Entry>> {
    if reference.handler == id { entries(reference.config.as_mut()?) } else { None }
}

fn entries(node: &mut Node) -> Option<&mut Vec<Entry>> {
    match &mut node.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

/// `retry.{delay_in_milliseconds,number_of_retries}` become the durations of `api.retry`, which is where
/// the handler reads them.
fn retries(config: &mut Vec<Entry>) {
    let Some(place) = config.iter().position(|entry| entry.key == "retry") else { return };
    let Some(counted) = entries(&mut config[place].value) else { return };
    let number = |entries: &[Entry], key: &str| {
        let entry = entries.iter().find(|entry| entry.key == key)?;
        match &entry.value.value {
            Value::Number(number) => Some((number.as_u64()?, entry.value.origin.clone())),
            _ => None,
        }
    };
    let delay = number(counted, "delay_in_milliseconds");
    let count = number(counted, "number_of_retries");
    let mut durations = Vec::new();
    if let Some((milliseconds, origin)) = &delay {
        durations.push(duration("max_delay", *milliseconds, origin));
    }
    if let Some((count, origin)) = &count {
        let milliseconds = delay.as_ref().map_or(DEFAULT_DELAY, |(milliseconds, _)| *milliseconds);
        durations.push(duration("give_up_after", count.saturating_mul(milliseconds), origin));
    }
    // What is no number stays, and is reported where it stands.
    counted.retain(|entry| {
        !(delay.is_some() && entry.key == "delay_in_milliseconds"
            || count.is_some() && entry.key == "number_of_retries")
    });
    let origin = config[place].value.origin.clone();
    if entries(&mut config[place].value).is_some_and(|rest| rest.is_empty()) {
        config.remove(place);
    }
    if let Some(retry) = map_under(config, "api", &origin).and_then(|api| map_under(api, "retry", &origin)) {
        for entry in durations {
            if !retry.iter().any(|written| written.key == entry.key) {
                retry.push(entry);
            }
        }
    }
}

fn duration(key: &str, milliseconds: u64, origin: &Origin) -> Entry {
    let value = Node { value: Value::String(format!("{milliseconds}ms")), origin: origin.clone() };
    Entry { key: key.to_owned(), key_origin: origin.clone(), value }
}

/// The map under a key, made when it is missing; none when something else stands there.
fn map_under<'a>(map: &'a mut Vec<Entry>, key: &str, origin: &Origin) -> Option<&'a mut Vec<Entry>> {
    let place = map.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        let value = Node { value: Value::Map(Vec::new()), origin: origin.clone() };
        map.push(Entry { key: key.to_owned(), key_origin: origin.clone(), value });
        map.len() - 1
    });
    entries(&mut map[place].value)
}

/// `$1` becomes a template that prints the first capture group.
fn captures(config: &mut [Entry]) {
    let Ok(dollar) = Regex::new(r"\$([0-9]+)") else { return };
    for entry in config.iter_mut().filter(|entry| matches!(&*entry.key, "required_action" | "required_resource")) {
        if let Value::String(text) = &mut entry.value.value
            && let Cow::Owned(template) =
                dollar.replace_all(text, "{{ printIndex .MatchContext.RegexpCaptureGroups (sub ${1} 1 | int)}}")
        {
            *text = template;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::{decode, to_json};
    use serde_json::{Value as Json, json};

    fn migrated(rule: &Json) -> RuleDefinition {
        let mut rule = decode(&Node::from_json(rule, "rules.yaml")).unwrap();
        migrate(&mut rule);
        rule
    }

    /// [T] of serving spec 5.3, third row; then what the row leaves open.
    #[test]
    fn counted_retries_become_durations_of_the_api() {
        let rows = [
            ("v0.30.0-beta.1", json!({"delay_in_milliseconds": 500, "number_of_retries": 5}), "500ms", "2500ms"),
            ("0.32.0-beta.1+oryOS.12", json!({"number_of_retries": 3}), "", "300ms"),
            ("v0.1.0", json!({"delay_in_milliseconds": 7}), "7ms", ""),
        ];
        for (version, retry, max_delay, give_up_after) in rows {
            let rule = json!({"version": version, "mutators": [{}, {"handler": "hydrator",
                "config": {"api": {"url": "http://h"}, "retry": retry}}]});
            let mutators = migrated(&rule).mutators.unwrap();
            assert_eq!((mutators[0].handler.as_str(), mutators[0].config.is_none()), ("", true));
            let mut expected = json!({"url": "http://h", "retry": {}});
            for (key, value) in [("max_delay", max_delay), ("give_up_after", give_up_after)] {
                if !value.is_empty() {
                    expected["retry"][key] = value.into();
                }
            }
            assert_eq!(to_json(mutators[1].config.as_ref().unwrap()), json!({"api": expected}), "{version}");
        }
    }

    /// [T] of serving spec 5.3, fourth row; of pipeline spec 4.4, last row.
    #[test]
    fn captures_become_templates() {
        let group = |n: u8| format!("{{{{ printIndex .MatchContext.RegexpCaptureGroups (sub {n} 1 | int)}}}}");
        for key in ["authorizer", "authorizers"] {
            let keto = json!({"handler": "keto_engine_acp_ory", "config": {"flavor": "$1",
                "required_action": "my:action:$1", "required_resource": "my:resource:$2:foo:$1"}});
            let list = json!([keto]);
            let rule = json!({"version": "v0.33.0", key: if key == "authorizer" { &keto } else { &list }});
            let rule = migrated(&rule);
            let one = rule.authorizer.or(rule.authorizers.map(|list| list[0].clone())).unwrap();
            let expected = json!({"flavor": "$1", "required_action": format!("my:action:{}", group(1)),
                "required_resource": format!("my:resource:{}:foo:{}", group(2), group(1))});
            assert_eq!(to_json(&one.config.unwrap()), expected);
        }
    }

    #[test]
    fn only_rules_that_state_an_old_version_change() {
        for (version, changes) in [
            (json!("v0.37.0"), true),
            (json!("0.37.0-beta.1"), true),
            (json!("v0.37.1"), false),
            (json!("v0.38.0-beta.1"), false),
            (json!("v26.2.0"), false),
            (json!("master"), false),
            (json!(""), false),
            (json!(null), false),
            (json!("42"), false),
        ] {
            let rule = json!({"version": version, "authorizer": {"handler": "keto_engine_acp_ory",
                "config": {"required_action": "$1"}}});
            let config = to_json(&migrated(&rule).authorizer.unwrap().config.unwrap());
            assert_eq!(config["required_action"] != "$1", changes, "{version}");
        }
    }

    #[test]
    fn other_handlers_and_settings_of_the_wrong_shape_stay_as_they_are() {
        for config in [json!({"retry": "x"}), json!({"api": "x"}), json!({}), json!([1])] {
            let rule = json!({"version": "v0.1.0", "mutators": [{"handler": "hydrator", "config": config}]});
            assert_eq!(to_json(migrated(&rule).mutators.unwrap()[0].config.as_ref().unwrap()), config);
        }
        let written = json!({"retry": {"number_of_retries": "many"}, "api": {"retry": {}}});
        let rule = json!({"version": "v0.1.0", "mutators": [{"handler": "hydrator", "config": written}]});
        assert_eq!(to_json(migrated(&rule).mutators.unwrap()[0].config.as_ref().unwrap()), written);
    }

    #[test]
    fn versions_are_semantic() {
        for text in ["0.19.0-beta.1", "v0.36.0", "v0.19.0-beta.1+oryOS.12", "master", "1.2.3"] {
            assert!(is_version(text), "{text}");
        }
        for text in ["42", "1.2", "vv1.2.3", "1.2.3.4", "latest", "01.2.3"] {
            assert!(!is_version(text), "{text}");
        }
    }
}
