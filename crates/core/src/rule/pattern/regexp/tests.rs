//! Golden data: what the reference's engine answers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::{compile, parse, program};
use crate::rule::pattern::delimiter::split;
use crate::rule::pattern::matcher::Matcher;
use crate::rule::pattern::steps::Steps;

#[test]
fn patterns_behave_as_recorded_whatever_runs_them() {
    let golden: Value = serde_json::from_str(include_str!("../golden/regexp.json")).unwrap();
    let mut wrong = Vec::new();
    for row in golden["patterns"].as_array().unwrap() {
        let inside = row["pattern"].as_str().unwrap();
        let parts = split(&format!("http://h/<{inside}>"));
        let chosen = parts.clone().and_then(|parts| compile(&parts));
        if row["error"] == true {
            if chosen.is_ok() {
                wrong.push(format!("{inside}: should be refused"));
            }
            continue;
        }
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(error) => {
                wrong.push(format!("{inside}: {error}"));
                continue;
            }
        };
        let parsed = parse(&parts.unwrap()).unwrap();
        let backtracking = Matcher::Backtracking(Box::new(program::program(&parsed.node, &parsed.slots).unwrap()));
        for subject in golden["subjects"].as_array().unwrap() {
            let subject = subject.as_str().unwrap();
            let url = format!("http://h/{subject}");
            let expected = &row["matches"][subject];
            for (name, matcher) in [("as chosen", &chosen), ("backtracking", &backtracking)] {
                let groups = match matcher.is_match("http://h/", &url, &mut Steps::default()) {
                    Ok(true) => Value::from(matcher.captures(&url).unwrap()),
                    Ok(false) => Value::Null,
                    Err(error) => Value::from(error.to_string()),
                };
                if groups != *expected {
                    wrong.push(format!("{inside} / {subject}, {name}: {groups} instead of {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
