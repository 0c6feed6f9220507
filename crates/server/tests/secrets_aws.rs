//! AWS Secrets Manager over real sockets, against a double that checks signatures: which values come, in how many
//! requests, and what is said when they do not.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use keyward_server::http_client::{HttpClient, Limits};
use keyward_server::secrets::aws::{Options, SecretsManager};
use keyward_server::secrets::backend::{Backend, Fetched, Wanted};
use keyward_server::upstream::resolve::Resolver;
use keyward_server::upstream::tls::client_config;
use keyward_testkit::clouds::{Cloud, Entry};
use keyward_testkit::scripted::{drip, read_head, upstream};

const LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: 64 * 1024 };
const VALUE: &str = "s3cr3t-of-the-test";
const CURRENT: &str = "11111111-1111-1111-1111-111111111111";
const PREVIOUS: &str = "22222222-2222-2222-2222-222222222222";

fn client() -> HttpClient {
    HttpClient::new(Resolver::default(), client_config(&[], &[b"http/1.1"]).unwrap())
}

fn wanted(id: &str, field: Option<&str>, version: Option<&str>) -> Wanted {
    Wanted { id: id.to_owned(), field: field.map(str::to_owned), version: version.map(str::to_owned) }
}

/// Secrets Manager with further variables of the environment.
fn manager(cloud: &str, limits: Limits, more: &[(&str, &str)]) -> SecretsManager {
    let mut variables = BTreeMap::from([
        ("AWS_ACCESS_KEY_ID".to_owned(), "PLAINKEY".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "plain-secret".to_owned()),
        ("AWS_REGION".to_owned(), "eu-central-1".to_owned()),
        ("AWS_ENDPOINT_URL".to_owned(), cloud.to_owned()),
    ]);
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let variable = move |name: &str| variables.get(name).cloned().filter(|value| !value.is_empty());
    SecretsManager::new(Options::default(), variable, limits)
}

fn fetch(backend: &dyn Backend, wanted: &[Wanted]) -> Vec<Fetched> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = client();
    let outcomes = runtime.block_on(backend.fetch(&client, wanted));
    assert_eq!(outcomes.len(), wanted.len());
    let shown = format!("{outcomes:?}{backend:?}");
    for secret in [VALUE, "plain-secret", "sts-secret", "pod-token"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    outcomes
}

/// The value with its version, or the cause with the remedy.
fn said(outcome: &Fetched) -> String {
    match outcome {
        Ok(value) => format!("{} @{}", value.secret.expose(), value.version),
        Err(failure) => format!("{failure}; {}", failure.remedy.as_deref().unwrap_or("no remedy")),
    }
}

fn operations(cloud: &Cloud) -> Vec<String> {
    let asked = cloud.asked();
    let target = |request: &keyward_testkit::wire::Message| request.header("x-amz-target").map(str::to_owned);
    asked.iter().filter_map(target).map(|target| target.replace("secretsmanager.", "")).collect()
}

/// A double with an identity.
fn cloud() -> Cloud {
    let cloud = Cloud::start();
    cloud.aws_key("PLAINKEY", "plain-secret", None);
    cloud
}

fn fill(cloud: &Cloud) {
    let object = format!("{{\"token\": \"{VALUE}\", \"list\": [\"{VALUE}\"]}}");
    cloud.secret(Entry::text("prod/text", CURRENT, VALUE));
    cloud.secret(Entry::text("prod/text", PREVIOUS, "older").labelled("AWSPREVIOUS"));
    cloud.secret(Entry::text("prod/object", CURRENT, &object));
    cloud.secret(Entry::text("prod/bytes", CURRENT, "").bytes());
    for code in ["AccessDeniedException", "AccessDeniedException/KMS", "DecryptionFailure", "InvalidRequestException"] {
        cloud.secret(Entry::text(code, CURRENT, "").error(code));
    }
}

