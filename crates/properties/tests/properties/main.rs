//! The properties on stable: over their seeds, and over what a few edits make of these. And that `fuzz/` knows the same.
//!
//! `KEYWARD_PROPERTY_CASES=20` tries twenty times as many edited seeds of each; `KEYWARD_PROPERTY=token` only one property.

#![allow(clippy::unwrap_used)]

mod directory;
mod edits;

use std::fs;
use std::panic::catch_unwind;

use keyward_properties::{ALL, Property};

use crate::directory::{seeds, target_names};

/// Edited seeds of each property, without a multiplier.
const CASES: u32 = 256;

/// A variable, for longer runs by hand.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn chosen() -> impl Iterator<Item = &'static Property> {
    let wanted = setting("KEYWARD_PROPERTY");
    let chosen = ALL.iter().filter(move |property| wanted.as_deref().is_none_or(|wanted| wanted == property.name));
    assert!(chosen.clone().next().is_some(), "there is no such property");
    chosen
}

#[test]
fn every_property_holds_for_its_seeds_and_for_nothing_at_all() {
    let mut failures = Vec::new();
    for property in chosen() {
        let all = seeds(property.name).into_iter().chain([("nothing".to_owned(), Vec::new())]);
        let broken = all.filter(|(_, seed)| catch_unwind(|| (property.check)(seed)).is_err());
        failures.extend(broken.map(|(path, _)| format!("{}: {path}", property.name)));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_property_holds_for_edited_seeds() {
    let times = setting("KEYWARD_PROPERTY_CASES").map_or(1, |times| times.parse().unwrap());
    let mut failures = Vec::new();
    for property in chosen() {
        let seeds = seeds(property.name).into_iter().map(|(_, seed)| seed).collect();
        let outcome = edits::try_all(seeds, CASES * times, property.check);
        failures.extend(outcome.err().map(|failure| format!("{}: {failure}", property.name)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_property_is_a_target_with_seeds_and_every_target_a_property() {
    let manifest = fs::read_to_string(directory::fuzz().join("Cargo.toml")).unwrap();
    let names: Vec<String> = ALL.iter().map(|property| property.name.to_owned()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted, "by name, each once");
    assert_eq!(target_names("fuzz_targets"), names);
    assert_eq!(target_names("seeds"), names);
    let entries: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("name = ")).skip(1).collect();
    assert_eq!(entries, names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>());
    for name in names {
        assert!(seeds(&name).len() >= 3, "{name} has few seeds");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let target = fs::read_to_string(directory::fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("keyward_properties::check(\"{name}\", data)")), "{name}: {target}");
    }
}
