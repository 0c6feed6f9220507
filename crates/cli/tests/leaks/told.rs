//! The value of a secret is nowhere in what is told, also where somebody wrote it as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward_testkit::collector::{Collector, Seen, SpanKind};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::wire::Message;
use serde_json::{Value, json};

/// What templates name, and values that are written differently nearly everywhere.
const SECRETS: [(&str, &str); 3] = [
    ("{{ secret \"file\" }}", "f1le/v\"alue\\+ä="),
    ("{{ env \"DIRECTORY\" }}", "d1r-value&<more>"),
    ("{{ env \"PROCESS\" }}", "pr0cess-value~1"),
];

/// Too short to be looked for.
const SHORT: &str = "sh0rt";

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}, jwt: {enabled: true, config: {jwks_urls: [JWKS]}}}\n\
    authorizers: {allow: {enabled: true}}\nmutators: {header: {enabled: true}}\n\
    errors: {handlers: {json: {enabled: true, config: {verbose: true}}}}\n";

/// A rule that uses a secret, with its value in all that a rule shows.
fn rule(number: usize, template: &str, value: &str, upstream: &str) -> Value {
    json!({
        "id": format!("rule {number} {value}"),
        "description": format!("see {value}, {SHORT}, or {}", STANDARD.encode(format!("user:{value}"))),
        "match": {"url": format!("http://<[^/]*>/{number}/<.*>"), "methods": ["GET"]},
        "authenticators": [{"handler": "jwt"}, {"handler": "anonymous", "config": {"subject": format!("subject {value}")}}],
        "authorizer": {"handler": "allow"},
        "mutators": [{"handler": "header", "config": {"headers": {"Authorization": format!("Bearer {template}"), "X-Written": value}}}],
        "upstream": {"url": format!("{upstream}/{}", in_url(value))},
    })
}

/// A rule that is broken, for a reason that quotes the value.
fn broken(number: usize, value: &str) -> Value {
    json!({
        "id": format!("broken {number} {value}"),
        "match": {"url": format!("http://<[^/]*>/broken/{number}"), "methods": ["GET"]},
        "authenticators": [{"handler": format!("no {value}")}],
        "authorizer": {"handler": "allow"},
        "mutators": [{"handler": "header", "config": {"headers": {}, value: value}}],
        "upstream": {"url": format!("no url {value}")},
    })
}

