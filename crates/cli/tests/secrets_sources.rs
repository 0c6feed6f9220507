//! AWS Secrets Manager and Vault in the configuration: the examples of `docs/secrets-sources.md`, values that change
//! and places that go down under requests, and what is wrong with settings.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use keyward_testkit::clouds::{Cloud, Entry};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Keyward;
use keyward_testkit::vault::{Vault, Version};
use serde_json::{Value, json};

const FIRST: &str = "11111111-1111-1111-1111-111111111111";
const SECOND: &str = "22222222-2222-2222-2222-222222222222";

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                        mutators: {header: {enabled: true}}\n";

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

/// The text of the fenced block of the page with this name.
fn block(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/secrets-sources.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, after) = page.split_once(&format!("```{name}\n")).unwrap_or_else(|| panic!("no block `{name}`"));
    after.split_once("```").unwrap().0.to_owned()
}

/// Names and versions that `keyward secrets check` finds.
fn versions(keyward: &Keyward) -> Vec<(String, String)> {
    let (code, out, error) = keyward.run(&["secrets", "check", "--format", "json"]);
    assert_eq!(code, 0, "{out}{error}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    answer["secrets"].as_array().unwrap().iter().map(|row| (text(row, "name"), text(row, "version"))).collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
}

/// A double of AWS with an identity that may do what the page's policy says.
fn aws() -> Cloud {
    let policy: Value = serde_json::from_str(&block("json policy")).unwrap();
    let allowed: Vec<&str> =
        policy["Statement"].as_array().unwrap().iter().map(|one| one["Action"].as_str().unwrap()).collect();
    let cloud = Cloud::start();
    cloud.aws_key("PLAINKEY", "plain-secret", None);
    for operation in ["BatchGetSecretValue", "GetSecretValue", "GetObject"] {
        if !allowed.contains(&&*format!("secretsmanager:{operation}")) {
            cloud.forbid("PLAINKEY", operation);
        }
    }
    cloud
}

fn with_aws(keyward: Keyward, cloud: &Cloud) -> Keyward {
    let keyward = keyward.env("AWS_ACCESS_KEY_ID", "PLAINKEY").env("AWS_SECRET_ACCESS_KEY", "plain-secret");
    keyward.env("AWS_ENDPOINT_URL", &cloud.url())
}

#[test]
fn the_pages_example_of_aws_finds_its_secrets() {
    let cloud = aws();
    cloud.secret(Entry::text("prod/keyward", FIRST, "{\"OKTA_TOKEN\": \"okta-value\"}"));
    cloud.secret(Entry::text("prod/jira", FIRST, "older-value").labelled("AWSPREVIOUS"));
    cloud.secret(Entry::text("prod/jira", SECOND, "jira-value"));
    let keyward = with_aws(keyward(), &cloud).with(&format!("{HANDLERS}{}", block("yaml aws")), "[]");
    assert_eq!(versions(&keyward), pairs(&[("jira", SECOND), ("jira-before", FIRST), ("okta", FIRST)]));
}

#[test]
fn the_pages_example_of_vault_finds_its_secrets() {
    let vault = Vault::start();
    let held = [json!({"okta_token": "older-value"}), json!({"okta_token": "okta-value"})];
    vault.state().secrets.insert("secret/prod/keyward".to_owned(), held.map(Version::There).into());
    vault.state().logins = vec![("kubernetes/login".to_owned(), json!({"role": "keyward", "jwt": "pod-token"}), 3600)];
    let keyward = keyward();
    let token = keyward.write("token", "pod-token").display().to_string();
    let config = block("yaml vault").replace("https://vault.example.com:8200", &vault.url());
    // Where Kubernetes mounts it there is nothing here.
    let config = config.replace("{role: keyward}", &format!("{{role: keyward, token_file: \"{token}\"}}"));
    let keyward = keyward.with(&format!("{HANDLERS}{config}"), "[]");
    assert_eq!(versions(&keyward), pairs(&[("okta", "2"), ("okta-before", "1")]));
    assert_eq!(block("hcl").lines().next().unwrap(), "path \"secret/data/prod/keyward\" {");
}

/// A place that changes a value, and goes down.
struct Changing<'a> {
    source: String,
    change: &'a dyn Fn(),
    go_down: &'a dyn Fn(),
    come_back: &'a dyn Fn(),
    /// What the log says while it is down.
    said: &'a str,
    versions: [&'a str; 2],
}

#[test]
fn a_value_that_changes_is_used_and_one_whose_place_is_down_stays() {
    let cloud = aws();
    cloud.secret(Entry::text("token", FIRST, "first-value"));
    let vault = Vault::start();
    let hold = |value: &str| {
        let mut state = vault.state();
        state.secrets.entry("secret/app".to_owned()).or_default().push(Version::There(json!({"token": value})));
    };
    hold("first-value");
    vault.state().tokens.insert("hvs.given".to_owned(), 0);
    let vault_source = format!(
        "{{vault: {{address: \"{}\", auth: {{token_env: VAULT_TOKEN}}}}, secrets: [{{name: token, id: app, field: token}}]}}",
        vault.url()
    );
    let rows = [
        Changing {
            source: "{aws_secrets_manager: {region: eu-central-1}, secrets: [{name: token, id: token}]}".to_owned(),
            change: &|| cloud.secret(Entry::text("token", SECOND, "second-value")),
            go_down: &|| cloud.secret(Entry::text("token", SECOND, "").error("InternalServiceError")),
            come_back: &|| cloud.secret(Entry::text("token", SECOND, "second-value")),
            said: "answered 400 InternalServiceError",
            versions: [FIRST, SECOND],
        },
        Changing {
            source: vault_source,
            change: &|| hold("second-value"),
            go_down: &|| vault.state().is_sealed = true,
            come_back: &|| vault.state().is_sealed = false,
            said: "unseal it",
            versions: ["1", "2"],
        },
    ];
    for Changing { source, change, go_down, come_back, said, versions } in rows {
        let recorder = Recorder::start(true);
        let rule = format!(
            "- id: r\n  match: {{url: \"http://<[^/]*>/a\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: header, config: {{headers: {{Authorization: 'Bearer \
             {{{{ secret \"token\" }}}}'}}}}}}]\n  upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
            recorder.port
        );
        let config = format!("{HANDLERS}secrets: {{refresh_interval: 1s, sources: [{source}]}}\n");
        let running = with_aws(keyward(), &cloud).env("VAULT_TOKEN", "hvs.given").with(&config, &rule).start();
        assert_eq!(running.get("/a", &[]).status(), 200, "{source}: {}", running.log());
        assert_eq!(recorder.take_header("authorization"), ["Bearer first-value"], "{source}");
        change();
        running.until("the change", |running| {
            assert_eq!(running.get("/a", &[]).status(), 200, "{source}");
            let received = recorder.take_header("authorization");
            assert!(received == ["Bearer first-value"] || received == ["Bearer second-value"], "{received:?}");
            received == ["Bearer second-value"]
        });
        go_down();
        running.until("the failure", |running| running.log().contains(said));
        assert_eq!(running.get("/a", &[]).status(), 200, "{source}");
        assert_eq!(recorder.take_header("authorization"), ["Bearer second-value"], "{source}");
        come_back();
        let audit = std::fs::read_to_string(running.path("audit.log")).unwrap();
        for version in versions {
            assert!(audit.contains(&format!("\"credential\":\"token@{version}\"")), "{audit}");
        }
        let shown = format!("{audit}{}", running.log());
        assert!(!shown.contains("-value") && !shown.contains("hvs.given"), "{shown}");
    }
}

#[test]
fn what_is_wrong_with_a_source_is_said_with_its_place() {
    let aws = |settings: &str, secret: &str| format!("aws_secrets_manager: {settings}, secrets: [{secret}]");
    let vault = |settings: &str, secret: &str| format!("vault: {settings}, secrets: [{secret}]");
    let good = "{address: \"http://v\", auth: {token_file: /t}}";
    let (plain, read) = ("{name: a, id: b}", "{name: a, id: b, field: c}");
    let rows = [
        ("aws_secrets_manager: {}".to_owned(), "1:43", "of `aws_secrets_manager` nothing is wanted"),
        (aws("{regoin: x}", plain), "1:44", "did you mean `region`?"),
        (aws("{region: \"\"}", plain), "1:52", "`region`: it is empty"),
        (aws("{region: EU}", plain), "1:52", "`region`: it is no region of AWS"),
        (aws("{endpoint: \"ftp://x\"}", plain), "1:54", "`endpoint`: the endpoint is no `http` or `https` URL"),
        (aws("{endpoint: \"http://a:b@x\"}", plain), "1:54", "must not hold credentials"),
        (
            aws("{region: eu-west-1}", "{name: a, id: \"arn:aws:secretsmanager:eu-central-1:1:secret:b-abcdef\"}"),
            "1:74",
            "the secret is in `eu-central-1`, and `region` is `eu-west-1`",
        ),
        (
            aws("{}", &format!("{{name: a, id: {}}}", "x".repeat(2049))),
            "1:57",
            "`id` is longer than the 2048 characters",
        ),
        (aws("{}", &format!("{{name: a, id: b, version: {}}}", "x".repeat(257))), "1:57", "`version` is longer than"),
        (vault("{}", read), "1:29", "`address`: it is missing"),
        (vault("{address: v}", read), "1:39", "write one such as `https://vault.example.com:8200`"),
        (vault("{address: \"http://a:b@v\"}", read), "1:39", "must not hold credentials"),
        (vault("{address: \"http://v?a\"}", read), "1:39", "must not hold credentials, a query or a fragment"),
        (vault("{address: \"http://v\"}", read), "1:29", "nothing says how to get a token"),
        (
            vault("{address: \"http://v\", auth: {}}", read),
            "1:57",
            "write one of `token_file`, `token_env`, `kubernetes`",
        ),
        (vault("{address: \"http://v\", auth: {token: x}}", read), "1:58", "`token`"),
        (vault("{address: \"http://v\", auth: {token_file: a, token_env: b}}", read), "1:57", "there are several ways"),
        (vault("{address: \"http://v\", auth: {token_file: \"\"}}", read), "1:70", "`auth.token_file`: it is empty"),
        (
            vault("{address: \"http://v\", auth: {kubernetes: {}}}", read),
            "1:70",
            "`auth.kubernetes.role`: it is missing",
        ),
        (
            vault("{address: \"http://v\", auth: {approle: {role_id: a}}}", read),
            "1:67",
            "`auth.approle.secret_id_file`: it is",
        ),
        (vault("{address: \"http://v\", mount: a//b, auth: {token_file: /t}}", read), "1:58", "`mount`: it is no path"),
        (
            vault("{address: \"http://v\", namespace: .., auth: {token_file: /t}}", read),
            "1:62",
            "no path of a namespace",
        ),
        (vault(good, plain), "1:86", "the secret has no `field`"),
        (vault(good, "{name: a, id: a/../b, field: c}"), "1:86", "`id` is no path"),
        (vault(good, "{name: a, id: /b, field: c}"), "1:86", "`id` is no path"),
        (vault(good, "{name: a, id: b, field: c, version: new}"), "1:86", "`version` is no number of a version"),
        (vault(good, "{name: a, id: b, field: c, version: \"0\"}"), "1:86", "versions are counted from \"1\""),
    ];
    for (written, place, message) in rows {
        let config = format!("secrets: {{sources: [{{{written}}}]}}\n");
        let (code, _, error) = keyward().with(&config, "[]").run(&["config", "check"]);
        assert_eq!(code, 1, "{written}: {error}");
        assert!(error.contains(&format!("config.yaml:{place}")) && error.contains(message), "{written}: {error}");
    }
}
