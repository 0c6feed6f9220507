//! AWS Secrets Manager and Vault in the configuration: the examples of `docs/secrets-sources.md`, values that change
//! and places that go down under requests, and what is wrong with settings. What is said of Vault holds for the double
//! of the testkit, and for a running one where `KEYWARD_VAULT_ADDR` names it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use keyward_testkit::clouds::{Cloud, Entry};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::vault::{self, MOUNT, Server};
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
    for (number, server) in vault::servers().enumerate() {
        server.put("prod/keyward", &json!({"okta_token": "older-value"}));
        server.put("prod/keyward", &json!({"okta_token": "okta-value"}));
        server.logins(3600, true);
        let keyward = keyward();
        let token = keyward.write("token", &vault::account_token()).display().to_string();
        let config = block("yaml vault").replace("https://vault.example.com:8200", &server.url());
        // Where Kubernetes mounts it there is nothing here.
        let mut role = format!("{{role: keyward, token_file: \"{token}\"}}");
        let mut mount = String::new();
        // The double's engine and method are where they usually are, too.
        if number > 0 {
            role = role.replace('}', &format!(", mount: {}}}", vault::KUBERNETES));
            mount = format!("mount: {MOUNT}\n        ");
        }
        let config = config.replace("{role: keyward}", &role).replace("auth:", &format!("{mount}auth:"));
        let keyward = keyward.with(&format!("{HANDLERS}{config}"), "[]");
        assert_eq!(versions(&keyward), pairs(&[("okta", "2"), ("okta-before", "1")]));
    }
    assert_eq!(block("hcl").lines().next().unwrap(), "path \"secret/data/prod/keyward\" {");
}

/// A source that holds the secret `app` of a Vault under the name `token`.
fn app(address: &str, auth: &str) -> String {
    let place = format!("{{address: \"{address}\", mount: {MOUNT}, auth: {auth}}}");
    format!("{{vault: {place}, secrets: [{{name: token, id: app, field: token}}]}}")
}

/// A rule that sends the secret `token`.
fn sending_rule(upstream: u16) -> String {
    format!(
        "- id: r\n  match: {{url: \"http://<[^/]*>/a\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: header, config: {{headers: {{Authorization: 'Bearer \
         {{{{ secret \"token\" }}}}'}}}}}}]\n  upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    )
}

fn refreshed(source: &str) -> String {
    format!("{HANDLERS}secrets: {{refresh_interval: 1s, sources: [{source}]}}\n")
}

/// A place that changes a value, and goes down.
struct Changing<'a> {
    source: String,
    change: &'a dyn Fn(),
    /// Whether it can.
    go_down: &'a dyn Fn() -> bool,
    come_back: &'a dyn Fn(),
    /// What the log says while it is down.
    said: &'a str,
    versions: [&'a str; 2],
}

fn is_used_and_stays(keyward: Keyward, place: Changing<'_>) {
    let Changing { source, change, go_down, come_back, said, versions } = place;
    let recorder = Recorder::start(true);
    let running = keyward.with(&refreshed(&source), &sending_rule(recorder.port)).start();
    assert_eq!(running.get("/a", &[]).status(), 200, "{source}: {}", running.log());
    assert_eq!(recorder.take_header("authorization"), ["Bearer first-value"], "{source}");
    change();
    running.until("the change", |running| {
        assert_eq!(running.get("/a", &[]).status(), 200, "{source}");
        let received = recorder.take_header("authorization");
        assert!(received == ["Bearer first-value"] || received == ["Bearer second-value"], "{received:?}");
        received == ["Bearer second-value"]
    });
    if go_down() {
        running.until("the failure", |running| running.log().contains(said));
        assert_eq!(running.get("/a", &[]).status(), 200, "{source}");
        assert_eq!(recorder.take_header("authorization"), ["Bearer second-value"], "{source}");
        come_back();
    }
    let audit = std::fs::read_to_string(running.path("audit.log")).unwrap();
    for version in versions {
        assert!(audit.contains(&format!("\"credential\":\"token@{version}\"")), "{audit}");
    }
    let shown = format!("{audit}{}", running.log());
    assert!(!shown.contains("-value") && !shown.contains("given-to-keyward"), "{shown}");
}

#[test]
fn a_value_in_aws_that_changes_is_used_and_stays_while_aws_is_down() {
    let cloud = aws();
    cloud.secret(Entry::text("token", FIRST, "first-value"));
    let place = Changing {
        source: "{aws_secrets_manager: {region: eu-central-1}, secrets: [{name: token, id: token}]}".to_owned(),
        change: &|| cloud.secret(Entry::text("token", SECOND, "second-value")),
        go_down: &|| {
            cloud.secret(Entry::text("token", SECOND, "").error("InternalServiceError"));
            true
        },
        come_back: &|| cloud.secret(Entry::text("token", SECOND, "second-value")),
        said: "answered 400 InternalServiceError",
        versions: [FIRST, SECOND],
    };
    is_used_and_stays(with_aws(keyward(), &cloud), place);
}

#[test]
fn a_value_in_vault_that_changes_is_used_and_stays_while_vault_is_sealed() {
    for server in vault::servers() {
        server.put("app", &json!({"token": "first-value"}));
        server.token("given-to-keyward", 3600);
        let place = Changing {
            source: app(&server.url(), "{token_env: VAULT_TOKEN}"),
            change: &|| server.put("app", &json!({"token": "second-value"})),
            go_down: &|| server.seal(),
            come_back: &|| server.unseal(),
            said: "unseal it",
            versions: ["1", "2"],
        };
        is_used_and_stays(keyward().env("VAULT_TOKEN", "given-to-keyward"), place);
    }
}

/// Neither a token that is renewed, nor one that was revoked, makes a request fail.
#[test]
fn tokens_of_vault_that_end_are_renewed_or_replaced_under_requests() {
    for server in vault::servers() {
        server.put("app", &json!({"token": "first-value"}));
        server.logins(3, true);
        let recorder = Recorder::start(true);
        let keyward = keyward();
        let secret_id = keyward.write("secret-id", vault::SECRET_ID).display().to_string();
        let role = format!("role_id: {}, secret_id_file: \"{secret_id}\", mount: {}", vault::ROLE_ID, vault::APPROLE);
        let source = app(&server.front().url(), &format!("{{approle: {{{role}}}}}"));
        let running = keyward.with(&refreshed(&source), &sending_rule(recorder.port)).start();
        for (what, asked) in [("a renewal", "POST auth/token/renew-self"), ("another", "POST auth/token/renew-self")] {
            until_asked(&running, &*server, what, asked);
        }
        server.revoke_all();
        until_asked(&running, &*server, "a login", "POST auth/keyward-test-approle/login");
        server.put("app", &json!({"token": "second-value"}));
        running.until("the change", |running| {
            assert_eq!(running.get("/a", &[]).status(), 200, "{}", running.log());
            recorder.take_header("authorization") == ["Bearer second-value"]
        });
        assert!(!running.log().contains("WARN") && !running.log().contains("ERROR"), "{}", running.log());
    }
}

/// Sends requests, which must succeed, until the server has been asked for this.
fn until_asked(running: &Running, server: &dyn Server, what: &str, asked: &str) {
    server.front().take_asked();
    running.until(what, |running| {
        assert_eq!(running.get("/a", &[]).status(), 200, "{}", running.log());
        server.front().take_asked().iter().any(|request| request == asked)
    });
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
