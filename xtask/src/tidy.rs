//! Rules about the repository itself, kept by tests.

#![cfg(test)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

mod advisories;
mod alerts;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut pending = vec![root().join("crates"), root().join("xtask")];
    let mut found = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// Names of a manifest's dependencies, without those for tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned();
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next().map(str::to_owned))
        .filter(|name| !name.is_empty())
        .collect()
}

/// The core decides and performs nothing: no runtime, no sockets, no files, no log.
#[test]
fn the_core_and_the_handlers_depend_on_nothing_that_performs() {
    const PERFORMING: [&str; 13] = [
        "tokio",
        "hyper",
        "hyper-util",
        "h2",
        "rustls",
        "tokio-rustls",
        "socket2",
        "notify",
        "tracing",
        "tracing-subscriber",
        "prometheus-client",
        "keyward-server",
        "rustls-native-certs",
    ];
    for manifest in ["crates/core/Cargo.toml", "crates/handlers/Cargo.toml"] {
        let own = dependencies(manifest);
        assert!(!own.is_empty());
        for name in own {
            assert!(!PERFORMING.contains(&name.as_str()), "{manifest} depends on {name}");
        }
    }
    assert!(!dependencies("crates/core/Cargo.toml").contains(&"keyward-handlers".to_owned()));
}

#[test]
fn every_dependency_has_its_reason() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = text.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned();
    let mut reasoned = false;
    for line in section.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            reasoned = true;
        } else {
            assert!(reasoned || line.starts_with("keyward-"), "no reason for: {line}");
            reasoned = line.starts_with("keyward-");
        }
    }
}

#[test]
fn files_are_small_and_say_what_they_are_for() {
    let sources = sources();
    let mut lengths: Vec<usize> = sources.iter().map(|(_, text)| text.lines().count()).collect();
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] < 150, "median {}", lengths[lengths.len() / 2]);
    assert!(lengths[lengths.len() * 9 / 10] < 400, "nine in ten {}", lengths[lengths.len() * 9 / 10]);
    for (path, text) in &sources {
        let path = path.display();
        let is_test_module = path.to_string().ends_with("/tests.rs");
        assert!(text.starts_with("//!") || is_test_module, "{path} does not say what it is for");
        assert!(!text.contains(concat!("TO", "DO")) && !text.contains(concat!("FIX", "ME")), "{path} holds a leftover");
    }
}

/// Each file or directory of tests that the threat model names in its last column is there.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let files: Vec<String> = sources().iter().map(|(path, _)| path.display().to_string()).collect();
    let table = text.split("## What each layer guarantees").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in shown_by.split('`').skip(1).step_by(2).filter(|name| name.ends_with(['/', 's'])) {
            let there = match name.strip_suffix('/') {
                Some(directory) => files.iter().any(|file| file.contains(&format!("/{directory}/"))),
                None if name.ends_with("*.rs") => {
                    files.iter().any(|file| file.contains(&format!("/{}", name.trim_end_matches("*.rs"))))
                }
                None => !name.ends_with(".rs") || files.iter().any(|file| file.ends_with(&format!("/{name}"))),
            };
            assert!(there, "`{name}` is not there: {row}");
            named += 1;
        }
    }
    assert!(named > 20, "{named} names");
}

/// Each test that a page names as a file and a function is there. The list of advisories is looked at by itself.
#[test]
fn the_pages_name_tests_that_exist() {
    let sources = sources();
    let is_there = |file: &str, function: &str| {
        let (end, text) = (format!("/{file}"), format!("fn {function}("));
        sources.iter().any(|(path, source)| path.display().to_string().ends_with(&end) && source.contains(&text))
    };
    let mut named = 0;
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let page = entry.unwrap().path();
        if page.ends_with("advisories.md") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&page) else { continue };
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for (file, function) in quoted.filter_map(|test| test.split_once(".rs: ")) {
            let file = format!("{file}.rs");
            assert!(is_there(&file, function), "`{file}: {function}` of {} is not there", page.display());
            named += 1;
        }
    }
    assert!(named > 50, "{named} names");
}
