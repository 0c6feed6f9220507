//! Secrets and rules in AWS, the same cases against two servers: the double of the testkit, and Moto, which others
//! wrote, where it is installed.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write;

use keyward_testkit::clouds::{Cloud, Entry};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::moto::Moto;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};

const FIRST: &str = "11111111-1111-1111-1111-111111111111";
const SECOND: &str = "22222222-2222-2222-2222-222222222222";

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}, deny: \
                        {enabled: true}}\nmutators: {header: {enabled: true}, noop: {enabled: true}}\n";

/// A server that plays AWS.
trait Aws {
    fn url(&self) -> String;
    /// Makes a text the current version of a secret.
    fn secret(&self, name: &str, version: &str, text: &str);
    fn bytes(&self, name: &str);
    /// Marks a secret for deletion.
    fn delete(&self, name: &str);
    fn object(&self, path: &str, text: &str);
    /// An access key that may use these operations, with its secret.
    fn identity(&self, name: &str, actions: &[&str]) -> (String, String);
    /// Makes a role known that hands out sessions for a token. The URL of STS.
    fn trust(&self, token: &str) -> String;
}

impl Aws for Cloud {
    fn url(&self) -> String {
        Cloud::url(self)
    }

    fn secret(&self, name: &str, version: &str, text: &str) {
        Cloud::secret(self, Entry::text(name, version, text));
    }

    fn bytes(&self, name: &str) {
        Cloud::secret(self, Entry::text(name, FIRST, "").bytes());
    }

    fn delete(&self, name: &str) {
        Cloud::secret(self, Entry::text(name, FIRST, "").error("InvalidRequestException"));
    }

    fn object(&self, path: &str, text: &str) {
        self.put(path, text);
    }

    fn identity(&self, name: &str, actions: &[&str]) -> (String, String) {
        let secret = format!("secret-of-{name}");
        self.aws_key(name, &secret, None);
        for action in ["secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "s3:GetObject"] {
            if !actions.contains(&action) {
                self.forbid(name, action.split(':').next_back().unwrap());
            }
        }
        (name.to_owned(), secret)
    }

    fn trust(&self, token: &str) -> String {
        let credentials = "<SessionToken>session</SessionToken><SecretAccessKey>secret-of-sts</SecretAccessKey>\
                           <Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>STSKEY</AccessKeyId>";
        let name = "AssumeRoleWithWebIdentity";
        let answer = format!(
            "<{name}Response><{name}Result><Credentials>{credentials}</Credentials></{name}Result></{name}Response>"
        );
        self.aws_key("STSKEY", "secret-of-sts", Some("session"));
        self.say("POST", "/", &format!("WebIdentityToken={token}"), &answer);
        Cloud::url(self)
    }
}

impl Aws for Moto {
    fn url(&self) -> String {
        Moto::url(self)
    }

    fn secret(&self, name: &str, version: &str, text: &str) {
        self.enforce(false);
        let (operation, id) = match version {
            FIRST => ("CreateSecret", "Name"),
            _ => ("PutSecretValue", "SecretId"),
        };
        self.secrets_manager(operation, &json!({id: name, "ClientRequestToken": version, "SecretString": text}));
        self.enforce(true);
    }

    fn bytes(&self, name: &str) {
        self.enforce(false);
        self.secrets_manager("CreateSecret", &json!({"Name": name, "SecretBinary": "AAEC"}));
        self.enforce(true);
    }

    fn delete(&self, name: &str) {
        self.enforce(false);
        self.secrets_manager("CreateSecret", &json!({"Name": name, "SecretString": "gone"}));
        self.secrets_manager("DeleteSecret", &json!({"SecretId": name}));
        self.enforce(true);
    }

    fn object(&self, path: &str, text: &str) {
        self.enforce(false);
        self.put(path, text);
        self.enforce(true);
    }

    fn identity(&self, name: &str, actions: &[&str]) -> (String, String) {
        self.enforce(false);
        let user = self.user(name, actions);
        self.enforce(true);
        user
    }

    /// Moto wants a signature for the one request that AWS wants none for.
    fn trust(&self, _: &str) -> String {
        self.enforce(false);
        self.sts()
    }
}

