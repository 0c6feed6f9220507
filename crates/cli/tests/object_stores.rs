//! Rules and key sets in object stores: every identity that a process can have there, conditional fetches, and
//! what is said when a store refuses. Serving spec 6.1 and 6.5, pipeline spec 3.2 ([T]).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyward_testkit::clouds::Cloud;
use keyward_testkit::process::{Keyward, Running};

const BINARY: &str = env!("CARGO_BIN_EXE_keyward");

const RULES: &str = "- id: a\n  match: {url: \"http://<[^/]*>/a\", methods: [GET]}\n  authenticators: [{handler: anonymous}]\n  \
                     authorizer: {handler: deny}\n  mutators: [{handler: noop}]\n";

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}, deny: {enabled: true}}\n\
                        mutators: {noop: {enabled: true}}\n";

const STS: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                   <SessionToken>session</SessionToken><SecretAccessKey>sts-secret</SecretAccessKey>\
                   <Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>STSKEY</AccessKeyId></Credentials>\
                   </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";

const ROLE: &str = "{\"AccessKeyId\":\"ROLEKEY\",\"SecretAccessKey\":\"role-secret\",\"Token\":\"session\",\
                    \"Expiration\":\"2099-01-01T00:00:00Z\"}";

const AZURE_KEY: &str = "c2VjcmV0IG9mIGFuIGFjY291bnQ=";

/// Key material that scenarios share.
fn conformance(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance").join(name)
}

/// A server with rules at a URL. `CLOUD` in values stands for the double's URL, `DIR` for the server's directory.
fn keyward(cloud: &Cloud, url: &str, environment: &[(&str, &str)], files: &[(&str, &str)]) -> Keyward {
    let mut keyward = Keyward::new(BINARY);
    for (name, content) in files {
        keyward.write(name, content);
    }
    let directory = keyward.path("").display().to_string();
    let filled = |text: &str| text.replace("CLOUD", &cloud.url()).replace("DIR", directory.trim_end_matches('/'));
    let repositories = format!("access_rules: {{repositories: [\"{}\"], refresh_interval: 1s}}\n", filled(url));
    let path = keyward.write("config.yaml", &format!("{HANDLERS}{repositories}"));
    for (name, value) in environment {
        keyward = keyward.env(name, &filled(value));
    }
    keyward.config(path)
}

fn fetches(running: &Running, outcome: &str) -> f64 {
    running.metric(&format!("keyward_repository_fetches_total{{outcome=\"{outcome}\"}}")).unwrap_or(0.0)
}