fn in_url(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A server to be started, whose file secret has this value.
fn keyward(format: &str, upstream: &str, collector: &Collector) -> Keyward {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let [file, directory, process] = SECRETS.map(|(_, value)| value);
    let file = keyward.write("file", file);
    let short = keyward.write("short", SHORT);
    keyward.write("env/DIRECTORY", directory);
    let mut rules = Vec::new();
    for (number, (template, value)) in SECRETS.into_iter().enumerate() {
        rules.push(rule(number, template, value, upstream));
        rules.push(broken(number, value));
    }
    let jwks = json!(format!("http://127.0.0.1:1/{}", in_url(SECRETS[0].1)));
    let config = format!(
        "{}log: {{level: trace, format: {format}}}\n\
         tracing: {{provider: otel, providers: {{otlp: {{server_url: '127.0.0.1:{}', insecure: true}}}}}}\nsecrets:\n  env_dir: {}\n  sources: [{{file: {}}}, {{file: {}}}]\n",
        HANDLERS.replace("JWKS", &jwks.to_string()),
        collector.port,
        keyward.path("env").display(),
        file.display(),
        short.display()
    );
    keyward.env("PROCESS", process).with(&config, &Value::from(rules).to_string())
}

/// The forms in which a value could stand there.
fn forms(value: &str) -> Vec<String> {
    let quoted = json!(value).to_string();
    let escaped = quoted[1..quoted.len() - 1].to_owned();
    let html = escaped.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    let in_segments = [("%2D", "-"), ("%7E", "~"), ("%2B", "+"), ("%3D", "="), ("%26", "&")];
    let path = in_segments.iter().fold(in_url(value), |path, (code, sign)| path.replace(code, sign));
    vec![value.to_owned(), escaped, html, format!("{value:?}"), in_url(value), path, STANDARD.encode(value)]
}

fn assert_hidden(value: &str, told: &[(&str, String)]) {
    for (what, text) in told {
        for form in forms(value) {
            assert!(!text.contains(&form), "{what} holds {form}:\n{text}");
        }
        let whole = STANDARD.encode(format!("user:{value}"));
        assert!(!text.contains(&whole[8..20]), "{what} holds it with a name, in base64:\n{text}");
    }
}

/// Waits until so many requests are in what the collector has.
fn until_exported(running: &Running, collector: &Collector, requests: usize) {
    let is_server = |span: &Seen| span.kind == SpanKind::Server;
    running.until("the export", |_| collector.spans().iter().filter(|span| is_server(span)).count() >= requests);
}

/// Everything that a server tells.
fn told(running: &Running, collector: &Collector) -> Vec<(&'static str, String)> {
    let api = |target: &str| running.api(target).unwrap().text();
    let rules: Vec<Value> = serde_json::from_str(&api("/rules")).unwrap();
    assert_eq!(rules.len(), SECRETS.len());
    vec![
        ("/rules", api("/rules")),
        ("/metrics", api("/metrics")),
        ("/health/ready", api("/health/ready?verbose")),
        ("the log", running.log()),
        ("the audit log", std::fs::read_to_string(running.path("audit.log")).unwrap()),
        ("the traces", collector.exports().iter().map(Message::text).collect()),
    ]
}

#[test]
fn a_value_is_in_nothing_that_a_server_tells() {
    for format in ["text", "json", "json_pretty", "gelf"] {
        let (recorder, collector) = (Recorder::start(true), Collector::start());
        let running = keyward(format, &format!("http://127.0.0.1:{}", recorder.port), &collector).start();
        let mut answers = Vec::new();
        for (number, (_, value)) in SECRETS.into_iter().enumerate() {
            assert_eq!(running.get(&format!("/{number}/a"), &[("X-Request-Id", value)]).status(), 200);
            // Headers are recorded as Latin-1.
            let sent: String = value.bytes().map(char::from).collect();
            assert_eq!(recorder.take_header("x-written").last(), Some(&sent), "what is sent is as it is written");
            for target in [format!("/broken/{number}"), format!("/nothing/{number}")] {
                answers.push(("an answer", running.get(&target, &[]).text()));
                answers.push(("a decision", running.decision("GET", &target, &[]).text()));
            }
            // The gate lets no encoded slash through, and records it.
            let status = running.get(&format!("/{number}/{}", in_url(value)), &[]).status();
            assert_eq!(status, if value.contains('/') { 400 } else { 200 });
            let id = in_url(&format!("rule {number} {value}"));
            let shown: Value = serde_json::from_str(&running.api(&format!("/rules/{id}")).unwrap().text()).unwrap();
            assert_eq!(shown["id"], format!("rule {number} [redacted]"), "{format}");
            assert!(shown["description"].as_str().unwrap().starts_with(&format!("see [redacted], {SHORT}, or ")));
            answers.push(("/rules/{id}", shown.to_string()));
        }
        running.audit(SECRETS.len() * 6);
        until_exported(&running, &collector, SECRETS.len() * 6);
        for (_, value) in SECRETS {
            assert_hidden(value, &answers);
            assert_hidden(value, &told(&running, &collector));
        }
        for (what, text) in told(&running, &collector) {
            assert!(text.contains("[redacted]"), "{format}: it is not because {what} says nothing of them:\n{text}");
        }
    }
}

#[test]
fn a_value_is_in_nothing_that_a_command_prints() {
    let keyward = keyward("text", "http://127.0.0.1:1", &Collector::start());
    let commands: [&[&str]; 6] = [
        &["rules", "lint"],
        &["rules", "lint", "--format", "json"],
        &["rules", "explain", "http://h/0/a"],
        &["rules", "explain", "--format", "json", "http://h/broken/1"],
        &["config", "check"],
        &["secrets", "check"],
    ];
    for command in commands {
        let (_, out, err) = keyward.run(command);
        assert!(!out.is_empty() || !err.is_empty(), "{command:?}");
        for (_, value) in SECRETS {
            assert_hidden(value, &[(command[0], out.clone()), (command[0], err.clone())]);
        }
    }
}

#[test]
fn the_old_value_and_the_new_one_are_hidden_while_one_takes_the_others_place() {
    let (recorder, collector) = (Recorder::start(true), Collector::start());
    let running = keyward("json", &format!("http://127.0.0.1:{}", recorder.port), &collector).start();
    let mut values = Vec::new();
    for (number, name) in [(0, "file"), (1, "env/DIRECTORY")] {
        let later = [format!("s3cond-value-{number}"), format!("th1rd-value-{number}")];
        for value in &later {
            running.replace(name, value);
            running.until("the rotation", |running| {
                running.get(&format!("/{number}/a"), &[]);
                recorder.take_header("authorization").contains(&format!("Bearer {value}"))
            });
        }
        values.push(SECRETS[number].1.to_owned());
        values.extend(later);
    }
    for value in &values {
        running.get(&format!("/nothing/{}", in_url(value)), &[("X-Request-Id", value)]);
    }
    running.until("the last record", |running| {
        std::fs::read_to_string(running.path("audit.log")).unwrap().matches("/nothing/").count() == values.len()
    });
    let records = std::fs::read_to_string(running.path("audit.log")).unwrap().lines().count();
    until_exported(&running, &collector, records);
    for value in &values {
        assert_hidden(value, &told(&running, &collector));
    }
}