/// Runs the cases against both.
fn against_both(cases: impl Fn(&dyn Aws)) {
    cases(&Cloud::start());
    match Moto::start() {
        Some(moto) => cases(&moto),
        // Not with `eprintln!`, of which nothing is seen when a test passes.
        None => std::io::stderr().write_all(b"skipped: no moto\n").unwrap(),
    }
}

fn keyward(aws: &dyn Aws, (key, secret): &(String, String), config: &str) -> Keyward {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let path = keyward.write("config.yaml", &format!("{HANDLERS}{config}"));
    let keyward = keyward.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    keyward.env("AWS_REGION", "eu-central-1").env("AWS_ENDPOINT_URL", &aws.url()).config(path)
}

/// `secrets` of a configuration that wants these: name, and what Secrets Manager is told.
fn wanted(secrets: &[(&str, &str)]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|(name, more)| format!("{{name: {name}, {more}}}")).collect();
    let source = format!("{{aws_secrets_manager: {{}}, secrets: [{}]}}", secrets.join(", "));
    format!("secrets: {{refresh_interval: 1s, sources: [{source}]}}\n")
}

/// What `keyward secrets check` says of each secret: its version, or the problem with the remedy.
fn checked(keyward: &Keyward) -> BTreeMap<String, String> {
    let (_, out, error) = keyward.run(&["secrets", "check", "--format", "json"]);
    assert!(!format!("{out}{error}").contains("-value"), "{out}{error}");
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let said = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        (text("name"), format!("{}{}; {}", text("version"), text("problem"), text("remedy")))
    };
    answer["secrets"].as_array().unwrap().iter().map(said).collect()
}

fn assert_said(who: &str, said: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, expected) in expected {
        let said = said.get(*name).map(String::as_str).unwrap_or("nothing");
        assert!(said.contains(expected), "{who}: {name}: {said}");
    }
}

const READ: &str = "secretsmanager:GetSecretValue";
const BATCH: &str = "secretsmanager:BatchGetSecretValue";

#[test]
fn every_secret_comes_or_says_why_not() {
    against_both(|aws| {
        for (number, name) in (0..22).map(|number| (number, format!("many/{number}"))) {
            aws.secret(&name, FIRST, &format!("{number}-value"));
        }
        aws.secret("prod/object", FIRST, "{\"password\": \"object-value\"}");
        aws.secret("prod/text", FIRST, "first-value");
        aws.secret("prod/text", SECOND, "second-value");
        aws.bytes("prod/bytes");
        aws.delete("prod/gone");
        let many: Vec<(String, String)> =
            (0..22).map(|number| (format!("many-{number}"), format!("id: many/{number}"))).collect();
        let mut secrets: Vec<(&str, &str)> = many.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
        let first = format!("id: prod/text, version: {FIRST}");
        secrets.extend([
            ("text", "id: prod/text"),
            ("first", first.as_str()),
            ("never", "id: prod/text, version: AWSPENDING"),
            ("password", "id: prod/object, field: password"),
            ("user", "id: prod/object, field: user"),
            ("bytes", "id: prod/bytes"),
            ("gone", "id: prod/gone"),
            ("none", "id: prod/none"),
        ]);
        let expected = [
            ("many-0", FIRST),
            ("many-21", FIRST),
            ("text", SECOND),
            ("first", FIRST),
            ("never", "ResourceNotFoundException for `prod/text`; check `id` and `version`"),
            ("password", FIRST),
            ("user", "the secret has no member `user`; its members are `password`"),
            ("bytes", "`prod/bytes` holds bytes (`SecretBinary`), and no text"),
            ("gone", "InvalidRequestException for `prod/gone`; the secret may be marked for deletion"),
            ("none", "ResourceNotFoundException for `prod/none`; check `id` and `version`"),
        ];
        for (who, actions) in [("batches", &[BATCH, READ][..]), ("one-by-one", &[READ])] {
            let identity = aws.identity(who, actions);
            let said = checked(&keyward(aws, &identity, &wanted(&secrets)));
            assert_said(who, &said, &expected);
            assert_eq!(said.values().filter(|said| said.starts_with(FIRST)).count(), 24, "{who}: {said:?}");
        }
        let denied = aws.identity("denied", &["s3:GetObject"]);
        let remedy =
            "allow `secretsmanager:GetSecretValue` on `arn:aws:secretsmanager:eu-central-1:*:secret:prod/text-??????`";
        let said = checked(&keyward(aws, &denied, &wanted(&secrets)));
        assert_said("denied", &said, &[("text", remedy), ("first", remedy)]);
        let forged = (denied.0, "x".to_owned());
        let said = checked(&keyward(aws, &forged, &wanted(&secrets)));
        assert_said("forged", &said, &[("text", "check the access key and its secret"), ("none", "access key")]);
    });
}

