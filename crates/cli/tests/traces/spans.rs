//! What is said of a request: where it went, how long each part took, what became of it, and nothing else.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};

use keyward_testkit::collector::{Collector, Seen, SpanKind};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Running;
use keyward_testkit::{scripted, wire};
use serde_json::json;

use crate::stage::{SPANS, everything, keyward, named, start};

/// What differs with every run: ports, and the version of the rules.
fn attributes(span: &Seen) -> BTreeMap<&str, &str> {
    let varies = ["server.port", "keyward.rules.version"];
    let all = span.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    all.map(|(key, value)| (key, if varies.contains(&key) { "<any>" } else { value })).collect()
}

#[test]
fn a_request_is_a_tree_of_spans() {
    let (running, upstream, collector) = start(", service_name: edge, deployment_environment: test");
    let answer = running.get("/several/a%20b?token=s3cr3t", &[("Cookie", "a=s3cr3t"), ("X-Request-Id", "s3cr3t")]);
    assert_eq!(answer.status(), 200);
    let spans = collector.wait_for(7);
    let server = named(&spans, "GET several");
    assert_eq!((server.kind, &*server.parent, server.is_error, server.flags), (SpanKind::Server, "", false, 0x101));
    assert_eq!(
        attributes(server),
        BTreeMap::from([
            ("client.address", "127.0.0.1"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("keyward.outcome", "allowed"),
            ("keyward.rule.id", "several"),
            ("keyward.rules.version", "<any>"),
            ("keyward.service", "proxy"),
            ("server.address", "127.0.0.1"),
            ("server.port", "<any>"),
            ("url.path", "/several/a%20b"),
            ("url.scheme", "http"),
        ])
    );
    assert_eq!(server.get("server.port"), running.proxy.to_string());
    let client = named(&spans, "upstream");
    assert_eq!((client.kind, client.is_error), (SpanKind::Client, false));
    assert_eq!(
        attributes(client),
        BTreeMap::from([
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("server.address", "127.0.0.1"),
            ("server.port", "<any>"),
            ("url.scheme", "http"),
        ])
    );
    assert_eq!(client.get("server.port"), upstream.port.to_string());
    let steps: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == SpanKind::Internal)
        .map(|span| (&*span.name, span.get("keyward.handler"), span.get("keyward.result"), span.attributes.len()))
        .collect();
    assert_eq!(
        steps,
        [
            ("authentication", "jwt", "not_responsible", 2),
            ("authentication", "anonymous", "passed", 2),
            ("authorization", "allow", "passed", 2),
            ("mutation", "noop", "passed", 2),
            ("mutation", "header", "passed", 2),
        ]
    );
    // In the order in which things happened, each within the request, and none before the one before it has ended.
    for pair in spans[1..].windows(2) {
        assert!(pair[0].times[1] <= pair[1].times[0], "{pair:#?}");
    }
    for span in &spans[1..] {
        assert_eq!((&span.trace, &span.parent), (&server.trace, &server.id), "{span:#?}");
        assert!(server.times[0] <= span.times[0] && span.times[0] <= span.times[1], "{span:#?}");
        assert!(span.times[1] <= server.times[1], "{span:#?}");
    }
    let resource: Vec<_> = server.resource.iter().map(|(key, value)| (&**key, &**value)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [("deployment.environment.name", "test"), ("service.name", "edge"), ("service.version", version)];
    assert_eq!(resource, expected);
    let record = &running.audit(1)[0];
    assert_eq!(record["trace_id"], server.trace);
    for export in collector.exports() {
        assert!(!String::from_utf8_lossy(&export.body).contains("s3cr3t"));
    }
}

/// A request and what is exported of it: the names of its spans, and attributes of some.
struct Row {
    ask: fn(&Running, &Recorder),
    names: &'static [&'static str],
    status: &'static str,
    is_error: bool,
    attributes: &'static [(usize, &'static str, &'static str)],
}

