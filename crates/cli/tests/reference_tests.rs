//! `conformance/reference_tests.yaml`: for everything that the reference's own tests state, what shows it here.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyward_core::document::to_json;
use keyward_server::config::yaml::{Dialect, parse};
use serde_json::Value;

const KEYS: [&str; 5] = ["of", "about", "shown_by", "differs", "left"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn yaml(path: &Path) -> Value {
    to_json(&parse(&fs::read_to_string(path).unwrap(), &path.display().to_string(), Dialect::Core).unwrap())
}

fn entries() -> Vec<Value> {
    yaml(&root().join("conformance/reference_tests.yaml")).as_array().unwrap().clone()
}

/// Texts of a list that need not be there.
fn texts<'a>(entry: &'a Value, key: &str) -> Vec<&'a str> {
    entry[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

/// Sections that a table of rows names: what stands before the colon of `row`. Rows without one are of Keyward alone.
fn sections(rows: &Path) -> BTreeSet<String> {
    let tables = yaml(rows);
    let labels = tables.as_array().unwrap().iter().flat_map(|table| table["rows"].as_array().unwrap());
    let named = labels.filter_map(|row| Some(row["row"].as_str().unwrap().split_once(": ")?.0.to_owned()));
    named.flat_map(|before| before.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Functions whose documentation has the mark.
fn marked(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_marked = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("///") {
            is_marked |= line.contains("[T]");
        } else if !line.starts_with("#[") {
            if let Some(function) = line.strip_prefix("fn ").filter(|_| is_marked) {
                found.push(function.split('(').next().unwrap().to_owned());
            }
            is_marked = false;
        }
    }
    found
}

/// What is wrong with something that an entry is said to be shown by.
fn fault(shown_by: &str, section: &str) -> Option<&'static str> {
    match shown_by.split_once(": ") {
        Some((file, section)) if file.ends_with(".yaml") => {
            let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows").join(file);
            (!rows.exists() || !sections(&rows).contains(section)).then_some("no row of it names the section")
        }
        Some((file, function)) => {
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            (!marked(&text).iter().any(|name| name == function)).then_some("there is no such test that says [T]")
        }
        None => {
            let path = root().join("conformance/scenarios").join(format!("{shown_by}.json"));
            let Ok(text) = fs::read(path) else { return Some("there is no such scenario") };
            let scenario: Value = serde_json::from_slice(&text).unwrap();
            let words: Vec<&str> = scenario["spec"].as_str().unwrap().split([' ', ',', ';']).collect();
            (!words.contains(&section)).then_some("it names another section")
        }
    }
}

#[test]
fn all_that_the_references_tests_state_is_shown() {
    let differences = fs::read_to_string(root().join("conformance/differences.toml")).unwrap();
    for entry in entries() {
        let of = entry["of"].as_str().unwrap();
        let unknown = entry.as_object().unwrap().keys().find(|key| !KEYS.contains(&key.as_str()));
        assert_eq!(unknown, None, "{of}");
        assert!(entry["about"].is_string(), "{of}");
        let shown_by = texts(&entry, "shown_by");
        assert!(!shown_by.is_empty() || entry["left"].is_string(), "{of} is not shown");
        for shown in shown_by {
            assert_eq!(fault(shown, of.split(' ').nth(1).unwrap()), None, "{of}: {shown}");
        }
        for row in texts(&entry, "differs") {
            assert!(differences.contains(&format!("id = \"{row}\"\n")), "{of}: there is no row `{row}`");
        }
    }
}

#[test]
fn all_that_says_to_show_it_is_listed() {
    let entries = entries();
    let listed: BTreeSet<&str> = entries.iter().flat_map(|entry| texts(entry, "shown_by")).collect();
    let mut pending = vec![root().join("crates")];
    while let Some(directory) = pending.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                for function in marked(&fs::read_to_string(&path).unwrap()) {
                    assert!(listed.contains(&*format!("{name}: {function}")), "{name}: {function} is not listed");
                }
            } else if path.parent().is_some_and(|parent| parent.ends_with("tests/rows")) {
                let name = path.file_name().unwrap().to_str().unwrap();
                for section in sections(&path) {
                    assert!(listed.contains(&*format!("{name}: {section}")), "{name}: {section} is not listed");
                }
            }
        }
    }
}
