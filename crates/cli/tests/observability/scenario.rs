//! Everything that makes a metric appear, done to one server: requests that are allowed, denied and refused, upstreams that fail and
//! give credentials back, tokens that have expired, sources that give, change and fail, reloads that are taken and refused.

use std::sync::OnceLock;

use keyward_testkit::clouds::{Cloud, Entry};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::ports::reserve;
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::tokens::Es256;
use keyward_testkit::wire;
use serde_json::json;

use crate::keyward;

/// What the rules put into requests. No scrape may hold it.
const SECRET: &str = "s3cr3t-value-0123456789";
const OBJECT: &str = "/bucket/rules.yaml";

/// The scrapes after all of it, one in each format.
pub(crate) struct Scrapes {
    pub(crate) plain: String,
    pub(crate) open: String,
}

/// They are taken once for all tests.
pub(crate) fn scrapes() -> &'static Scrapes {
    static TAKEN: OnceLock<Scrapes> = OnceLock::new();
    TAKEN.get_or_init(play)
}

fn rules(upstream: u16, closed: u16) -> String {
    let rule = |id: &str, authenticator: &str, mutator: &str, port: u16| {
        format!(
            "- id: {id}\n  match: {{url: \"http://<[^/]*>/{id}\", methods: [GET]}}\n  \
             authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{mutator}]\n  upstream: {{url: \"http://127.0.0.1:{port}\"}}\n"
        )
    };
    let injecting = "{handler: header, config: {headers: {Authorization: 'Bearer {{ secret \"api\" }}'}}}";
    let elsewhere = format!("jwt, config: {{jwks_urls: [\"http://127.0.0.1:{closed}/keys\"]}}");
    [
        rule("allowed", "jwt", injecting, upstream),
        rule("echoing", "anonymous", injecting, upstream),
        rule("closed", "anonymous", "{handler: noop}", closed),
        rule("keyless", &elsewhere, "{handler: noop}", upstream),
    ]
    .concat()
}

fn config(issuer: u16, directory: &str, extra: &str) -> String {
    format!(
        "serve: {{prometheus: {{tls: {{cert: {{path: \"{directory}/cert.pem\"}}, key: {{path: \"{directory}/key.pem\"}}}}}}}}\n\
         access_rules: {{repositories: [\"s3://bucket/rules.yaml\"], refresh_interval: 1s}}\n\
         authenticators:\n  anonymous: {{enabled: true}}\n  jwt: {{enabled: true, config: {{jwks_urls: \
         [\"http://127.0.0.1:{issuer}/keys\"], allowed_algorithms: [ES256]}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{header: {{enabled: true}}, noop: {{enabled: true}}}}\n\
         secrets:\n  refresh_interval: 1s\n  sources:\n    - aws_secrets_manager: {{region: eu-central-1}}\n      \
         secrets: [{{name: api, id: prod/api, hosts: [127.0.0.1]}}]\n{extra}"
    )
}

fn play() -> Scrapes {
    let (upstream, issuer, closed) = (Recorder::start(true), Recorder::start(false), reserve());
    let (authority, key, cloud) = (Authority::new(), Es256::new("k"), Cloud::start());
    issuer.script(vec![json!({"path": "/keys", "body": {"keys": [key.jwk()]}})]);
    upstream.script(vec![json!({"path": "/echoing", "headers": {"X-Echo": SECRET}, "body": "ok"})]);
    cloud.aws_key("KEY", "key-secret", None);
    cloud.secret(Entry::text("prod/api", "11111111-1111-1111-1111-111111111111", SECRET));
    let written = rules(upstream.port, closed.number());
    cloud.put(OBJECT, written.clone());

    let keyward = keyward();
    let (certificate, private) = authority.pem(&["localhost"]);
    keyward.write("cert.pem", &certificate);
    keyward.write("key.pem", &private);
    let directory = keyward.path("").display().to_string();
    let directory = directory.trim_end_matches('/').to_owned();
    let path = keyward.write("config.yaml", &config(issuer.port, &directory, ""));
    let running = keyward
        .config(path)
        .env("AWS_ACCESS_KEY_ID", "KEY")
        .env("AWS_SECRET_ACCESS_KEY", "key-secret")
        .env("AWS_ENDPOINT_URL", &cloud.url())
        .env("AWS_REGION", "eu-central-1")
        .start();

    ask(&running, &key);
    upstream.take();
    sources_change(&running, &cloud, &written);
    running.replace("config.yaml", &config(issuer.port, &directory, "log: {level: loud}\n"));
    running.until("the refusal", |running| above(running, "keyward_reload_failures_total", 0.0));
    running.replace("config.yaml", &config(issuer.port, &directory, "log: {level: info, format: json}\n"));
    running.until("the reload", |running| running.log().contains("\"message\":\"rules are in force\""));
    running.until("every record", |running| above(running, "keyward_audit_records_written_total", 4.0));

    let plain = running.api("/metrics").unwrap();
    let open = "GET /metrics HTTP/1.1\r\nHost: api\r\nAccept: application/openmetrics-text; version=1.0.0\r\nConnection: close\r\n\r\n";
    let open = wire::exchange(running.api, open.as_bytes(), PATIENCE).unwrap();
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    // The port of its own says the same.
    let mut client = TlsClient::connect(running.metrics, &authority.client(&[]), PATIENCE).unwrap();
    assert!(client.get("/metrics", "localhost").unwrap().text().contains("# TYPE keyward_ready gauge\n"));
    let scrapes = Scrapes { plain: plain.text(), open: open.text() };
    assert!(!scrapes.plain.contains(SECRET) && !scrapes.open.contains(SECRET));
    scrapes
}

/// Requests of callers, good and bad ones.
fn ask(running: &Running, key: &Es256) {
    let status = |path: &str, expiry: u64| {
        let token = key.sign(&json!({}), &json!({"sub": "caller", "exp": expiry}));
        running.get(path, &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]).status()
    };
    running.until("the keys", |_| status("/allowed", 4_000_000_000) == 200);
    assert_eq!(status("/allowed", 1_000_000_000), 401);
    assert_eq!(status("/keyless", 4_000_000_000), 401);
    assert_eq!(status("/nowhere", 4_000_000_000), 404);
    assert_eq!(running.get("/echoing", &[("Host", "h")]).status(), 200);
    assert_eq!(running.get("/closed", &[("Host", "h")]).status(), 502);
    assert_eq!(status("/allowed%00", 4_000_000_000), 400);
    assert_eq!(running.api("/version").unwrap().status(), 200);
}

/// Rules that change, that cannot be used, and that cannot be had.
fn sources_change(running: &Running, cloud: &Cloud, rules: &str) {
    let fetched = |outcome: &str| format!("keyward_repository_fetches_total{{outcome=\"{outcome}\"}}");
    cloud.put(OBJECT, format!("{rules}# changed\n"));
    running.until("the change", |running| above(running, &fetched("changed"), 0.0));
    cloud.put(OBJECT, "- just a text");
    running.until("refusing it", |running| above(running, &fetched("refused"), 0.0));
    cloud.put(OBJECT, rules);
    running.until("the way back", |running| above(running, &fetched("changed"), 1.0));
}

fn above(running: &Running, metric: &str, count: f64) -> bool {
    running.metric(metric).is_some_and(|found| found > count)
}