/// [T] of serving spec 6.5.
#[test]
fn every_identity_reaches_its_objects() {
    let cloud = Cloud::start();
    for path in ["/bucket/path/rules.yaml", "/account/bucket/path/rules.yaml"] {
        cloud.put(path, RULES);
    }
    cloud.aws_key("PLAINKEY", "plain-secret", None);
    cloud.aws_key("STSKEY", "sts-secret", Some("session"));
    cloud.aws_key("ROLEKEY", "role-secret", Some("session"));
    cloud.bearer("google-token");
    cloud.account("account", AZURE_KEY);
    cloud.shared_access("c2lnbmF0dXJl");
    cloud.say("POST", "/", "WebIdentityToken=pod-token", STS);
    cloud.say("GET", "/pod-identity", "authorization: pod-token", ROLE);
    cloud.say("PUT", "/latest/api/token", "", "instance-token");
    let iam = "/latest/meta-data/iam/security-credentials/";
    cloud.say("GET", iam, "x-aws-ec2-metadata-token: instance-token", "my-role");
    cloud.say("GET", &format!("{iam}my-role"), "x-aws-ec2-metadata-token: instance-token", ROLE);
    let google = "/computeMetadata/v1/instance/service-accounts/default/token";
    let token = "{\"access_token\":\"google-token\",\"expires_in\":3600,\"token_type\":\"Bearer\"}";
    cloud.say("GET", google, "metadata-flavor: Google", token);

    let s3 = "s3://bucket/path/rules.yaml";
    let with_endpoint = "s3://bucket/path/rules.yaml?region=eu-central-1&endpoint=CLOUD";
    let profile = "[other]\naws_access_key_id = WRONG\n[mine]\naws_access_key_id = PLAINKEY\naws_secret_access_key = plain-secret\n";
    let metadata = format!("127.0.0.1:{}", cloud.port);
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);
    let rows: &[Row<'_>] = &[
        (
            "keys in the environment",
            s3,
            &[
                ("AWS_ACCESS_KEY_ID", "PLAINKEY"),
                ("AWS_SECRET_ACCESS_KEY", "plain-secret"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ENDPOINT_URL_S3", "CLOUD"),
            ],
            &[],
        ),
        (
            "a session in the environment",
            s3,
            &[
                ("AWS_ACCESS_KEY_ID", "ROLEKEY"),
                ("AWS_SECRET_ACCESS_KEY", "role-secret"),
                ("AWS_SESSION_TOKEN", "session"),
                ("AWS_ENDPOINT_URL", "CLOUD"),
            ],
            &[],
        ),
        (
            "a profile that the URL names",
            "s3://bucket/path/rules.yaml?profile=mine&endpoint=CLOUD",
            &[("AWS_SHARED_CREDENTIALS_FILE", "DIR/credentials"), ("AWS_ACCESS_KEY_ID", "WRONG")],
            &[("credentials", profile)],
        ),
        (
            "a profile that the environment names",
            with_endpoint,
            &[("AWS_SHARED_CREDENTIALS_FILE", "DIR/credentials"), ("AWS_PROFILE", "mine")],
            &[("credentials", profile)],
        ),
        (
            "web identity, as of a Kubernetes service account",
            with_endpoint,
            &[
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "DIR/token"),
                ("AWS_ROLE_ARN", "arn:aws:iam::1:role/keyward"),
                ("AWS_ENDPOINT_URL_STS", "CLOUD"),
            ],
            &[("token", "pod-token")],
        ),
        (
            "pod identity",
            with_endpoint,
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "CLOUD/pod-identity"),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "DIR/token"),
            ],
            &[("token", "pod-token")],
        ),
        ("the instance's role", with_endpoint, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "CLOUD")], &[]),
        ("Google's instance", "gs://bucket/path/rules.yaml?endpoint=CLOUD", &[("GCE_METADATA_HOST", &metadata)], &[]),
        (
            "Azure's account key",
            "azblob://bucket/path/rules.yaml",
            &[
                ("AZURE_STORAGE_ACCOUNT", "account"),
                ("AZURE_STORAGE_KEY", AZURE_KEY),
                ("AZURE_STORAGE_DOMAIN", "CLOUD"),
            ],
            &[],
        ),
        (
            "Azure's shared access signature",
            "azblob://bucket/path/rules.yaml",
            &[
                ("AZURE_STORAGE_ACCOUNT", "account"),
                ("AZURE_STORAGE_SAS_TOKEN", "sv=2024-01-01&sp=r&sig=c2lnbmF0dXJl"),
                ("AZURE_STORAGE_DOMAIN", "CLOUD"),
            ],
            &[],
        ),
    ];
    for (who, url, environment, files) in rows {
        let running = keyward(&cloud, url, environment, files).start();
        assert_eq!(running.get("/a", &[]).status(), 403, "{who}: {}", running.log());
        running.until(who, |running| fetches(running, "unchanged") >= 1.0);
        let last = cloud.asked().pop().unwrap();
        assert!(last.header("if-none-match").is_some(), "{who}: {last:?}");
        for secret in ["plain-secret", "role-secret", "sts-secret", "session", "pod-token", "google-token", AZURE_KEY] {
            assert!(!running.log().contains(secret), "{who}: {}", running.log());
        }
    }
}

