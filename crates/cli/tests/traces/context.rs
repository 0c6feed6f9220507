//! Whose trace a request is part of, and what its upstream hears of that (W3C Trace Context).

use keyward_testkit::collector::Collector;
use keyward_testkit::conformance::recorder::Recorder;

use crate::stage::{SPANS, config, everything, keyward, start};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// Trace, span and flags of a `traceparent`.
fn parts(text: &str) -> [&str; 3] {
    let parts: Vec<&str> = text.split('-').collect();
    assert!(parts.len() == 4 && parts[0] == "00" && parts[1].len() == 32 && parts[2].len() == 16, "{text}");
    [parts[1], parts[2], parts[3]]
}

fn with_ratio(port: u16, ratio: &str, more: &str) -> String {
    let otlp = format!("{{server_url: '127.0.0.1:{port}', insecure: true, sampling: {{sampling_ratio: {ratio}}}}}");
    format!("{{provider: otel, providers: {{otlp: {otlp}}}{more}}}")
}

/// With these settings and what the caller says: whether the trace is the caller's, and whether it is sampled.
#[test]
fn the_upstream_hears_of_the_trace_and_of_its_parent() {
    let rows = [
        ("1", "follow", None, false, true),
        ("0", "follow", None, false, false),
        ("0", "follow", Some("01"), true, true),
        ("1", "follow", Some("00"), true, false),
        ("0", "continue", Some("01"), true, false),
        ("1", "continue", Some("00"), true, true),
        ("0", "replace", Some("01"), false, false),
        ("1", "replace", Some("00"), false, true),
    ];
    for (ratio, callers, flags, is_theirs, is_sampled) in rows {
        let what = format!("{ratio} {callers} {flags:?}");
        let (upstream, collector) = (Recorder::start(true), Collector::start());
        let tracing = with_ratio(collector.port, ratio, &format!(", caller_context: {callers}"));
        let mut running = keyward(&tracing, upstream.port).start();
        let said = flags.map(|flags| format!("00-{TRACE}-{SPAN}-{flags}"));
        let mut headers = vec![("Tracestate", "rojo=1,congo=2")];
        headers.extend(said.as_deref().map(|said| ("Traceparent", said)));
        assert_eq!(running.get("/plain", &headers).status(), 200, "{what}");
        let request = &upstream.take()[0];
        let heard = |name: &str| {
            let lines = request["headers"].as_array().unwrap().iter();
            let mut found = lines.filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            let value = found.next().map(|line| line[1].as_str().unwrap().to_owned());
            assert_eq!(found.next(), None, "{what}");
            value
        };
        let parent = heard("traceparent").unwrap();
        let [trace, span, flags] = parts(&parent);
        assert_eq!((trace == TRACE, flags), (is_theirs, if is_sampled { "01" } else { "00" }), "{what}");
        assert_ne!(span, SPAN, "{what}");
        // What the caller's trace came with belongs to that trace.
        assert_eq!(heard("tracestate").as_deref(), is_theirs.then_some("rojo=1,congo=2"), "{what}");
        assert_eq!(running.audit(1)[0]["trace_id"], trace, "{what}");
        // All that there is has been exported when it ends.
        running.signal("TERM");
        assert!(running.wait().success(), "{what}");
        let spans = collector.spans();
        assert_eq!(spans.len(), if is_sampled { SPANS } else { 0 }, "{what}");
        if let [server, .., client] = &spans[..] {
            assert_eq!((&*server.trace, &*client.trace, &*client.id), (trace, trace, span), "{what}");
            let remote = if is_theirs { (SPAN, 0x301) } else { ("", 0x101) };
            assert_eq!((&*server.parent, server.flags), remote, "{what}");
        }
    }
}

