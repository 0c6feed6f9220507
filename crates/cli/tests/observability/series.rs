//! How many series callers, and rules that come and go, can make.

use std::collections::BTreeSet;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Running;

use crate::exposition::{Family, read};
use crate::keyward;

const CONFIG: &str = "serve: {prometheus: {collapse_request_paths: false}}\nauthenticators: {anonymous: {enabled: true}}\n\
                      authorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
/// Distinct values of the label `request`, the one for all others, and none where no path could be read.
const PATHS: usize = 256 + 2;

/// Rules whose ids begin so.
fn rules(start: &str, upstream: u16) -> String {
    let rule = |number: usize| {
        format!(
            "- id: '{start}\\\"{number}'\n  match: {{url: \"http://<[^/]*>/{number}/<.*>\", methods: [GET]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
             upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
        )
    };
    (0..3).map(rule).collect()
}

fn values(family: &Family, label: &str) -> BTreeSet<String> {
    family.samples.iter().filter_map(|sample| sample.labels.get(label).cloned()).collect()
}

#[test]
fn callers_cannot_make_series_without_end_nor_can_rules_that_come_and_go() {
    let upstream = Recorder::start(true);
    let running = keyward().with(CONFIG, &rules("first", upstream.port)).start();
    for number in 0..400 {
        let method = ["GET", "POST", &format!("M{number}"), "OPTIONS"][number % 4].to_owned();
        let host = format!("host-{number}.example");
        running.request(&method, &format!("/{number}/{number}?query={number}"), &[("Host", &host)], "");
        running.api(&format!("/path-{number}")).unwrap();
    }
    for generation in 0..3 {
        let start = format!("generation-{generation}-");
        running.replace("rules.yaml", &rules(&start, upstream.port));
        let counted = format!("keyward_rule_requests_total{{rule=\"{start}\\\\\\\"0\"");
        running.until("the rules", |running| {
            running.get("/0/a", &[("Host", "h")]);
            running.metric(&counted).is_some()
        });
    }
    let families = scraped(&running);
    let requests = &families["ory_oathkeeper_requests_total"];
    let paths = values(requests, "request");
    assert!(paths.len() <= PATHS && paths.contains("other"), "{}: {paths:?}", paths.len());
    assert_eq!(values(requests, "method"), BTreeSet::from(["GET", "OPTIONS", "POST", "other"].map(str::to_owned)));
    // Those in force, and the last ones before: what began under them may have ended after.
    let ids = values(&families["keyward_rule_requests_total"], "rule");
    assert!(ids.contains("generation-2-\\\"0"), "{ids:?}");
    assert!(!ids.iter().any(|id| id.starts_with("first") || id.starts_with("generation-0-")), "{ids:?}");
    let everything = running.api("/metrics").unwrap().text();
    for part in [".example", "query="] {
        assert!(!everything.contains(part), "{part}");
    }
}

fn scraped(running: &Running) -> std::collections::BTreeMap<String, Family> {
    read(&running.api("/metrics").unwrap().text(), false)
}
