//! What is said when an object store refuses an identity, whichever it is.

use keyward_testkit::canaries::{Canaries, assert_clean};
use keyward_testkit::clouds::Cloud;
use keyward_testkit::process::Keyward;

/// What a server of identities answers; the provider itself knows none of them.
const STS: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
    <SessionToken>«session of a role»</SessionToken><SecretAccessKey>«secret of a role»</SecretAccessKey>\
    <Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>STSKEY</AccessKeyId></Credentials>\
    </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
const ROLE: &str = "{\"AccessKeyId\":\"ROLEKEY\",\"SecretAccessKey\":\"«secret of a role»\",\"Token\":\"«session of a role»\",\
    \"Expiration\":\"2099-01-01T00:00:00Z\"}";
const PROFILE: &str = "[default]\naws_access_key_id = KEY\naws_secret_access_key = «secret of a profile»\n";
const ACCOUNT: &str = "{\"type\": \"service_account\", \"private_key_id\": \"1\", \"client_email\": \"a@b\", \
    \"private_key\": \"-----BEGIN PRIVATE KEY-----\\n«key of an account»\\n-----END PRIVATE KEY-----\\n\"}";

const S3: &str = "s3://bucket/rules.yaml?endpoint=CLOUD";

/// A repository, variables, and what the file `FILE` holds.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const ROWS: [Row; 11] = [
    (
        S3,
        &[("AWS_ACCESS_KEY_ID", "KEY"), ("AWS_SECRET_ACCESS_KEY", "«secret»"), ("AWS_SESSION_TOKEN", "«session»")],
        "",
    ),
    (S3, &[("AWS_SHARED_CREDENTIALS_FILE", "FILE")], PROFILE),
    (
        S3,
        &[("AWS_WEB_IDENTITY_TOKEN_FILE", "FILE"), ("AWS_ROLE_ARN", "arn:r"), ("AWS_ENDPOINT_URL_STS", "CLOUD")],
        "«token»",
    ),
    (
        S3,
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "CLOUD/pod"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "FILE")],
        "«token»",
    ),
    (S3, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "CLOUD/none"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "«token»")], ""),
    ("gs://bucket/rules.yaml?endpoint=CLOUD", &[("GCE_METADATA_HOST", "HOST")], ""),
    ("gs://bucket/rules.yaml?endpoint=CLOUD", &[("GOOGLE_APPLICATION_CREDENTIALS", "FILE")], ACCOUNT),
    (
        "gs://bucket/rules.yaml?endpoint=CLOUD",
        &[("GOOGLE_APPLICATION_CREDENTIALS", "FILE")],
        "{\"private_key\": \"«key of an account»\"",
    ),
    ("azblob://bucket/rules.yaml", &[("AZURE_STORAGE_KEY", "«key»")], ""),
    ("azblob://bucket/rules.yaml", &[("AZURE_STORAGE_KEY", "no base64 «key»")], ""),
    ("azblob://bucket/rules.yaml", &[("AZURE_STORAGE_SAS_TOKEN", "sv=2024-01-01&sp=r&sig=«%signature»")], ""),
];

#[test]
fn no_identity_is_in_what_is_said_when_a_store_refuses_it() {
    let canaries = Canaries::default();
    let cloud = Cloud::start();
    cloud.say("POST", "/", "", &canaries.filled(STS));
    cloud.say("GET", "/pod", &format!("authorization: {}", canaries.of("token")), &canaries.filled(ROLE));
    let google = "/computeMetadata/v1/instance/service-accounts/default/token";
    let token =
        canaries.filled("{\"access_token\":\"«token of Google»\",\"expires_in\":3600,\"token_type\":\"Bearer\"}");
    cloud.say("GET", google, "metadata-flavor: Google", &token);
    for format in ["text", "json"] {
        for (url, variables, file) in ROWS {
            let mut keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
            let path = keyward.write("file", &canaries.filled(file)).display().to_string();
            let host = format!("127.0.0.1:{}", cloud.port);
            let filled = |text: &str| {
                canaries.filled(text).replace("CLOUD", &cloud.url()).replace("FILE", &path).replace("HOST", &host)
            };
            for (name, value) in variables {
                keyward = keyward.env(name, &filled(value));
            }
            keyward = keyward.env("AZURE_STORAGE_ACCOUNT", "account").env("AZURE_STORAGE_DOMAIN", &cloud.url());
            let config = format!(
                "log: {{level: trace, format: {format}}}\naccess_rules: {{repositories: [\"{}\"]}}\n",
                filled(url)
            );
            let config = keyward.write("config.yaml", &config);
            let keyward = keyward.config(config);
            let mut running = keyward.start_without_rules("rules.yaml");
            let verbose = running.api("/health/ready?verbose").unwrap().text();
            running.signal("TERM");
            assert!(running.wait().success(), "{url} {variables:?}");
            let said = format!("{verbose}\n{}", running.log());
            assert!(said.contains("bucket") || said.contains("file"), "{url} {variables:?}: {said}");
            assert_clean(&canaries, &format!("{url} {variables:?}"), said.as_bytes(), false);
        }
    }
    let asked: String = cloud.asked().iter().map(|message| format!("{message:?} {}", message.text())).collect();
    let used = canaries.found_in(asked.as_bytes());
    for kind in ["session", "token", "session of a role", "token of Google", "signature"] {
        assert!(used.contains_key(kind), "`{kind}` is never used: {used:?}");
    }
}