/// What cannot be read as the standard says is as good as nothing: another trace begins.
#[test]
fn a_context_that_is_not_sound_is_none() {
    let sound = format!("00-{TRACE}-{SPAN}-01");
    let many: String = (0..33).map(|number| format!("k{number}=v,")).collect();
    let long = format!("a={},b={}", "v".repeat(256), "v".repeat(256));
    // The lines of `traceparent` and of `tracestate`, whether the trace goes on, and what of the state does.
    let rows: [(&[&str], &[&str], bool, &str); 15] = [
        (&[&sound], &["a=1", "b=2"], true, "a=1+b=2"),
        (&[&sound], &[], true, ""),
        (&[&sound, &sound], &["a=1"], false, ""),
        (&[&sound.to_uppercase()], &["a=1"], false, ""),
        (&[&sound.replacen("00", "ff", 1)], &["a=1"], false, ""),
        (&[&sound.replacen("00", "cc", 1)], &["a=1"], true, "a=1"),
        (&[&format!("00-{}-{SPAN}-01", "0".repeat(32))], &["a=1"], false, ""),
        (&[&format!("00-{TRACE}-{}-01", "0".repeat(16))], &["a=1"], false, ""),
        (&[&format!("{sound}-more")], &["a=1"], false, ""),
        (&[&sound.repeat(80)], &["a=1"], false, ""),
        (&[""], &["a=1"], false, ""),
        (&[&sound], &[&many], true, ""),
        (&[&sound], &[&long], true, ""),
        (&[&sound], &["a=1,a=2"], true, ""),
        (&[&sound], &["a=1", "no state"], true, ""),
    ];
    let (running, upstream, collector) = start("");
    for (number, (parents, states, goes_on, state)) in rows.into_iter().enumerate() {
        let headers = parents.iter().map(|parent| ("traceparent", *parent));
        let headers: Vec<_> = headers.chain(states.iter().map(|state| ("tracestate", *state))).collect();
        assert_eq!(running.get("/plain", &headers).status(), 200, "{headers:?}");
        let spans = collector.wait_for((number + 1) * SPANS).split_off(number * SPANS);
        let parent = if goes_on { (TRACE, SPAN) } else { (&*spans[0].trace, "") };
        assert_eq!((&*spans[0].trace, &*spans[0].parent), parent, "{headers:?}");
        assert_eq!(spans[0].trace == TRACE, goes_on, "{headers:?}");
        let request = upstream.take().pop().unwrap();
        let values = |name: &str| {
            let lines = request["headers"].as_array().unwrap().iter();
            let found = lines.filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            found.map(|line| line[1].as_str().unwrap()).collect::<Vec<_>>().join("+")
        };
        let expected = format!("00-{}-{}-01", spans[0].trace, spans.last().unwrap().id);
        assert_eq!((values("traceparent"), values("tracestate")), (expected, state.to_owned()), "{headers:?}");
    }
}

/// A rule that puts in a parent of its own does not part the spans.
#[test]
fn the_trace_goes_before_what_rules_and_callers_say() {
    let (collector, upstream) = (Collector::start(), Recorder::start(true));
    let config =
        config(&everything(collector.port, "")).replace("X-Key: s3cr3t", &format!("Traceparent: 00-{TRACE}-{SPAN}-01"));
    let server = keyward(&everything(collector.port, ""), upstream.port);
    server.write("config.yaml", &config);
    let running = server.start();
    assert_eq!(running.get("/several", &[]).status(), 200);
    let spans = collector.wait_for(7);
    let expected = format!("00-{}-{}-01", spans[0].trace, spans[6].id);
    assert_eq!(upstream.take_header("traceparent"), [expected]);
}

#[test]
fn without_tracing_the_headers_of_traces_pass_as_they_are() {
    let upstream = Recorder::start(true);
    let running = keyward("{}", upstream.port).start();
    for said in [format!("00-{TRACE}-{SPAN}-01"), "anything".to_owned()] {
        let headers = [("Traceparent", said.as_str()), ("Tracestate", "no state"), ("B3", "0")];
        assert_eq!(running.get("/plain", &headers).status(), 200);
        let request = upstream.take().pop().unwrap();
        let lines = request["headers"].as_array().unwrap();
        for (name, value) in headers {
            let found = lines.iter().find(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            assert_eq!(found.map(|line| line[1].as_str().unwrap()), Some(value), "{name}");
        }
    }
    assert_eq!(running.get("/plain", &[]).status(), 200);
    assert_eq!(upstream.take_header("traceparent"), [""]);
}
