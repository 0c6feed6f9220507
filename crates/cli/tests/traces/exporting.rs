//! How spans get to the collector, and that requests do not care whether they do.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use keyward_testkit::collector::{Collector, Reply};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::wire;

use crate::stage::{SPANS, everything, keyward, start};

fn exported(running: &Running) -> Option<f64> {
    running.metric("keyward_trace_spans_exported_total")
}

fn dropped(running: &Running, reason: &str) -> Option<f64> {
    running.metric(&format!("keyward_trace_spans_dropped_total{{reason=\"{reason}\"}}"))
}

#[test]
fn an_export_is_what_the_protocol_demands() {
    let (collector, upstream) = (Collector::start(), Recorder::start(true));
    let otlp =
        format!("{{server_url: 'http://127.0.0.1:{}/in/here', authorization_header: 'Bearer s3cr3t'}}", collector.port);
    let running = keyward(&format!("{{provider: otel, providers: {{otlp: {otlp}}}}}"), upstream.port).start();
    assert_eq!(running.get("/plain", &[]).status(), 200);
    collector.wait_for(SPANS);
    let export = &collector.exports()[0];
    assert_eq!(export.start, "POST /in/here HTTP/1.1");
    let headers = ["content-type", "authorization", "host", "content-encoding"].map(|name| export.header(name));
    let host = format!("127.0.0.1:{}", collector.port);
    assert_eq!(headers, [Some("application/x-protobuf"), Some("Bearer s3cr3t"), Some(&host), None]);
    assert!(!running.log().contains("s3cr3t"), "{}", running.log());

    let (running, _upstream, collector) = start("");
    assert_eq!(running.get("/plain", &[]).status(), 200);
    collector.wait_for(SPANS);
    let export = &collector.exports()[0];
    assert_eq!((&*export.start, export.header("authorization")), ("POST /v1/traces HTTP/1.1", None));
    running.until("the count", |running| exported(running) == Some(SPANS as f64));
}

/// OTLP, "OTLP/HTTP Response": what may be tried again, and what may not.
#[test]
fn what_the_collector_says_decides_what_becomes_of_spans() {
    let rows: [(&[Reply], usize, f64, f64, f64); 8] = [
        (&[Reply::Status(503, "Retry-After: 1\r\n")], 2, 5.0, 0.0, 0.0),
        (&[Reply::Status(429, "")], 2, 5.0, 0.0, 0.0),
        (&[Reply::Status(502, "")], 2, 5.0, 0.0, 0.0),
        (&[Reply::Status(500, "")], 1, 0.0, 5.0, 0.0),
        (&[Reply::Status(401, "")], 1, 0.0, 5.0, 0.0),
        (&[Reply::Status(301, "Location: /elsewhere\r\n")], 1, 0.0, 5.0, 0.0),
        (&[Reply::Partly(2)], 1, 3.0, 0.0, 2.0),
        (&[Reply::Partly(99)], 1, 0.0, 0.0, 5.0),
    ];
    for (replies, attempts, taken, refused, rejected) in rows {
        let (running, _upstream, collector) = start("");
        collector.script(replies);
        assert_eq!(running.get("/plain", &[]).status(), 200, "{replies:?}");
        running.until("the outcome", |running| {
            let counts = [exported(running), dropped(running, "collector"), dropped(running, "rejected")];
            counts == [Some(taken), Some(refused), Some(rejected)]
        });
        let exports = collector.exports();
        assert_eq!(exports.len(), attempts, "{replies:?}");
        assert!(exports.iter().all(|export| export.body == exports[0].body), "{replies:?}");
    }
}

#[test]
fn nobody_waits_for_a_collector_that_is_away() {
    let upstream = Recorder::start(true);
    let mut running = keyward(&everything(free_port(), ""), upstream.port).start();
    for _ in 0..20 {
        assert_eq!(running.get("/plain", &[]).status(), 200);
    }
    running.until("the warning", |running| running.log().contains("traces cannot be exported"));
    assert_eq!(running.get("/plain", &[]).status(), 200);
    running.signal("TERM");
    assert!(running.wait().success());
    assert_eq!(running.log().matches("traces cannot be exported").count(), 1, "{}", running.log());
}

/// While an export hangs, so much waits and no more.
#[test]
fn what_is_too_much_is_dropped_and_counted_and_the_end_comes() {
    let (mut running, _upstream, collector) = start("");
    collector.script(&[Reply::Stall(Duration::from_secs(60)); 8]);
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut ask = || {
        stream.write_all(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        assert_eq!(wire::read_response(&mut reader, false).unwrap().status(), 404);
    };
    ask();
    running.until("an export", |_| !collector.exports().is_empty());
    // What the exporter took is one at least, and a batch at most.
    for _ in 0..2048 {
        ask();
    }
    assert_eq!(dropped(&running, "queue"), Some(0.0));
    for _ in 0..10 {
        ask();
    }
    assert_eq!(dropped(&running, "queue"), Some(10.0));
    running.signal("TERM");
    assert!(running.wait().success(), "{}", running.log());
    assert!(running.log().contains("the last traces could not be exported in time"), "{}", running.log());
}

#[test]
fn what_waits_at_the_end_is_exported() {
    let (mut running, _upstream, collector) = start("");
    for _ in 0..40 {
        assert_eq!(running.get("/plain", &[]).status(), 200);
    }
    running.signal("TERM");
    assert!(running.wait().success());
    assert_eq!(collector.spans().len(), 40 * SPANS);
}

/// One attempt may be under way when the end comes, and there is one then.
#[test]
fn at_the_end_nothing_is_tried_again_and_again() {
    let (mut running, _upstream, collector) = start("");
    collector.script(&[Reply::Status(503, ""); 8]);
    assert_eq!(running.get("/plain", &[]).status(), 200);
    running.signal("TERM");
    assert!(running.wait().success());
    assert!((1..=2).contains(&collector.exports().len()), "{}", collector.exports().len());
}

/// As upstreams are trusted: by the system's authorities and `serve.proxy.upstream.ca_files`.
#[test]
fn a_collector_is_who_it_should_be_or_it_gets_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (issuer, name, is_trusted) in
        [(&authority, "localhost", true), (&authority, "other.example", false), (&stranger, "localhost", false)]
    {
        let (collector, upstream) = (Collector::start_tls(issuer.server(&[name], &[])), Recorder::start(true));
        let otlp = format!("{{server_url: 'localhost:{}'}}", collector.port);
        let server = keyward(&format!("{{provider: otel, providers: {{otlp: {otlp}}}}}"), upstream.port);
        let ca = server.write("ca.pem", &authority.certificate).display().to_string();
        let running = server.env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca).start();
        assert_eq!(running.get("/plain", &[]).status(), 200);
        if is_trusted {
            collector.wait_for(SPANS);
        } else {
            running.until("the refusal", |running| running.log().contains("invalid peer certificate"));
            assert_eq!(collector.exports().len(), 0, "{name}");
        }
    }
}