#[test]
fn what_becomes_of_a_request_is_in_its_spans() {
    let rows = [
        Row {
            ask: |running, _| assert_eq!(running.get("/denied", &[]).status(), 403),
            names: &["GET denied", "authentication", "!authorization"],
            status: "403",
            is_error: false,
            attributes: &[
                (0, "keyward.outcome", "denied"),
                (0, "keyward.reason", "denied"),
                (2, "keyward.handler", "deny"),
                (2, "error.type", "denied"),
            ],
        },
        Row {
            ask: |running, _| assert_eq!(running.get("/none", &[]).status(), 404),
            names: &["GET"],
            status: "404",
            is_error: false,
            attributes: &[(0, "keyward.reason", "no_rule"), (0, "keyward.rule.id", ""), (0, "url.path", "/none")],
        },
        // What the gate refuses is nothing to rely on.
        Row {
            ask: |running, _| assert_eq!(running.get("/plain/%zz?token=s3cr3t", &[]).status(), 400),
            names: &["GET"],
            status: "400",
            is_error: false,
            attributes: &[(0, "keyward.reason", "request_refused"), (0, "url.path", ""), (0, "server.address", "")],
        },
        Row {
            ask: |running, _| assert_eq!(running.get("/down", &[]).status(), 502),
            names: &["GET down", "authentication", "authorization", "mutation", "!upstream"],
            status: "502",
            is_error: true,
            attributes: &[
                (0, "error.type", "upstream_connect"),
                (4, "error.type", "upstream_connect"),
                (4, "http.response.status_code", ""),
            ],
        },
        Row {
            ask: |running, upstream| {
                upstream.script(vec![json!({"path": "/plain", "status": 503, "times": 1})]);
                assert_eq!(running.get("/plain", &[]).status(), 503);
            },
            names: &["GET plain", "authentication", "authorization", "mutation", "!upstream"],
            status: "503",
            is_error: true,
            attributes: &[
                (0, "error.type", "503"),
                (0, "keyward.outcome", "allowed"),
                (4, "error.type", "503"),
                (4, "http.response.status_code", "503"),
            ],
        },
        Row {
            ask: |running, upstream| {
                upstream.script(vec![json!({"path": "/plain", "status": 404, "times": 1})]);
                assert_eq!(running.get("/plain", &[]).status(), 404);
            },
            names: &["GET plain", "authentication", "authorization", "mutation", "!upstream"],
            status: "404",
            is_error: false,
            attributes: &[(4, "error.type", "404")],
        },
        // What callers call a method is not repeated.
        Row {
            ask: |running, _| assert_eq!(running.request("PURGE", "/plain", &[], "").status(), 200),
            names: &["HTTP plain", "authentication", "authorization", "mutation", "upstream"],
            status: "200",
            is_error: false,
            attributes: &[(0, "http.request.method", "_OTHER"), (4, "http.request.method", "_OTHER")],
        },
        Row {
            ask: |running, _| assert_eq!(running.decision("GET", "/plain", &[]).status(), 200),
            names: &["GET plain", "authentication", "authorization", "mutation"],
            status: "200",
            is_error: false,
            attributes: &[(0, "keyward.service", "api"), (0, "url.path", "/plain")],
        },
        Row {
            ask: |running, _| assert_eq!(running.decision("GET", "/denied", &[]).status(), 403),
            names: &["GET denied", "authentication", "!authorization"],
            status: "403",
            is_error: false,
            attributes: &[(0, "keyward.service", "api"), (0, "keyward.reason", "denied")],
        },
    ];
    let (running, upstream, collector) = start("");
    let mut seen = 0;
    for row in rows {
        (row.ask)(&running, &upstream);
        let spans = collector.wait_for(seen + row.names.len()).split_off(seen);
        seen += spans.len();
        let names: Vec<String> = spans
            .iter()
            .enumerate()
            .map(|(place, span)| format!("{}{}", if place > 0 && span.is_error { "!" } else { "" }, span.name))
            .collect();
        assert_eq!(names, row.names);
        assert_eq!((spans[0].get("http.response.status_code"), spans[0].is_error), (row.status, row.is_error));
        for (place, key, value) in row.attributes {
            assert_eq!(spans[*place].get(key), *value, "{key} of {:#?}", spans[*place]);
        }
    }
}

/// An answer that breaks off is no good one, whatever its status.
#[test]
fn an_answer_that_breaks_off_is_an_error_in_both_spans() {
    let upstream = scripted::upstream(|mut stream| {
        let _ = wire::read_request(&mut BufReader::new(&stream));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all");
    });
    let collector = Collector::start();
    let running = keyward(&everything(collector.port, ""), upstream).start();
    // It breaks off for the caller, too.
    let _ = running.send("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
    let spans = collector.wait_for(SPANS);
    for span in [&spans[0], &spans[SPANS - 1]] {
        let seen = (span.is_error, span.get("http.response.status_code"), span.get("error.type"));
        assert_eq!(seen, (true, "200", "stream_broken"), "{span:#?}");
    }
}

/// Who reads a line of the log finds the trace, and the other way round.
#[test]
fn records_and_log_lines_name_the_trace() {
    let (running, _upstream, collector) = start("");
    assert_eq!(running.get("/denied", &[]).status(), 403);
    assert_eq!(running.decision("GET", "/denied", &[]).status(), 403);
    let spans = collector.wait_for(6);
    let records = running.audit(2);
    for (place, what) in [(0, "request denied"), (3, "decision: denied")] {
        let trace = &spans[place].trace;
        let log = running.log();
        let line = log.lines().find(|line| line.contains(what)).unwrap();
        assert!(line.contains(trace), "{trace}: {line}");
        assert!(records.iter().any(|record| record["trace_id"] == **trace), "{trace}: {records:?}");
    }
}
