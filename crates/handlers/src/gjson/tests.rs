//! Paths against answers of the reference's library (`golden.json`), and against hostile input.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;

use super::Path;

/// Per document, the paths with which the reference's library finds something (`found`) and those with which
/// it finds nothing (`missing`): what paths find in documents, and what stages make of each other's results.
const GOLDEN: [&str; 2] = [include_str!("golden.json"), include_str!("golden_stages.json")];

#[test]
fn paths_find_what_the_reference_finds() {
    let mut rows = 0;
    for golden in GOLDEN {
        let golden: Vec<Value> = serde_json::from_str(golden).unwrap();
        for entry in &golden {
            let document = &entry["document"];
            for (path, expected) in entry["found"].as_object().unwrap() {
                let found = Path::compile(path).unwrap();
                assert_eq!(found.find(document).as_deref(), Some(expected), "{path} in {document}");
                rows += 1;
            }
            for path in entry["missing"].as_array().unwrap() {
                let path = path.as_str().unwrap();
                assert_eq!(Path::compile(path).unwrap().find(document), None, "{path} in {document}");
                rows += 1;
            }
        }
    }
    assert!(rows > 7000, "{rows}");
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let rows = [
        ("!nan", "no JSON literal"),
        ("a|!\"x", "no JSON literal"),
        ("!{\"a\":1}x", "`x` does not belong"),
        ("@join:{\"preserve\":true}", "not supported"),
        ("@dig:#(", "no closing bracket"),
        ("{a,b", "no closing bracket"),
        ("a.[b", "no closing bracket"),
        ("{a}b", "`b` does not belong"),
        ("list.#(a", "no closing bracket"),
        ("list.#(a!b)", "no operator"),
        ("list.#(a==~maybe)", "none of"),
        ("list.#(a==1)x", "`x` does not belong"),
        ("@flatten:{\"deep\"", "has no end"),
        (&"[".repeat(40), "no closing bracket"),
        (&format!("{}{}", "[".repeat(40), "]".repeat(40)), "nested"),
        (&"a.".repeat(4000), "longer than"),
    ];
    for (path, problem) in rows {
        let error = Path::compile(path).unwrap_err();
        assert!(error.contains(problem), "{path}: {error}");
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ab#*.é\"]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[ab#*.é\"]{0,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_path_and_no_document_is_a_panic(
        path in "(a|b|é|0|1|#|\\.|\\||\\*|\\?|\\\\|@this|@reverse|@flatten:|@dig:|@tostr|@fromstr|@group|@join|@keys|@values|\\.\\.|\\{|\\}|\\[|\\]|\\(|\\)|\"|=|!|<|%|~|,|:| ){0,14}",
        document in document(),
    ) {
        if let Ok(path) = Path::compile(&path) {
            path.find(&document);
        }
    }

    #[test]
    fn any_text_compiles_or_is_refused(path in "\\PC{0,40}") {
        let _ = Path::compile(&path);
    }

    #[test]
    fn an_escaped_key_finds_its_member(key in "\\PC{1,12}", value in document()) {
        let escaped: String = key.chars().flat_map(|char| ['\\', char]).collect();
        let document: Value = [(key, value.clone())].into_iter().collect();
        let path = Path::compile(&escaped).unwrap();
        let found = path.find(&document);
        prop_assert_eq!(found.as_deref(), Some(&value));
    }
}