#[test]
fn a_role_of_a_pod_reads_secrets() {
    against_both(|aws| {
        aws.secret("prod/text", FIRST, "first-value");
        let sts = aws.trust("pod-token");
        let nobody = (String::new(), String::new());
        let keyward = keyward(aws, &nobody, &wanted(&[("text", "id: prod/text")]));
        let token = keyward.write("token", "pod-token").display().to_string();
        let keyward = keyward.env("AWS_WEB_IDENTITY_TOKEN_FILE", &token).env("AWS_ENDPOINT_URL_STS", &sts);
        let keyward = keyward.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/keyward");
        assert_said("a role", &checked(&keyward), &[("text", FIRST)]);
    });
}

/// The founding document's deployment: rules in S3, secrets in Secrets Manager, neither needs a restart.
#[test]
fn rules_and_secrets_change_without_a_restart() {
    against_both(|aws| {
        let recorder = Recorder::start(true);
        let rule = |path: &str| {
            format!(
                "- id: r\n  match: {{url: \"http://<[^/]*>/{path}\", methods: [GET]}}\n  authenticators: [{{handler: \
                 anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: header, config: {{headers: \
                 {{Authorization: 'Bearer {{{{ secret \"text\" }}}}'}}}}}}]\n  upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
                recorder.port
            )
        };
        aws.secret("prod/text", FIRST, "first-value");
        aws.object("/rules/main/rules.yaml", &rule("a"));
        let identity = aws.identity("all", &[BATCH, READ, "s3:GetObject"]);
        let rules = "access_rules: {repositories: [\"s3://rules/main/rules.yaml\"], refresh_interval: 1s}\n";
        let config = format!("{rules}{}", wanted(&[("text", "id: prod/text")]));
        let running = keyward(aws, &identity, &config).start();
        assert_eq!(running.get("/a", &[]).status(), 200, "{}", running.log());
        assert_eq!(recorder.take_header("authorization"), ["Bearer first-value"]);
        aws.secret("prod/text", SECOND, "second-value");
        running.until("the new secret", |running| {
            let status = running.get("/a", &[]).status();
            let received = recorder.take_header("authorization");
            assert!(status == 200 && received.iter().all(|value| value.ends_with("-value")), "{status} {received:?}");
            received == ["Bearer second-value"]
        });
        aws.object("/rules/main/rules.yaml", &rule("b"));
        running.until("the new rules", |running| running.get("/b", &[]).status() == 200);
        assert_eq!(running.get("/a", &[]).status(), 404);
        assert_silent(&running);
    });
}

/// A log, and a record, that hold no value.
fn assert_silent(running: &Running) {
    let audit = std::fs::read_to_string(running.path("audit.log")).unwrap();
    assert!(audit.contains(SECOND) && !audit.contains("-value"), "{audit}");
    assert!(!running.log().contains("-value"), "{}", running.log());
}

#[test]
fn rules_that_nobody_may_read_name_the_permission() {
    against_both(|aws| {
        aws.object("/rules/rules.yaml", "[]");
        let denied = aws.identity("denied", &[READ]);
        let config = "access_rules: {repositories: [\"s3://rules/rules.yaml\"]}\n";
        let permission = "403 AccessDenied; what it needs is `s3:GetObject` on `arn:aws:s3:::rules/rules.yaml`";
        let running = keyward(aws, &denied, config).start_without_rules(permission);
        assert!(running.log().contains(permission), "{}", running.log());
    });
}