#[test]
fn a_changed_object_takes_effect_and_nothing_worse_does() {
    let cloud = Cloud::start();
    cloud.aws_key("PLAINKEY", "plain-secret", None);
    cloud.put("/bucket/rules.yaml", RULES);
    let environment = [("AWS_ACCESS_KEY_ID", "PLAINKEY"), ("AWS_SECRET_ACCESS_KEY", "plain-secret")];
    let running = keyward(&cloud, "s3://bucket/rules.yaml?endpoint=CLOUD", &environment, &[]).start();
    cloud.put("/bucket/rules.yaml", RULES.replace("/a\"", "/b\""));
    running.until("the change", |running| running.get("/b", &[]).status() == 403);
    let object = |headers: &str, length: usize, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nLast-Modified: Tue, 24 Nov 2026 10:00:00 GMT\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let error = |status: &str, code: &str| {
        let body = format!("<Error><Code>{code}</Code></Error>");
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let faults = [
        (object("", 0, ""), "refused", "the document is empty"),
        (object("", 13, "- just a text"), "refused", "expected a map, found a string"),
        (object("", 8, "- id: [\n"), "refused", "not valid YAML or JSON"),
        (object("", 99, "- id: a"), "failed", "the last good ones stay in force"),
        (object("Content-Encoding: gzip\r\n", 2, "zz"), "failed", "the object is compressed"),
        (object("", 99_000_000, "- id: a"), "failed", "the answer is larger than"),
        (
            error("403 Forbidden", "AccessDenied"),
            "failed",
            "answered 403 AccessDenied; what it needs is `s3:GetObject` on `arn:aws:s3:::bucket/rules.yaml`",
        ),
        (
            error("404 Not Found", "NoSuchBucket"),
            "failed",
            "answered 404 NoSuchBucket; bucket or object do not exist there",
        ),
        (error("301 Moved Permanently", "PermanentRedirect"), "failed", "name the region or the endpoint"),
        (error("503 Slow Down", "SlowDown"), "failed", "answered 503 SlowDown"),
        ("nonsense\r\n\r\n".to_owned(), "failed", "the last good ones stay in force"),
    ];
    for (answer, outcome, said) in faults {
        // After a good answer the next attempt comes at its usual time again.
        let unchanged = fetches(&running, "unchanged");
        running.until("a good answer", |running| fetches(running, "unchanged") > unchanged);
        let before = fetches(&running, outcome);
        cloud.fail(answer);
        running.until(said, |running| fetches(running, outcome) > before);
        running.until(said, |running| running.log().contains(said));
        assert_eq!(running.get("/b", &[]).status(), 403, "{said}");
    }
}

/// Both limits hold for what a store really does, not only for what it says.
#[test]
fn objects_that_drip_are_given_up_and_a_store_is_left_alone_as_long_as_it_asks() {
    let cloud = Cloud::start();
    cloud.aws_key("PLAINKEY", "plain-secret", None);
    cloud.put("/bucket/rules.yaml", RULES);
    let environment = [
        ("AWS_ACCESS_KEY_ID", "PLAINKEY"),
        ("AWS_SECRET_ACCESS_KEY", "plain-secret"),
        ("ACCESS_RULES_FETCH_TIMEOUT", "1s"),
        ("ACCESS_RULES_MAX_DOCUMENT_BYTES", "1000"),
    ];
    let running = keyward(&cloud, "s3://bucket/rules.yaml?endpoint=CLOUD", &environment, &[]).start();
    cloud.drip(format!("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{}", " ".repeat(4000)));
    running.until("giving up", |running| running.log().contains("no complete answer within 1000 ms"));
    cloud.put("/bucket/rules.yaml", "#".repeat(1001));
    running.until("refusing it", |running| running.log().contains("the answer is larger than 1000 bytes"));
    cloud.put("/bucket/rules.yaml", RULES.replace("/a\"", "/b\""));
    running.until("recovery", |running| running.get("/b", &[]).status() == 403);
    let failed = fetches(&running, "failed");
    cloud.fail("HTTP/1.1 503 Slow Down\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
    running.until("the failure", |running| fetches(running, "failed") > failed);
    let asked = (cloud.asked().len(), Instant::now());
    running.until("asking again", |_| cloud.asked().len() > asked.0);
    assert!(asked.1.elapsed() >= Duration::from_secs(4), "{:?}", asked.1.elapsed());
}

/// [T] of pipeline spec 3.2.
#[test]
fn a_key_set_in_a_store_checks_tokens() {
    let cloud = Cloud::start();
    cloud.aws_key("PLAINKEY", "plain-secret", None);
    cloud.put("/bucket/path/prefix/jwks.json", fs::read(conformance("keys/jwks.json")).unwrap());
    let config = format!(
        "access_rules: {{repositories: [\"file://DIR/rules.yaml\"]}}\nauthenticators:\n  jwt: {{enabled: true, config: \
         {{jwks_urls: [\"s3://bucket/path/prefix/jwks.json?endpoint={}\"]}}}}\nauthorizers: {{deny: {{enabled: true}}}}\n\
         mutators: {{noop: {{enabled: true}}}}\n",
        cloud.url()
    );
    let rules = RULES.replace("anonymous", "jwt");
    let keyward = Keyward::new(BINARY);
    let path = keyward.write("rules.yaml", &rules);
    let config = config.replace("DIR/rules.yaml", &path.display().to_string());
    let path = keyward.write("config.yaml", &config);
    let running =
        keyward.config(path).env("AWS_ACCESS_KEY_ID", "PLAINKEY").env("AWS_SECRET_ACCESS_KEY", "plain-secret").start();
    let tokens: serde_json::Value = serde_json::from_slice(&fs::read(conformance("tokens.json")).unwrap()).unwrap();
    let token = format!("Bearer {}", tokens["valid"].as_str().unwrap());
    assert_eq!(running.get("/a", &[("Authorization", &token)]).status(), 403, "{}", running.log());
    assert_eq!(running.get("/a", &[("Authorization", &format!("{token}x"))]).status(), 401);
}

#[test]
fn urls_that_cannot_work_are_refused_with_their_place() {
    let rows = [
        ("s3://bucket", "it names no object: write `s3://bucket/KEY`"),
        ("s3://bucket/key?regoin=x", "`regoin` is not an option of `s3://`"),
        ("azblob://a@b/key", "write `azblob://BUCKET/KEY`"),
    ];
    for (url, problem) in rows {
        let keyward = Keyward::new(BINARY);
        let path = keyward.write("config.yaml", &format!("access_rules: {{repositories: [\"{url}\"]}}\n"));
        let (code, _, error) = keyward.run(&["config", "check", "-c", path.to_str().unwrap()]);
        assert_eq!(code, 1, "{url}: {error}");
        assert!(error.contains(problem) && error.contains("config.yaml:1:"), "{url}: {error}");
    }
}
