//! What `tracing` may say, and that it can change while the server runs.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::DirEntry;

use keyward_testkit::collector::Collector;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};

use crate::stage::{SPANS, config, everything, keyward};

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    let rows = [
        ("server_url: 'h:4318', sampling: {sampling_ratio: 1.5}", "sampling_ratio`: it is not from 0 to 1"),
        ("server_url: 'h:4318', sampling: {sampling_ratio: -1}", "sampling_ratio`: it is not from 0 to 1"),
        ("server_url: 'ftp://h:4318'", "server_url`: it is no `host:port`"),
        ("server_url: 'h:99999'", "server_url`"),
        ("server_url: 'a b'", "server_url`"),
        ("server_url: 'https://u:s3cr3t@h'", "server_url`: write `host:port`"),
        ("server_url: 'https://h/?key=s3cr3t'", "server_url`: write `host:port`"),
        ("server_url: 'https://h', insecure: true", "insecure`: `server_url` begins with `https://`"),
        ("server_url: 'h:4318', authorization_header: \"s3cr3t\\n\"", "authorization_header`: it cannot be sent"),
    ];
    for (otlp, message) in rows {
        let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let text = format!("log: {{}}\ntracing: {{provider: otel, providers: {{otlp: {{{otlp}}}}}}}\n");
        let path = server.write("config.yaml", &text);
        let (code, out, err) = server.config(path).run(&["config", "check"]);
        let said = out + &err;
        assert!(code != 0 && said.contains(message) && said.contains("config.yaml:2:"), "{otlp}: {code} {said}");
        assert!(!said.contains("s3cr3t"), "{otlp}: {said}");
    }
}

#[test]
fn where_nothing_is_exported_that_is_said() {
    let rows = [
        ("{provider: jaeger, providers: {jaeger: {local_agent_address: 'h:6831'}}}", "no traces are exported; `otel`"),
        ("{provider: zipkin, providers: {zipkin: {server_url: 'http://h/'}}}", "no traces are exported; `otel`"),
        ("{provider: otel}", "exports nothing: `tracing.providers.otlp.server_url`"),
        ("{provider: otel, providers: {otlp: {server_url: ''}}}", "exports nothing"),
    ];
    let upstream = Recorder::start(true);
    for (tracing, message) in rows {
        let running = keyward(tracing, upstream.port).start();
        assert_eq!(running.get("/plain", &[]).status(), 200);
        assert_eq!(upstream.take_header("traceparent"), [""], "{tracing}");
        assert!(running.log().contains(message), "{tracing}: {}", running.log());
    }
}

#[test]
fn it_is_switched_on_and_off_and_to_another_collector_while_requests_are_served() {
    let (one, two, upstream) = (Collector::start(), Collector::start(), Recorder::start(true));
    let running = keyward("{}", upstream.port).start();
    let traced = Cell::new(0);
    let heard = |what: &str, is_part: bool| {
        running.until(what, |running| {
            assert_eq!(running.get("/plain", &[]).status(), 200);
            let now = upstream.take_header("traceparent").iter().filter(|value| !value.is_empty()).count();
            traced.set(traced.get() + now);
            (now > 0) == is_part
        });
    };
    heard("nothing", false);
    running.replace("config.yaml", &config(&everything(one.port, "")));
    heard("traces", true);
    running.replace("config.yaml", &config(&everything(two.port, ", service_name: second")));
    running.until("the second", |_| {
        heard("traces", true);
        !two.spans().is_empty()
    });
    assert!(two.spans().iter().all(|span| span.resource["service.name"] == "second"));
    running.replace("config.yaml", &config("{provider: jaeger}"));
    heard("nothing again", false);
    // What waited when another took over got there, too.
    running.until("the rest", |_| one.spans().len() + two.spans().len() == traced.get() * SPANS);
    assert!(!one.spans().is_empty());
    running.until("the end of who exported", |running| exporters(running).is_empty());
    let log = running.log();
    assert!(!log.contains("needs a restart") && log.contains("no traces are exported"), "{log}");
}

/// The threads that export.
fn exporters(running: &Running) -> Vec<OsString> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", running.id())).unwrap().flatten();
    let name = |thread: &DirEntry| std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    threads.filter(|thread| name(thread).trim() == "traces").map(|thread| thread.file_name()).collect()
}

/// A change of something else leaves what waits where it is, and who exports it.
#[test]
fn a_reload_that_changes_nothing_of_it_changes_nothing() {
    let (collector, upstream) = (Collector::start(), Recorder::start(true));
    let running = keyward(&everything(collector.port, ""), upstream.port).start();
    let before = exporters(&running);
    for number in 0..5_u32 {
        assert_eq!(running.get("/plain", &[]).status(), 200);
        running.signal("HUP");
        let reloads = f64::from(number + 1);
        running.until("the reload", |running| running.metric("keyward_reloads_total") == Some(reloads));
    }
    collector.wait_for(5 * SPANS);
    assert_eq!((before.len(), exporters(&running)), (1, before));
}
