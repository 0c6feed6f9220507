//! What a caller sends comes out of logs and records as data, and as one line.

use keyward_testkit::clouds::Cloud;
use keyward_testkit::process::Keyward;
use keyward_testkit::same_flaw;

use crate::stage::Stage;

/// Envoy, Envoy Gateway, tracing-subscriber: text of a request was a line, or a command, of the log.
fn what_callers_send_is_data() {
    let stage = Stage::start_with("log: {level: debug}");
    let rows = [
        "GET /nothing/%0a%0dlevel=error HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: api.example\r\nUser-Agent: \u{1b}[31mred\u{1b}[0m\r\n\r\n",
        "GET /public/\"},{\"decision\":\"allowed HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: api.example\r\nX-Request-Id: a\",\"b\":\"\u{1b}]0;x\u{7}\r\n\r\n",
        "M\u{1b}[2J /public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
    ];
    for request in rows {
        stage.play(request.as_bytes());
    }
    let records = stage.running.audit(rows.len());
    assert_eq!(records.len(), rows.len(), "{records:?}");
    let log = stage.running.log();
    for line in log.lines().chain(std::fs::read_to_string(stage.running.path("audit.log")).unwrap().lines()) {
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }
    assert!(!log.lines().any(|line| line.starts_with("level=error")), "{log}");
}

same_flaw!(what_callers_send_is_data:
    cve_2024_45808_log_injection,
    cve_2025_25294_log_injection,
    rustsec_2025_0055_log_injection,
);

/// aws-sigv4: keys were a part of what is logged when everything is.
#[test]
fn rustsec_2023_0125_keys_of_a_cloud_are_in_no_log() {
    const KEYS: [&str; 2] = ["canary-of-the-secret-key-51b2", "canary-of-the-session-9d07"];
    let rule = "- id: a\n  match: {url: 'http://h/a', methods: [GET]}\n  authenticators: [{handler: anonymous}]\n  \
                authorizer: {handler: deny}\n  mutators: [{handler: noop}]\n";
    let config = |cloud: &Cloud| {
        format!(
            "log: {{level: trace}}\nauthenticators: {{anonymous: {{enabled: true}}}}\nauthorizers: {{deny: {{enabled: true}}}}\n\
             mutators: {{noop: {{enabled: true}}}}\naccess_rules:\n  refresh_interval: 1s\n  \
             repositories: ['s3://bucket/rules.yaml?region=eu-central-1&endpoint={}']\n",
            cloud.url()
        )
    };
    let start = |secret: &str| {
        let cloud = Cloud::start();
        cloud.put("/bucket/rules.yaml", rule);
        cloud.aws_key("KEYID", secret, Some(KEYS[1]));
        let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let path = server.write("config.yaml", &config(&cloud));
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        names
            .iter()
            .zip(["KEYID", KEYS[0], KEYS[1]])
            .fold(server, |server, (name, value)| server.env(name, value))
            .config(path)
    };
    // Keys that the store knows, and keys that it refuses.
    let running = start(KEYS[0]).start();
    running.until("a second fetch", |running| {
        running.metric("keyward_repository_fetches_total{outcome=\"unchanged\"}").is_some_and(|count| count > 0.0)
    });
    let refused = start("another").start_without_rules("s3://bucket/rules.yaml");
    let mut told = vec![running.log(), refused.log()];
    assert!(told.iter().all(|text| text.contains("DEBUG")), "{told:?}");
    for path in ["/rules", "/health/ready?verbose", "/metrics"] {
        told.extend([&running, &refused].map(|server| server.api(path).unwrap().text()));
    }
    for key in KEYS {
        assert!(told.iter().all(|text| !text.contains(key)), "{key}");
    }
}
