//! What the chart renders, served: the configuration of its golden renderings, byte for byte, with the document's rules in
//! a store that plays S3 behind the role of a service account, the key set at its URL over TLS, and TLS servers in place of
//! the third parties. The environment leads names to these doubles, has rules and keys asked for each second, and says
//! where the directories of a pod are.

use std::fs;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use keyward_testkit::clouds::Cloud;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire::{self, Message};
use serde_json::{Value, json};

use crate::{CASES, HOSTS, Issuer, SECRETS, assert_forwarded, example};

const BUCKET: &str = "/your-company-oathkeeper-rules/rules.yaml";
/// The authority that the rules are written for.
const WRITTEN: &str = "oathkeeper:4455";
/// The names of the chart's Service.
const SERVICE: [&str; 4] = [
    "oathkeeper-proxy:4455",
    "oathkeeper-proxy.oathkeeper:4455",
    "oathkeeper-proxy.oathkeeper.svc:4455",
    "oathkeeper-proxy.oathkeeper.svc.cluster.local:4455",
];

/// What the chart made of a case's values: the text of the ConfigMap.
fn rendering(case: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/chart/golden/{case}.yaml"));
    let text = fs::read_to_string(path).unwrap();
    let (_, block) = text.split_once("\n  oathkeeper.yaml: |\n").unwrap();
    block.lines().map_while(|line| line.strip_prefix("    ")).flat_map(|line| [line, "\n"]).collect()
}

/// The variables of the document's ExternalSecret.
fn variables_of_the_external_secret() -> Vec<(&'static str, &'static str)> {
    let text = fs::read_to_string(example("production/external-secret.yaml")).unwrap();
    let keys: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- secretKey: ")).collect();
    let variables: Vec<_> = SECRETS.into_iter().filter(|(name, _)| keys.contains(name)).collect();
    assert_eq!(variables.len(), keys.len());
    variables
}

/// An address of this machine that nobody else uses, so that the proxy has the port that the rules name.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() * 8 + NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, b, c, d] = number.to_be_bytes();
    (Ipv4Addr::new(127, b, c, d), 4455).into()
}

/// What is around a pod.
struct Outside {
    authority: Authority,
    issuer: Issuer,
    third_parties: Recorder,
    cloud: Cloud,
    rules: String,
    proxy: SocketAddr,
    cache: tempfile::TempDir,
}

impl Outside {
    fn new() -> Self {
        let (authority, issuer, cloud) = (Authority::new(), Issuer::new(), Cloud::start());
        let third_parties = Recorder::start_tls(true, authority.server(&HOSTS, &[]));
        publish(&third_parties, &[&issuer]);
        let session = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                       <SessionToken>session</SessionToken><SecretAccessKey>sts-secret</SecretAccessKey>\
                       <Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>STSKEY</AccessKeyId></Credentials>\
                       </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        cloud.say("POST", "/", "WebIdentityToken=pod-token", session);
        cloud.aws_key("STSKEY", "sts-secret", Some("session"));
        let rules = fs::read_to_string(example("use-cases/rules.yaml")).unwrap();
        cloud.put(BUCKET, rules.as_str());
        let cache = tempfile::tempdir().unwrap();
        Self { authority, issuer, third_parties, cloud, rules, proxy: own_address(), cache }
    }

    /// A pod with a rendered configuration, about to be started.
    fn pod(&self, case: &str) -> Keyward {
        let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let config = keyward.write("oathkeeper.yaml", &rendering(case));
        let ca = keyward.write("ca.pem", &self.authority.certificate).display().to_string();
        // What EKS puts into pods whose account has a role.
        let token = keyward.write("aws/token", "pod-token").display().to_string();
        let role = "arn:aws:iam::123456789012:role/OathkeeperRole";
        let resolve: Vec<_> =
            HOSTS.iter().map(|host| format!("{host}:443:127.0.0.1:{}", self.third_parties.port)).collect();
        keyward
            .config(config)
            .without_env("SERVE_PROXY_PORT")
            .env("SERVE_PROXY_HOST", &self.proxy.ip().to_string())
            // Records go where they go in a pod.
            .without_env("AUDIT_SINK")
            .without_env("AUDIT_PATH")
            .env("AWS_ROLE_ARN", role)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL_STS", &self.cloud.url())
            .env("AWS_ENDPOINT_URL_S3", &self.cloud.url())
            .env("ACCESS_RULES_REFRESH_INTERVAL", "1s")
            .env("AUTHENTICATORS_JWT_CONFIG", "{\"jwks_ttl\": \"1s\"}")
            .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca)
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve.join(","))
    }

    /// Starts a pod and waits until its readiness probe succeeds.
    fn start(&self, pod: Keyward) -> Running {
        let running = pod.launch();
        running.until("readiness", |running| running.api("/health/ready").is_ok_and(|answer| answer.status() == 200));
        self.third_parties.take();
        running
    }

    /// A call to the proxy by one of its names.
    fn call(&self, authority: &str, method: &str, path: &str, token: Option<&str>) -> Message {
        let mut stream = TcpStream::connect(self.proxy).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{bearer}\r\n").unwrap();
        wire::read_response(&mut BufReader::new(stream), false).unwrap()
    }

    /// Reading an issue of Jira, by the document's rules.
    fn jira(&self, authority: &str) -> u16 {
        self.call(authority, "GET", "/jira/rest/api/2/myself", Some(&self.issuer.token("jira:read"))).status()
    }
}

