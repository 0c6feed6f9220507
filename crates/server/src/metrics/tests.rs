//! Names and labels of what is counted.

use super::worker::WorkerMetrics;
use super::*;
use crate::config::settings::listeners::ListenerSettings;

const COLLAPSED: PathLabels = PathLabels { hide: false, collapse: true };

fn metrics(prefix: &str) -> Arc<Metrics> {
    Metrics::new(&MetricsSettings {
        listener: ListenerSettings { key: "x", host: String::new(), port: 0, tls: None },
        prefix: prefix.to_owned(),
        labels: COLLAPSED,
    })
}

fn finished(path: &str, labels: PathLabels) -> Finished<'_> {
    Finished {
        generation: 0,
        labels,
        rule: Some((0, "jira")),
        method: &Method::GET,
        path,
        status: 200,
        outcome: "allowed",
        took: Duration::from_millis(3),
        upstream: None,
    }
}

/// [T] of serving spec 8.1: the first segment of a path. How many there can be is Keyward's own.
#[test]
fn request_labels() {
    let metrics = metrics("");
    for (path, collapsed) in
        [("/", "/"), ("/test", "/test"), ("/hello/world", "/hello"), ("/test/path/segments", "/test")]
    {
        let label = |hide, collapse| metrics.request_label(path, PathLabels { hide, collapse });
        assert_eq!(label(false, true), collapsed);
        assert_eq!(label(false, false), path);
        assert_eq!(label(true, true), "");
    }
    let known = metrics.paths.lock().map(|paths| paths.len()).unwrap_or_default();
    let labels: HashSet<String> = (0..1000).map(|n| metrics.request_label(&format!("/{n}"), COLLAPSED)).collect();
    assert_eq!(labels.len(), MAX_PATHS - known + 1);
}

/// [T] of serving spec 8.1: what the same four requests count as. They were `/`, `/hello?foo=bar`, `/hello/world`
/// and `/hello/world?foo=bar`: here, no query gets as far as a label (`metrics-labels`).
#[test]
fn requests_are_counted_by_path_by_first_segment_or_together() {
    type Counts<'a> = &'a [(&'a str, u64)];
    let rows: [(&str, bool, bool, Counts<'_>); 5] = [
        ("ory_oathkeeper_", false, false, &[("/", 1), ("/hello", 1), ("/hello/world", 2)]),
        ("ory_oathkeeper_", false, true, &[("/", 1), ("/hello", 3)]),
        ("ory_oathkeeper_", true, false, &[("", 4)]),
        ("ory_oathkeeper_", true, true, &[("", 4)]),
        ("http_", false, true, &[("/", 1), ("/hello", 3)]),
    ];
    for (prefix, hide, collapse, counts) in rows {
        let metrics = metrics(prefix);
        let worker = WorkerMetrics::new(metrics.clone());
        for path in ["/", "/hello", "/hello/world", "/hello/world"] {
            worker.finished(&finished(path, PathLabels { hide, collapse }));
        }
        let text = metrics.render(Exposition::Prometheus);
        let begin = format!("{prefix}requests_total{{");
        assert_eq!(text.lines().filter(|line| line.starts_with(&begin)).count(), counts.len(), "{text}");
        for (label, count) in counts {
            let is_it = |line: &&str| line.starts_with(&begin) && line.contains(&format!("request=\"{label}\""));
            let line = text.lines().find(is_it).unwrap_or_default();
            assert!(line.ends_with(&format!(" {count}")), "{prefix} {hide} {collapse} {label}: {line}");
        }
    }
}

#[test]
fn a_scrape_has_the_documented_names() {
    let metrics = metrics("ory_oathkeeper_");
    let worker = WorkerMetrics::new(metrics.clone());
    worker.finished(&finished("/jira/x", COLLAPSED));
    let text = metrics.render(Exposition::Prometheus);
    for expected in [
        "ory_oathkeeper_requests_total{service=\"oathkeeper-proxy\",method=\"GET\",request=\"/jira\",status_code=\"200\",outcome=\"allowed\"} 1",
        "ory_oathkeeper_request_duration_seconds_bucket{le=\"0.005\"} 1",
        "ory_oathkeeper_requests_duration_seconds_count{service=\"oathkeeper-proxy\",method=\"GET\",request=\"/jira\",status_code=\"200\"} 1",
        "keyward_rule_requests_total{rule=\"jira\",outcome=\"allowed\"} 1",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("# EOF") && metrics.render(Exposition::OpenMetrics).ends_with("# EOF\n"));
}
