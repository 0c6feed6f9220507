//! `docs/advisories.md` and the tests that have the names of advisories say the same.

use std::collections::BTreeSet;

use super::{root, sources};

const DATABASES: [&str; 3] = ["cve_", "ghsa_", "rustsec_"];
/// The shortest name: a database, a year and a number, with something about the flaw.
const SHORTEST: usize = 14;

/// Files and the names of advisories' tests in them, as the list writes them.
fn tests() -> BTreeSet<(String, String)> {
    let crates = root().join("crates");
    let mut found = BTreeSet::new();
    for (path, text) in sources() {
        let Ok(path) = path.strip_prefix(&crates) else { continue };
        let path = path.display().to_string();
        let path = path.strip_prefix("cli/tests/").unwrap_or(&path);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let named = words.filter(|word| word.len() >= SHORTEST && DATABASES.iter().any(|name| word.starts_with(name)));
        found.extend(named.map(|name| (path.to_owned(), name.to_owned())));
    }
    found
}

#[test]
fn the_list_of_advisories_and_the_tests_say_the_same() {
    let text = std::fs::read_to_string(root().join("docs/advisories.md")).unwrap();
    let tests = tests();
    let (mut listed, mut advisories) = (BTreeSet::new(), BTreeSet::new());
    for row in text.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [advisory, _, _, shown_by] = cells[..] else { panic!("four cells: {row}") };
        assert!(advisories.insert(advisory), "{advisory} is listed twice");
        let key = advisory.to_lowercase().replace('-', "_");
        assert!(shown_by.contains('`'), "{advisory} has no test");
        for shown in shown_by.split('`').skip(1).step_by(2) {
            let (file, name) = shown.split_once(": ").unwrap();
            let shown = (file.to_owned(), name.to_owned());
            assert!(tests.contains(&shown), "{advisory}: there is no `{name}` in `{file}`");
            assert!(format!("{name}_").contains(&format!("{key}_")), "{advisory}: `{name}` is named after another one");
            listed.insert(shown);
        }
    }
    let missing: Vec<_> = tests.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/advisories.md does not list {missing:?}");
    assert!(advisories.len() > 150, "{} advisories", advisories.len());
}
