//! A rule document is read or refused with a place in it; a rule that is broken matches and denies; and the one rule
//! that the index finds is the one that going through all of them finds.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::to_json;
use keyward_core::gate::{GatePolicy, GatedRequest, path};
use keyward_core::pipeline::denial::Reason;
use keyward_core::rule::Rule;
use keyward_core::rule::pattern::{Spelling, Strategy};
use keyward_server::config::yaml::{self, Dialect};

use crate::head::Arrived;
use crate::world::{Compiled, SECRET, compiled, credentialed};

/// Requests for rules of the seeds, and for none.
const TARGETS: [&str; 5] = ["/jira/rest/api", "/a", "/a%20b%40", "/okta/api/v1/users", "/"];

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    agrees_with_json(text);
    for strategy in [Strategy::Glob, Strategy::Regexp] {
        let Compiled { rules, findings } = match compiled(text, strategy) {
            Ok(compiled) => compiled,
            Err(problem) => return placed(&problem, text),
        };
        for finding in &findings {
            placed(finding, text);
        }
        for rule in rules.rules() {
            let shown: Result<serde_json::Value, _> = serde_json::from_str(&rule.document());
            assert!(shown.is_ok_and(|shown| shown.is_object()), "{}", rule.document());
            assert!(!rule.document().contains(SECRET) || text.contains(SECRET), "{}", rule.document());
        }
        for request in TARGETS.iter().flat_map(|target| requests(target)) {
            let found = rules.find(&request);
            let fitting: Vec<&str> =
                rules.rules().iter().filter(|rule| fits(rule, &request)).map(|rule| &**rule.id()).collect();
            match &found {
                Ok(rule) => {
                    assert!(fits(rule, &request), "{} {}", rule.id(), request.url());
                    assert_eq!(fitting.len(), 1, "{fitting:?} {}", request.url());
                    if rule.broken().is_some() {
                        let denial = credentialed(&rules, request).err().unwrap();
                        assert_eq!(denial.error.status().as_u16(), 500);
                    }
                }
                Err(denial) if denial.reason == Reason::NoRule => {
                    let escapes = path::unescaped(request.path()) != request.path();
                    assert!(fitting.is_empty() || escapes, "{fitting:?} {}", request.url());
                }
                Err(_) => {}
            }
        }
    }
}

/// Every finding names a place that there is.
pub(crate) fn placed(finding: &Diagnostic, text: &str) {
    let origin = finding.origin.as_ref().unwrap_or_else(|| panic!("no place: {finding}"));
    let lines = u32::try_from(text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count()).unwrap();
    assert!(origin.line <= lines + 1, "{finding}");
    assert!(!finding.message.contains(SECRET) || text.contains(SECRET), "{finding}");
}

fn requests(target: &str) -> impl Iterator<Item = GatedRequest> {
    ["GET", "POST"].into_iter().flat_map(move |method| {
        ["h", "oathkeeper:4455"].into_iter().map(move |host| {
            let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            Arrived::read(head.as_bytes()).unwrap().admit(&GatePolicy::default()).unwrap()
        })
    })
}

fn fits(rule: &Rule, request: &GatedRequest) -> bool {
    let Some(pattern) = rule.pattern() else { return false };
    let within = |url: &str, spelling| pattern.is_match_within(url, spelling, &mut Default::default());
    rule.allows_method(request.method()) && within(request.url(), Spelling::Sent) == Ok(true)
}

/// JSON is read as the YAML that it is.
fn agrees_with_json(text: &str) {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let Ok(node) = yaml::parse(text, "document", Dialect::Core) else { return };
    assert_eq!(without_numbers(to_json(&node)), without_numbers(json), "{text}");
}

/// YAML has other numbers than JSON.
fn without_numbers(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(_) => Value::Null,
        Value::Array(list) => list.into_iter().map(without_numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, without_numbers(value))).collect(),
        other => other,
    }
}