#[test]
fn every_value_comes_or_says_why_not() {
    let good = format!("{VALUE} @{CURRENT}");
    let arn = Entry::text("prod/text", "", "").arn();
    let partial = arn.strip_suffix("-a1B2c3").unwrap();
    let rows: &[(Wanted, &str)] = &[
        (wanted("prod/text", None, None), &good),
        (wanted(&arn, None, None), &good),
        (wanted(partial, None, None), &good),
        (wanted("prod/object", Some("token"), None), &good),
        (wanted("prod/text", None, Some(PREVIOUS)), &format!("older @{PREVIOUS}")),
        (wanted("prod/text", None, Some("AWSPREVIOUS")), &format!("older @{PREVIOUS}")),
        (wanted("prod/text", None, Some(CURRENT)), &good),
        (
            wanted("prod/text", None, Some("AWSPENDING")),
            "ResourceNotFoundException for `prod/text`; check `id` and `version`: `eu-central-1` has no such secret",
        ),
        (wanted("prod/text", Some("token"), None), "a `field` is wanted, and the secret is no JSON object"),
        (wanted("prod/object", Some("tokne"), None), "has no member `tokne`; its members are `list`, `token`"),
        (wanted("prod/object", Some("list"), None), "`list` is a list, and no text"),
        (wanted("prod/bytes", None, None), "`prod/bytes` holds bytes (`SecretBinary`), and no text; store it as text"),
        (wanted("prod/none", None, None), "answered ResourceNotFoundException for `prod/none`"),
        (
            wanted("AccessDeniedException", None, None),
            "allow `secretsmanager:GetSecretValue` on `arn:aws:secretsmanager:eu-central-1:*:secret:AccessDeniedException-??????`",
        ),
        (wanted("AccessDeniedException/KMS", None, None), "allow `kms:Decrypt` on the key that encrypts"),
        (wanted("DecryptionFailure", None, None), "allow `kms:Decrypt` on the key that encrypts `DecryptionFailure`"),
        (wanted("InvalidRequestException", None, None), "the secret may be marked for deletion: restore it"),
    ];
    for is_forbidden in [false, true] {
        let cloud = cloud();
        fill(&cloud);
        if is_forbidden {
            cloud.forbid("PLAINKEY", "BatchGetSecretValue");
        }
        let manager = manager(&cloud.url(), LIMITS, &[]);
        let all: Vec<Wanted> = rows.iter().map(|row| row.0.clone()).collect();
        for (outcome, (wanted, expected)) in fetch(&manager, &all).iter().zip(rows) {
            let said = said(outcome).replace("answered 400 ", "answered ");
            assert!(said.contains(expected), "{wanted:?}: {said}");
        }
        for (wanted, expected) in rows {
            let said = said(&fetch(&manager, std::slice::from_ref(wanted))[0]).replace("answered 400 ", "answered ");
            assert!(said.contains(expected), "{wanted:?}: {said}");
        }
        let batches = operations(&cloud).iter().filter(|operation| *operation == "BatchGetSecretValue").count();
        assert_eq!(batches, if is_forbidden { 1 } else { 4 }, "{:?}", operations(&cloud));
    }
}

#[test]
fn as_few_requests_are_made_as_the_service_allows() {
    let names: Vec<String> = (0..45).map(|number| format!("name-{number}")).collect();
    let many: Vec<Wanted> = names.iter().map(|name| wanted(name, None, None)).collect();
    let fields = [wanted("prod/object", Some("token"), None), wanted("prod/object", None, None)];
    let versions = [wanted("prod/text", None, Some("AWSPREVIOUS")), wanted("prod/text", None, Some("AWSPREVIOUS"))];
    // A page of the double holds three: 7 + 7 + 2.
    let rows: &[(&[Wanted], usize, usize)] = &[(&many, 16, 0), (&fields, 0, 1), (&versions, 0, 1), (&[], 0, 0)];
    for (wanted, batches, gets) in rows {
        let cloud = cloud();
        fill(&cloud);
        for name in &names {
            cloud.secret(Entry::text(name, CURRENT, VALUE));
        }
        for outcome in fetch(&manager(&cloud.url(), LIMITS, &[]), wanted) {
            outcome.unwrap();
        }
        let count = |name: &str| operations(&cloud).iter().filter(|operation| *operation == name).count();
        assert_eq!((count("BatchGetSecretValue"), count("GetSecretValue")), (*batches, *gets), "{wanted:?}");
    }
}

