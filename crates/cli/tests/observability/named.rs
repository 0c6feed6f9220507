//! Each name that documentation, alerts and dashboard give to a metric or a label is in a scrape, and each metric of a scrape is
//! documented.

use std::collections::{BTreeMap, BTreeSet};

use crate::exposition::{Family, Sample, read};
use crate::queries::{Asked, of_alerts, of_the_dashboard};
use crate::scenario::scrapes;
use crate::{documented, readers};

/// What Prometheus itself adds to each series of a pod.
const OF_THE_TARGET: [&str; 3] = ["namespace", "service", "pod"];

fn plain() -> BTreeMap<String, Family> {
    read(&scrapes().plain, false)
}

#[test]
fn both_formats_are_sound_and_say_the_same() {
    let (plain, open) = (plain(), read(&scrapes().open, true));
    readers::promtool_takes(&scrapes().plain);
    let samples = open.values().map(|family| family.samples.len()).sum();
    readers::python_reads(&scrapes().open, open.len(), samples);
    let in_text = |(name, family): (&String, &Family)| match &*family.kind {
        "counter" => (format!("{name}_total"), "counter".to_owned()),
        "info" => (format!("{name}_info"), "gauge".to_owned()),
        kind => (name.clone(), kind.to_owned()),
    };
    let expected: BTreeMap<String, String> = open.iter().map(in_text).collect();
    let found: BTreeMap<String, String> = plain.iter().map(|(name, it)| (name.clone(), it.kind.clone())).collect();
    assert_eq!(found, expected);
    for (name, family) in open {
        for unit in ["seconds", "bytes"] {
            assert_eq!(name.ends_with(&format!("_{unit}")), family.unit.as_deref() == Some(unit), "{name}");
        }
    }
}

#[test]
fn the_reference_lists_every_metric_with_its_type_and_labels_and_no_other() {
    let shown = |name: &str, kind: &str, labels: BTreeSet<&str>| format!("{name} {kind} {labels:?}");
    let scraped: BTreeSet<String> = plain().iter().map(|(name, it)| shown(name, &it.kind, it.labels())).collect();
    let rows = documented::table();
    let listed: BTreeSet<String> = rows
        .iter()
        .map(|(name, (kind, labels))| shown(name, kind, labels.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(scraped.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "not documented");
    assert_eq!(listed.difference(&scraped).collect::<Vec<_>>(), Vec::<&String>::new(), "not in a scrape");
}

#[test]
fn every_metric_that_a_page_names_is_in_a_scrape() {
    let names: BTreeSet<String> = plain().into_keys().collect();
    for (name, page) in documented::named() {
        assert!(names.contains(&name), "{page}: `{name}`");
    }
}

#[test]
fn every_alert_and_every_panel_asks_for_what_there_is() {
    let families = plain();
    let samples: Vec<&Sample> = families.values().flat_map(|family| &family.samples).collect();
    for asked in of_alerts().into_iter().chain(of_the_dashboard()) {
        assert_there(&asked, &samples);
    }
}

fn assert_there(asked: &Asked, samples: &[&Sample]) {
    let place = &asked.place;
    let mut labels: BTreeSet<&str> = OF_THE_TARGET.into();
    for (metric, matchers) in &asked.selected {
        let found: Vec<&Sample> = samples.iter().copied().filter(|sample| sample.name == *metric).collect();
        assert!(!found.is_empty(), "{place}: no metric `{metric}`");
        labels.extend(found.iter().flat_map(|sample| sample.labels.keys()).map(String::as_str));
        for (label, operator, value) in matchers.iter().filter(|(label, ..)| !OF_THE_TARGET.contains(&&**label)) {
            let values: BTreeSet<&String> = found.iter().filter_map(|sample| sample.labels.get(label)).collect();
            assert!(!values.is_empty(), "{place}: `{metric}` has no label `{label}`");
            // Also what is to be left out has to be there.
            assert!(
                ["=", "!="].contains(&&**operator) && values.contains(value),
                "{place}: {label}{operator}{value}: {values:?}"
            );
        }
    }
    let strange: Vec<&String> = asked.grouped.iter().filter(|label| !labels.contains(&***label)).collect();
    assert!(strange.is_empty(), "{place}: grouped by {strange:?}");
}

#[test]
fn a_query_for_what_there_is_not_is_noticed() {
    let sample = Sample { name: "a_total".to_owned(), labels: [("b".to_owned(), "c".to_owned())].into(), value: 1.0 };
    assert_there(&Asked::of("here", "sum by (b, pod) (rate(a_total{b=\"c\",pod=\"x\"}[5m]))"), &[&sample]);
    for query in ["a", "a_total{d=\"c\"}", "a_total{b=\"d\"}", "sum by (d) (a_total)"] {
        let noticed = std::panic::catch_unwind(|| assert_there(&Asked::of("here", query), &[&sample]));
        assert!(noticed.is_err(), "{query}");
    }
}
