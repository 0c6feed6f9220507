//! The table of `docs/reference.md`, and names of metrics anywhere in the documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::file;

/// What the table says of a metric: its type and its labels.
pub(crate) type Row = (String, BTreeSet<String>);

/// The table's rows by name.
pub(crate) fn table() -> BTreeMap<String, Row> {
    let page = file("docs/reference.md");
    let section = page.split("\n## Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut found = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let quoted =
            |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        // Other tables of the section have other columns.
        if let [name, kind, labels, _] = cells[..]
            && ["counter", "gauge", "histogram"].contains(&kind)
        {
            let names: Vec<String> = quoted(name).into_iter().collect();
            assert_eq!(names.len(), 1, "{row}");
            assert!(found.insert(names[0].clone(), (kind.to_owned(), quoted(labels))).is_none(), "twice: {row}");
        }
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// Names that a page of the documentation gives to metrics, each with its page.
pub(crate) fn named() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for name in quoted.filter(|text| text.starts_with("keyward_") || text.starts_with("ory_oathkeeper_")) {
            // A name may be followed by labels, and a part of it stand for several.
            let end = name.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(name.len());
            if !name[end..].starts_with('*') && !name[..end].ends_with('_') {
                found.push((name[..end].to_owned(), path.display().to_string()));
            }
        }
    }
    assert!(found.len() > 20, "{}", found.len());
    found
}