#[test]
fn credentials_come_as_for_object_stores_and_what_is_wrong_with_them_is_said() {
    let sts = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>session\
               </SessionToken><SecretAccessKey>sts-secret</SecretAccessKey><Expiration>2099-01-01T00:00:00Z</Expiration>\
               <AccessKeyId>STSKEY</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
               </AssumeRoleWithWebIdentityResponse>";
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name).display().to_string()
    };
    let token = file("token", "pod-token");
    let stranger = file("stranger", "other");
    let profile = "[mine]\naws_access_key_id = PLAINKEY\naws_secret_access_key = plain-secret\nregion = eu-central-1\n";
    let profile = file("credentials", profile);
    let cloud = cloud();
    fill(&cloud);
    cloud.aws_key("STSKEY", "sts-secret", Some("session"));
    cloud.say("POST", "/sts", "WebIdentityToken=pod-token", sts);
    let sts = format!("{}/sts", cloud.url());
    let role = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/keyward"),
        ("AWS_ENDPOINT_URL_STS", &*sts),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &*token),
    ];
    let bad_role = [role[0], role[1], role[2], ("AWS_WEB_IDENTITY_TOKEN_FILE", &*stranger)];
    let profile = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_REGION", ""),
        ("AWS_PROFILE", "mine"),
        ("AWS_SHARED_CREDENTIALS_FILE", &*profile),
    ];
    let good = format!("{VALUE} @{CURRENT}");
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let rows: &[Row<'_>] = &[
        ("keys", &[], &good),
        ("web identity", &role, &good),
        ("a profile", &profile, &good),
        (
            "an endpoint of its own",
            &[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &cloud.url()), ("AWS_ENDPOINT_URL", "x")],
            &good,
        ),
        ("a role that trusts somebody else", &bad_role, "no credentials: 127.0.0.1:PORT answered 401"),
        (
            "a wrong secret",
            &[("AWS_SECRET_ACCESS_KEY", "x")],
            "SignatureDoesNotMatch for `prod/text`; AWS does not know",
        ),
        ("an unknown key", &[("AWS_ACCESS_KEY_ID", "x")], "check the access key and its secret"),
        ("no secret", &[("AWS_SECRET_ACCESS_KEY", "")], "Missing SecretAccessKey; see docs/secrets-sources.md"),
        ("a session with a line break", &[("AWS_SESSION_TOKEN", "a\nb")], "the session token holds a line break"),
        ("no region", &[("AWS_REGION", "")], "no region is known: set `region`, or `AWS_REGION`"),
        ("no URL", &[("AWS_ENDPOINT_URL", "http://256.256.256.256")], "the endpoint is no `http` or `https` URL"),
        ("nowhere", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")], "check that `eu-central-1` is a region of AWS"),
    ];
    for (who, variables, expected) in rows {
        let manager = manager(&cloud.url(), LIMITS, variables);
        let said = said(&fetch(&manager, &[wanted("prod/text", None, None)])[0]);
        let said = said.replace(&format!(":{}", cloud.port), ":PORT");
        assert!(said.contains(expected), "{who}: {said}");
    }
}

#[test]
fn faults_are_bounded_and_named() {
    let error = |status: &str, code: &str| {
        let body = format!("{{\"__type\":\"com.amazonaws.secretsmanager#{code}\",\"Message\":\"{VALUE}\"}}");
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let ok = |length: usize, body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    let malformed =
        "the answer is not what Secrets Manager answers; check that the endpoint is that of Secrets Manager";
    let rows = [
        ("oversized", ok(99_000_000, "{"), "the answer is larger than 65536 bytes"),
        ("truncated", ok(99, "{\"ARN\":"), "127.0.0.1: "),
        ("no JSON", ok(18, VALUE), malformed),
        ("another JSON", ok(24, &format!("{{\"a\":\"{VALUE}\"}}")), malformed),
        ("nonsense", "nonsense\r\n\r\n".to_owned(), "127.0.0.1: "),
        (
            "an error of the server",
            error("500 Internal Server Error", "InternalServiceError"),
            "500 InternalServiceError",
        ),
        ("haste", error("400 Bad Request", "ThrottlingException"), "a longer `refresh_interval` asks less often"),
        ("an old session", error("400 Bad Request", "ExpiredTokenException"), "the session of the credentials is over"),
        ("no name", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned(), "answered 503 for `a`"),
        (
            "a redirect",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "redirects are not followed",
        ),
    ];
    for (what, answer, expected) in rows {
        let cloud = cloud();
        cloud.secret(Entry::text("a", CURRENT, VALUE));
        let manager = manager(&cloud.url(), LIMITS, &[]);
        cloud.fail(answer);
        let said_of_it = said(&fetch(&manager, &[wanted("a", None, None)])[0]);
        assert!(said_of_it.contains(expected), "{what}: {said_of_it}");
        assert_eq!(said(&fetch(&manager, &[wanted("a", None, None)])[0]), format!("{VALUE} @{CURRENT}"), "{what}");
    }
}

/// However many values are wanted, a service that does not answer is waited for once.
#[test]
fn a_service_that_drips_is_given_up_once() {
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        drip(&mut stream, &[b' '; 1000]);
    });
    let limits = Limits { time: Duration::from_millis(300), ..LIMITS };
    let manager = manager(&format!("http://127.0.0.1:{port}"), limits, &[]);
    let versions: Vec<Wanted> = (0..100).map(|n| wanted("a", None, Some(&format!("{CURRENT}{n}")))).collect();
    for outcome in fetch(&manager, &versions) {
        assert!(said(&outcome).contains("no complete answer within 300 ms"), "{}", said(&outcome));
    }
}
