//! The founding document's own files, unchanged, served by the real binary in front of local TLS servers
//! that stand for Jira, Okta, Datadog and Salesforce.

#![allow(clippy::unwrap_used)]

mod production;

use std::path::Path;

use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_server::issuer::routes::now;
use keyward_server::issuer::token::{TokenRequest, sign};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};

const HOSTS: [&str; 5] = [
    "your-org.atlassian.net",
    "your-org.okta.com",
    "api.datadoghq.com",
    "your-instance.salesforce.com",
    "token.internal.example.com",
];
const SECRETS: [(&str, &str); 4] = [
    ("JIRA_BASIC_AUTH", "Y2k6dG9rZW4="),
    ("OKTA_API_TOKEN", "00AbCdEf"),
    ("DATADOG_API_KEY", "abc123def456"),
    ("SALESFORCE_ACCESS_TOKEN", "sf-token"),
];

fn example(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path).display().to_string()
}

/// An issuer's key: what it signs with and what it publishes.
struct Issuer {
    key: SigningKey,
    published: Value,
}

impl Issuer {
    fn new() -> Self {
        Self::with_key("v1")
    }

    fn with_key(id: &str) -> Self {
        let key = SigningKey::read(generate("RS256", id, 0).unwrap().to_string().as_bytes(), None, None).unwrap();
        let published = json!({"keys": [key.public_jwk().unwrap()]});
        Self { key, published }
    }

    fn token(&self, scope: &str) -> String {
        self.token_for("oathkeeper-proxy", scope)
    }

    fn token_for(&self, audience: &str, scope: &str) -> String {
        let request = TokenRequest {
            issuer: "http://token-issuer:8080".to_owned(),
            subject: "ci".to_owned(),
            audience: audience.to_owned(),
            scope: scope.to_owned(),
            ttl: 900,
        };
        sign(&self.key, &request, now()).unwrap()
    }

    /// As the document's own issuer writes it: without `kid`.
    fn token_without_kid(&self, scope: &str) -> String {
        let token = self.token(scope);
        let claims: Value = {
            use base64::Engine;
            let part = token.split('.').nth(1).unwrap();
            serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        self.key.sign_without_kid(&claims).unwrap()
    }
}

struct UseCases {
    running: Running,
    upstream: Recorder,
    issuer: Issuer,
}

impl UseCases {
    fn start() -> Self {
        let (authority, issuer) = (Authority::new(), Issuer::new());
        let upstream = Recorder::start_tls(true, authority.server(&HOSTS, &[]));
        upstream.script(vec![json!({"path": "/.well-known/jwks.json", "body": issuer.published})]);
        let resolve: Vec<String> = HOSTS.iter().map(|host| format!("{host}:443:127.0.0.1:{}", upstream.port)).collect();
        let mut keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"))
            .config(example("use-cases/oathkeeper.yaml"))
            .env("ACCESS_RULES_REPOSITORIES", &format!("file://{}", example("use-cases/rules.yaml")))
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve.join(","));
        let ca = keyward.write("ca.pem", &authority.certificate);
        keyward = keyward.env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string());
        for (name, value) in SECRETS {
            keyward = keyward.env(name, value);
        }
        let running = keyward.start();
        upstream.take();
        Self { running, upstream, issuer }
    }

    fn call(&self, method: &str, path: &str, token: Option<&str>) -> u16 {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Host", "oathkeeper:4455")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        self.running.request(method, path, &headers, "").status()
    }
}

/// (rule, method, path, scope, host, target at the upstream, headers the document states)
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const CASES: [Case; 4] = [
    (
        "jira-read-only",
        "GET",
        "/jira/rest/api/2/issue/DEMO-1?expand=names",
        "jira:read",
        "your-org.atlassian.net",
        "/rest/api/2/issue/DEMO-1?expand=names",
        &[("authorization", "Basic Y2k6dG9rZW4="), ("x-atlassian-token", "no-check")],
    ),
    (
        "okta-user-provisioning",
        "POST",
        "/okta/api/v1/users/00u1",
        "okta:users:write",
        "your-org.okta.com",
        "/api/v1/users/00u1",
        &[("authorization", "SSWS 00AbCdEf"), ("accept", "application/json"), ("content-type", "application/json")],
    ),
    (
        "datadog-metrics-ingest",
        "POST",
        "/datadog/api/v2/series",
        "datadog:metrics:write",
        "api.datadoghq.com",
        "/api/v2/series",
        &[("dd-api-key", "abc123def456")],
    ),
    (
        "salesforce-analytics-read",
        "GET",
        "/salesforce/services/data/v60.0/query",
        "salesforce:read",
        "your-instance.salesforce.com",
        "/services/data/v60.0/query",
        &[("authorization", "Bearer sf-token")],
    ),
];

/// One request came, to the right host and place, with exactly the headers that the document states.
fn assert_forwarded((rule, method, _, _, host, target, headers): &Case, seen: &[Value]) {
    assert_eq!(seen.len(), 1, "{rule}");
    assert_eq!((&seen[0]["method"], &seen[0]["target"]), (&(*method).into(), &(*target).into()), "{rule}");
    let mut expected: Vec<Value> = headers.iter().map(|(name, value)| json!([name, value])).collect();
    expected.push(json!(["host", host]));
    let mut found = seen[0]["headers"].as_array().unwrap().clone();
    for list in [&mut expected, &mut found] {
        list.retain(|line| line[0] != "content-length");
        list.sort_by_key(Value::to_string);
    }
    assert_eq!(found, expected, "{rule}: exactly these headers");
}

