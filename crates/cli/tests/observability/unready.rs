//! A server that does not become ready says why, and what to do: while it runs, in readiness; and once it has ended, in the last line of
//! its log.

use std::net::TcpListener;

use keyward_testkit::clouds::Cloud;
use keyward_testkit::ports::reserve;
use keyward_testkit::process::{Keyward, Running};
use serde_json::Value;

use crate::keyward;

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}, jwt: {enabled: true, config: {jwks_urls: [\"http://127.0.0.1:1/keys\"]}}}\n\
                        authorizers: {allow: {enabled: true}}\nmutators: {header: {enabled: true}}\n";

fn rule(authenticator: &str, header: &str) -> String {
    format!(
        "- id: jira\n  match: {{url: \"http://<[^/]*>/a\", methods: [GET]}}\n  authenticators: [{{handler: {authenticator}}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: header, config: {{headers: {{Authorization: '{header}'}}}}}}]\n  \
         upstream: {{url: \"http://127.0.0.1:1\"}}\n"
    )
}

fn last_line(running: &Running) -> String {
    running.log().trim_end().rsplit('\n').next().unwrap_or_default().to_owned()
}

/// Readiness says each of these under a key, and so does the last line after SIGTERM, which is handed back.
fn assert_told(keyward: Keyward, key: &str, told: &[&str]) -> String {
    let mut running = keyward.launch();
    // An attempt that is under way has no outcome yet.
    let is_told = |shown: String| told.iter().all(|part| shown.contains(part));
    running.until("saying why", |running| running.unready(key).is_some_and(is_told));
    assert_eq!(running.metric("keyward_ready"), Some(0.0));
    running.signal("TERM");
    assert!(running.wait().success());
    let last = last_line(&running);
    for part in ["stopped, and was not ready", key].iter().chain(told) {
        assert!(last.contains(part), "{part}: {last}");
    }
    last
}

#[test]
fn a_variable_that_is_missing_is_named_with_the_rule() {
    let keyward = keyward().with(HANDLERS, &rule("anonymous", "Bearer {{ env \"JIRA_TOKEN\" }}"));
    assert_told(keyward, "rules_loaded", &["no usable rule is loaded", "rule `jira`", "`JIRA_TOKEN`"]);
}

#[test]
fn a_source_of_secrets_that_is_missing_is_named_with_the_remedy() {
    let cloud = Cloud::start();
    cloud.aws_key("KEY", "key-secret", None);
    let sources = "secrets: {sources: [{aws_secrets_manager: {region: eu-central-1}, secrets: [{name: jira, id: prod/jira, hosts: [127.0.0.1]}]}]}\n";
    let keyward = keyward()
        .with(&format!("{HANDLERS}{sources}"), &rule("anonymous", "Bearer {{ secret \"jira\" }}"))
        .env("AWS_ACCESS_KEY_ID", "KEY")
        .env("AWS_SECRET_ACCESS_KEY", "key-secret")
        .env("AWS_ENDPOINT_URL", &cloud.url());
    assert_told(keyward, "secrets", &["not fetched yet: ", "`jira`", " ("]);
}

#[test]
fn a_key_set_that_cannot_be_had_is_named_with_the_remedy() {
    let closed = reserve();
    let config = HANDLERS.replace(":1/keys", &format!(":{}/keys", closed.number()));
    let location = format!("http://127.0.0.1:{}/keys", closed.number());
    let told = ["not fetched yet: ", &*location, "check the URL, that this machine reaches it"];
    assert_told(keyward().with(&config, &rule("jwt", "x")), "key_sets", &told);
}

#[test]
fn a_server_without_rules_says_where_they_are_named() {
    assert_told(keyward().with(HANDLERS, "[]"), "rules_loaded", &["`access_rules.repositories`"]);
}

#[test]
fn a_bucket_that_is_not_there_is_named_with_the_remedy() {
    for format in ["text", "json"] {
        let cloud = Cloud::start();
        cloud.aws_key("KEY", "key-secret", None);
        let body = "<Error><Code>NoSuchBucket</Code></Error>";
        for _ in 0..32 {
            cloud.fail(format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
        let keyward = keyward();
        let path = keyward.write(
            "config.yaml",
            &format!("{HANDLERS}log: {{format: {format}}}\naccess_rules: {{repositories: [\"s3://no-such-bucket/rules.yaml\"]}}\n"),
        );
        let keyward = keyward
            .config(path)
            .env("AWS_ACCESS_KEY_ID", "KEY")
            .env("AWS_SECRET_ACCESS_KEY", "key-secret")
            .env("AWS_ENDPOINT_URL", &cloud.url());
        let last = assert_told(keyward, "rules", &["s3://no-such-bucket/rules.yaml", "NoSuchBucket", "check the URL"]);
        assert_eq!(serde_json::from_str::<Value>(&last).is_ok(), format == "json", "{last}");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_in_the_last_line() {
    let (code, _, error) = keyward().with("serve: {proxy: {workers: many}}\n", "[]").run(&["serve"]);
    let last = error.trim_end().rsplit('\n').next().unwrap_or_default();
    assert_ne!(code, 0);
    assert!(last.contains("nothing was started: ") && last.contains("config.yaml:1:"), "{last}");
}

/// As the first process of a container does only if it looks at the signal.
#[test]
fn a_start_that_waits_for_a_source_ends_when_it_is_asked_to() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/rules.yaml", silent.local_addr().unwrap());
    let mut running = keyward().with(HANDLERS, "[]").env("ACCESS_RULES_REPOSITORIES", &url).launch();
    let _asked = silent.accept().unwrap();
    running.signal("TERM");
    assert!(running.wait().success(), "{}", running.log());
    assert!(last_line(&running).contains("stopped, before anything was served"), "{}", running.log());
}

#[test]
fn a_server_that_was_ready_ends_without_a_complaint() {
    let mut running = keyward().with(HANDLERS, &rule("anonymous", "x")).start();
    running.until("readiness", |running| running.api("/health/ready").unwrap().status() == 200);
    assert_eq!(running.metric("keyward_ready"), Some(1.0));
    running.signal("TERM");
    assert!(running.wait().success());
    let log = running.log();
    assert!(last_line(&running).contains("stopped"), "{log}");
    assert!(!["not ready", "could not be written"].iter().any(|complaint| log.contains(complaint)), "{log}");
}
