//! Every recorded scenario, played against the binary: each passes, or names the rows of
//! `conformance/differences.toml` that explain what differs.
//!
//! `KEYWARD_CONFORMANCE=update` writes what happened into the scenario files, rows to be filled in.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward_testkit::conformance::compare::{Difference, compare};
use keyward_testkit::conformance::player::Player;
use serde_json::{Value, json};

/// Scenarios played at a time: they mostly wait.
const AT_ONCE: usize = 8;
/// Stands for what is different every time, such as a scrape of metrics.
const VARIES: &str = "<varies>";

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

fn scenario_files() -> Vec<PathBuf> {
    let areas = fs::read_dir(conformance().join("scenarios")).unwrap();
    let mut files: Vec<PathBuf> = areas
        .flat_map(|area| fs::read_dir(area.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| {
            std::env::var("KEYWARD_SCENARIO").map_or(true, |only| path.display().to_string().contains(&only))
        })
        .collect();
    files.sort();
    files
}

/// Ids of the rows, in order.
fn rows() -> Vec<String> {
    let table = fs::read_to_string(conformance().join("differences.toml")).unwrap();
    table.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"').map(str::to_owned)).collect()
}

/// Rows that no recording shows, each with the test that does.
fn shown_by_tests() -> Vec<(String, String)> {
    let table = fs::read_to_string(conformance().join("differences.toml")).unwrap();
    let mut row = String::new();
    let mut shown = Vec::new();
    for line in table.lines() {
        if let Some(id) = line.strip_prefix("id = \"").and_then(|rest| rest.strip_suffix('"')) {
            row = id.to_owned();
        } else if let Some(test) = line.strip_prefix("shown_by = \"").and_then(|rest| rest.strip_suffix('"')) {
            shown.push((row.clone(), test.to_owned()));
        }
    }
    shown
}

#[test]
fn rows_that_no_recording_shows_name_a_test_that_exists() {
    for (row, test) in shown_by_tests() {
        let (file, function) = test.split_once(": ").unwrap_or_default();
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
        let text = fs::read_to_string(&tests).unwrap_or_default();
        assert!(text.contains(&format!("#[test]\nfn {function}()")), "row `{row}`: no test `{function}` in {file}");
    }
}

#[test]
fn recorded_scenarios_pass_or_differ_as_intended() {
    let player = Player::new(conformance(), env!("CARGO_BIN_EXE_keyward"));
    let update = std::env::var_os("KEYWARD_CONFORMANCE").is_some();
    let is_chosen = std::env::var_os("KEYWARD_SCENARIO").is_some();
    let files = scenario_files();
    let (next, faults, used) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut scenario: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                    let (now, log) = player.play(&scenario);
                    let differences = compare(&scenario["recorded"], &now);
                    if update {
                        write_down(path, &mut scenario, &differences);
                    }
                    used.lock().unwrap().extend(rows_used(&scenario));
                    let found = judge(&scenario, &differences);
                    if is_chosen && !found.is_empty() {
                        println!("{}:\n{log}", path.display());
                    }
                    faults.lock().unwrap().extend(found.iter().map(|fault| format!("{}: {fault}", path.display())));
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    let (rows, used) = (rows(), used.into_inner().unwrap());
    faults.extend(used.iter().filter(|row| !rows.contains(row)).map(|row| format!("no row `{row}`")));
    if !is_chosen {
        assert!(files.len() > 650, "scenarios are missing: {} are left", files.len());
        let shown: BTreeSet<String> = shown_by_tests().into_iter().map(|(row, _)| row).collect();
        let unused = rows.iter().filter(|row| !used.contains(*row) && !shown.contains(*row));
        faults.extend(unused.map(|row| format!("row `{row}` is never used")));
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong with how a scenario went.
fn judge(scenario: &Value, differences: &[Difference]) -> Vec<String> {
    let intended = scenario["differs"].as_array().cloned().unwrap_or_default();
    let is_same = |found: &Difference, entry: &Value| {
        found.at == entry["at"] && (found.now == entry["now"] || entry["now"] == VARIES)
    };
    let mut wrong: Vec<String> = intended
        .iter()
        .filter(|entry| !differences.iter().any(|found| is_same(found, entry)))
        .map(|entry| format!("{} no longer differs as it says", entry["at"]))
        .collect();
    wrong.extend(
        differences
            .iter()
            .filter(|found| !intended.iter().any(|entry| is_same(found, entry)))
            .map(|found| format!("{}: recorded {}, now {}", found.at, found.recorded, found.now)),
    );
    wrong
}

fn rows_used(scenario: &Value) -> Vec<String> {
    let entries = scenario["differs"].as_array().into_iter().flatten();
    entries.filter_map(|entry| entry["row"].as_str().map(str::to_owned)).collect()
}

/// Keeps the rows of what still differs in the same place, and what is known to vary there.
fn write_down(path: &Path, scenario: &mut Value, differences: &[Difference]) {
    let before = scenario["differs"].as_array().cloned().unwrap_or_default();
    let entry = |found: &Difference| {
        let known = before.iter().find(|entry| entry["at"] == found.at);
        let row = known.map_or(json!("?"), |known| known["row"].clone());
        let varies = known.is_some_and(|known| known["now"] == VARIES);
        json!({"row": row, "at": found.at, "now": if varies { VARIES.into() } else { found.now.clone() }})
    };
    let differs: Vec<Value> = differences.iter().map(entry).collect();
    let map = scenario.as_object_mut().unwrap();
    map.remove("differs");
    if !differs.is_empty() {
        map.insert("differs".into(), differs.into());
    }
    fs::write(path, format!("{scenario:#}\n")).unwrap();
}