#[test]
fn the_four_use_cases_pass_with_the_stated_headers_and_deny_everything_else() {
    let cases = UseCases::start();
    let mut records = 0;
    for case in CASES {
        let (rule, method, path, scope, host, target, _) = case;
        for token in [cases.issuer.token(scope), cases.issuer.token_without_kid(scope)] {
            assert_eq!(cases.call(method, path, Some(&token)), 200, "{rule}\n{}", cases.running.log());
            assert_forwarded(&case, &cases.upstream.take());
        }
        let denied = [
            (401, method, path, Some(cases.issuer.token("other:scope")), "insufficient_scope", Some(rule)),
            (401, method, path, None, "credential_missing", Some(rule)),
            (404, "DELETE", path, Some(cases.issuer.token(scope)), "no_rule", None),
        ];
        for (status, method, path, token, reason, matched) in denied {
            assert_eq!(cases.call(method, path, token.as_deref()), status, "{rule}: {reason}");
            assert!(cases.upstream.take().is_empty(), "{rule}: {reason} reached the upstream");
            records += 1;
            // Cores write in batches, so the order is not that of the calls.
            let fits = |record: &&Value| {
                record["reason"] == reason
                    && record["outcome"] == "denied"
                    && record["path"] == path.split('?').next().unwrap()
                    && record["rule_id"] == matched.map_or(Value::Null, Value::from)
            };
            let all = cases.running.audit(records + 2);
            assert_eq!(all.iter().filter(fits).count(), 1, "{rule}: {reason}");
        }
        let all = cases.running.audit(records + 2);
        let place = format!("https://{host}{}", target.split('?').next().unwrap());
        let fits = |record: &&Value| {
            record["outcome"] == "allowed"
                && (&record["rule_id"], &record["subject"]) == (&rule.into(), &"ci".into())
                && (&record["status"], &record["upstream_url"]) == (&200.into(), &place.as_str().into())
        };
        assert_eq!(all.iter().filter(fits).count(), 2, "{rule}");
        records += 2;
    }
    let audit = std::fs::read_to_string(cases.running.path("audit.log")).unwrap();
    for (name, value) in SECRETS {
        assert!(!audit.contains(value) && !cases.running.log().contains(value), "the value of {name} is in a log");
        assert!(!cases.running.api("/rules").unwrap().text().contains(value));
    }
}

#[test]
fn the_proof_of_concept_serves_through_the_document_s_names() {
    let issuer = Issuer::new();
    let (echo, issuing) = (Recorder::start(true), Recorder::start(false));
    issuing.script(vec![json!({"path": "/.well-known/jwks.json", "body": issuer.published})]);
    let resolve = format!("echo-server:80:127.0.0.1:{},token-issuer:8080:127.0.0.1:{}", echo.port, issuing.port);
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward"))
        .config(example("poc/oathkeeper/oathkeeper.yaml"))
        .env("ACCESS_RULES_REPOSITORIES", &format!("file://{}", example("poc/oathkeeper/rules.yaml")))
        .env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve)
        .env("JIRA_BASIC_AUTH", "ci-service-account@example.com:ATATT3xFfGF0")
        .start();
    let bearer = format!("Bearer {}", issuer.token_without_kid("jira:read"));
    let host = ("Host", "oathkeeper:4455");
    let answer = running.get("/jira/rest/api/2/myself", &[host, ("Authorization", &bearer)]);
    assert_eq!(answer.status(), 200, "{}", running.log());
    let seen = echo.take();
    let headers = seen[0]["headers"].to_string();
    assert!(headers.contains("Basic ci-service-account@example.com:ATATT3xFfGF0") && !headers.contains("eyJ"));
    assert_eq!(seen[0]["target"], "/rest/api/2/myself");
    assert_eq!(running.get("/jira/rest/api/2/myself", &[host]).status(), 401);
    assert_eq!(running.api("/health/ready").unwrap().status(), 200);
}

/// A secret that is missing breaks the rules that name it; the others serve.
#[test]
fn a_missing_secret_breaks_its_rule_only() {
    let issuer = Issuer::new();
    let issuing = Recorder::start(false);
    issuing.script(vec![json!({"path": "/.well-known/jwks.json", "body": issuer.published})]);
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward"))
        .config(example("poc/oathkeeper/oathkeeper.yaml"))
        .env("ACCESS_RULES_REPOSITORIES", &format!("file://{}", example("poc/oathkeeper/rules.yaml")))
        .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("token-issuer:8080:127.0.0.1:{}", issuing.port))
        .start();
    let bearer = format!("Bearer {}", issuer.token("jira:read"));
    let answer = running.get("/jira/x", &[("Host", "oathkeeper:4455"), ("Authorization", &bearer)]);
    assert_eq!(answer.status(), 500);
    assert!(running.log().contains("JIRA_BASIC_AUTH"), "the log names the variable: {}", running.log());
    assert_eq!(running.audit(1)[0]["reason"], "rule_broken");
}
