//! Each alert of the chart says where it is explained what to do about it, and there it is.

use std::fs;

use super::root;

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let alerts = read("deploy/chart/keyward/files/alerts.yaml");
    let mut named: Vec<&str> = Vec::new();
    for alert in alerts.split("- alert: ").skip(1) {
        let (name, rest) = alert.split_once('\n').unwrap();
        let url = format!("runbook_url: RUNBOOKS#{}\n", name.to_lowercase());
        assert!(rest.contains(&url) && rest.matches("runbook_url").count() == 1, "{name} does not name its runbook");
        named.push(name);
    }
    let page = read("docs/operations.md");
    let explained: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|title| title.starts_with("Keyward"))
        .collect();
    assert!(named.len() > 15);
    let missing = |these: &[&str], those: &[&str]| these.iter().filter(|it| !those.contains(it)).count();
    assert_eq!(missing(&named, &explained), 0, "without a runbook, among {named:?}");
    assert_eq!(missing(&explained, &named), 0, "without an alert, among {explained:?}");
}