/// Has the issuer's place hold the keys of these.
fn publish(third_parties: &Recorder, issuers: &[&Issuer]) {
    let keys: Vec<&Value> = issuers.iter().map(|issuer| &issuer.published["keys"][0]).collect();
    third_parties.script(vec![json!({"path": "/.well-known/jwks.json", "body": {"keys": keys}})]);
}

/// How a kind of source is doing.
fn state(running: &Running, kind: &str) -> String {
    let ready: Value = serde_json::from_str(&running.api("/health/ready?verbose").unwrap().text()).unwrap();
    let mut sources = ready["sources"].as_array().unwrap().iter();
    sources.find(|source| source["kind"] == kind).unwrap()["state"].as_str().unwrap().to_owned()
}

fn fetched(running: &Running, outcome: &str) -> f64 {
    running.metric(&format!("keyward_repository_fetches_total{{outcome=\"{outcome}\"}}")).unwrap_or_default()
}

/// Audit records, which are among the lines of the log here.
fn records(running: &Running) -> Vec<Value> {
    let lines: Vec<Value> = running.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    lines.into_iter().filter(|line| line.get("rules_version").is_some()).collect()
}

/// The document's own values, with what its ExternalSecret brings into the environment: three of the four credentials that
/// its rules name.
#[test]
fn the_document_s_values_serve_its_use_cases_by_every_name_and_deny_everything_else() {
    let (outside, variables) = (Outside::new(), variables_of_the_external_secret());
    let mut pod = outside.pod("document");
    for (name, value) in &variables {
        pod = pod.env(name, value);
    }
    let mut running = outside.start(pod);
    let (mut asked, stranger) = (0, Issuer::new());
    for (case, (variable, _)) in CASES.iter().zip(SECRETS) {
        let (rule, method, path, scope, ..) = *case;
        let mut deny = |method: &str, authority: &str, token: Option<String>, status: u16, what: &str| {
            let answer = outside.call(authority, method, path, token.as_deref());
            assert_eq!(answer.status(), status, "{rule}, {what}: {}\n{}", answer.text(), running.log());
            assert!(outside.third_parties.take().is_empty(), "{rule}, {what}: it was forwarded");
            asked += 1;
        };
        let token = || Some(outside.issuer.token(scope));
        let has_its_secret = variables.iter().any(|(name, _)| *name == variable);
        if !has_its_secret {
            deny(method, WRITTEN, token(), 500, "a rule whose secret is missing");
            assert!(running.log().contains(variable), "{}", running.log());
            continue;
        }
        deny(method, WRITTEN, None, 401, "no token");
        deny(method, WRITTEN, Some(outside.issuer.token("other:scope")), 401, "another scope");
        deny(method, WRITTEN, Some(outside.issuer.token_for("elsewhere", scope)), 401, "another audience");
        deny(method, WRITTEN, Some(stranger.token(scope)), 401, "a stranger's signature");
        deny("DELETE", WRITTEN, token(), 404, "another method");
        deny(method, "elsewhere:4455", token(), 404, "another name");
        for authority in SERVICE.into_iter().chain([WRITTEN]) {
            let answer = outside.call(authority, method, path, token().as_deref());
            assert_eq!(answer.status(), 200, "{rule}, {authority}: {}\n{}", answer.text(), running.log());
            assert_forwarded(case, &outside.third_parties.take());
            asked += 1;
        }
    }
    assert_eq!((state(&running, "rules"), state(&running, "key_set")), ("fresh".into(), "fresh".into()));
    let [rules, broken] = ["keyward_rules ", "keyward_rules_broken "].map(|name| running.metric(name));
    assert_eq!((rules, broken), (Some(4.0), Some(1.0)));
    running.signal("TERM");
    assert!(running.wait().success());
    assert_eq!(records(&running).len(), asked);
    for secret in variables.iter().map(|(_, value)| *value).chain(["sts-secret", "pod-token", "eyJ"]) {
        assert!(!running.log().contains(secret), "{secret}: {}", running.log());
    }
}

/// With the values for AWS: a load balancer's name, and copies of the rules.
#[test]
fn rules_are_taken_up_from_the_bucket_and_a_pod_starts_and_serves_without_it() {
    const NAME: &str = "gateway.example.com";
    let outside = Outside::new();
    let start = || {
        let cache = outside.cache.path().join("rules").display().to_string();
        let mut pod = outside.pod("aws").env("ACCESS_RULES_CACHE_DIR", &cache);
        for (name, value) in SECRETS {
            pod = pod.env(name, value);
        }
        outside.start(pod)
    };
    let mut running = start();
    assert_eq!(outside.jira(NAME), 200, "{}", running.log());
    outside.cloud.put(BUCKET, outside.rules.replace("[jira:read]", "[jira:admin]"));
    running.until("the stricter rule", |_| outside.jira(NAME) == 401);
    outside.cloud.put(BUCKET, outside.rules.as_str());
    running.until("the first rule again", |_| outside.jira(NAME) == 200);
    outside.cloud.put(BUCKET, "- just a text\n");
    running.until("the refusal of what is no rule", |running| fetched(running, "refused") >= 1.0);
    assert_eq!((outside.jira(NAME), state(&running, "rules")), (200, "stale".into()));

    outside.cloud.be_down(true);
    running.until("the outage", |running| fetched(running, "failed") >= 1.0);
    assert_eq!((outside.jira(NAME), state(&running, "rules")), (200, "stale".into()));
    assert_eq!(running.api("/health/ready").unwrap().status(), 200);
    running.signal("TERM");
    assert!(running.wait().success());
    // Whoever has lost the rules finds them here, after the two lines of the copy itself.
    let mut copies = fs::read_dir(outside.cache.path().join("rules")).unwrap().map(|copy| copy.unwrap().path());
    let copy = fs::read_to_string(copies.next().unwrap()).unwrap();
    assert_eq!((copy.splitn(3, '\n').nth(2), copies.next()), (Some(&*outside.rules), None));

    let running = start();
    let from_copy = |running: &Running| running.metric("keyward_repository_from_copy{");
    assert_eq!((outside.jira(NAME), from_copy(&running)), (200, Some(1.0)), "{}", running.log());
    assert_eq!(outside.call(NAME, "GET", "/jira/x", None).status(), 401);
    outside.cloud.put(BUCKET, outside.rules.replace("[jira:read]", "[jira:admin]"));
    outside.cloud.be_down(false);
    running.until("what the bucket says", |_| outside.jira(NAME) == 401);
    assert_eq!((state(&running, "rules"), from_copy(&running)), ("fresh".into(), Some(0.0)));
}

/// Replaces all files of a mounted secret, as the kubelet does.
fn mount(directory: &Path, version: u32, variables: &[(&str, String)]) {
    let data = format!("..v{version}");
    fs::create_dir_all(directory.join(&data)).unwrap();
    for (name, value) in variables {
        fs::write(directory.join(&data).join(name), value).unwrap();
    }
    symlink(data, directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
    for (name, _) in variables.iter().filter(|(name, _)| directory.join(name).symlink_metadata().is_err()) {
        symlink(format!("..data/{name}"), directory.join(name)).unwrap();
    }
}

#[test]
fn credentials_of_a_mounted_directory_rotate_without_a_restart() {
    let outside = Outside::new();
    let pod = outside.pod("secrets-directory");
    let mounted = pod.path("mounted");
    let first: Vec<(&str, String)> =
        variables_of_the_external_secret().into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    mount(&mounted, 1, &first);
    let running = outside.start(pod.env("SECRETS_ENV_DIR", &mounted.display().to_string()));
    assert_eq!(outside.jira(WRITTEN), 200, "{}", running.log());
    assert_eq!(outside.third_parties.take_header("authorization"), ["Basic Y2k6dG9rZW4="]);
    let salesforce = || {
        let token = outside.issuer.token("salesforce:read");
        outside.call(WRITTEN, "GET", "/salesforce/services/data/x", Some(&token)).status()
    };
    assert_eq!(salesforce(), 500);

    // The other credentials rotate together, and the one that was missing comes with them.
    let second: Vec<(&str, String)> = SECRETS.map(|(name, _)| (name, format!("rotated-{name}"))).to_vec();
    mount(&mounted, 2, &second);
    running.until("the missing credential", |_| salesforce() == 200);
    outside.third_parties.take();
    assert_eq!(outside.jira(WRITTEN), 200);
    assert_eq!(outside.third_parties.take_header("authorization"), ["Basic rotated-JIRA_BASIC_AUTH"]);
    assert_eq!(running.metric("keyward_rules_broken "), Some(0.0));
    assert!(!running.log().contains("rotated-"), "{}", running.log());
}

/// As the page on operations says: `next` beside `current`, then alone. A token that was verified before is worth no more
/// than its key.
#[test]
fn keys_of_the_issuer_rotate_and_one_that_is_taken_back_verifies_nothing_any_more() {
    let outside = Outside::new();
    let mut pod = outside.pod("document");
    for (name, value) in SECRETS {
        pod = pod.env(name, value);
    }
    let running = outside.start(pod);
    let next = Issuer::with_key("v2");
    let (old, new) = (outside.issuer.token("jira:read"), next.token("jira:read"));
    let status = |token: &str| outside.call(WRITTEN, "GET", "/jira/x", Some(token)).status();
    assert_eq!((status(&old), status(&new)), (200, 401), "{}", running.log());
    publish(&outside.third_parties, &[&outside.issuer, &next]);
    running.until("the next key", |_| {
        assert_eq!(status(&old), 200);
        status(&new) == 200
    });
    publish(&outside.third_parties, &[&next]);
    running.until("the end of the old key", |_| {
        assert_eq!(status(&new), 200);
        status(&old) == 401
    });
}
