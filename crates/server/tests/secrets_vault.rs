//! HashiCorp Vault over real sockets, against a double of its documented API: which values come, how tokens are got,
//! renewed and replaced, and what is said when there is no value.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward_server::http_client::{HttpClient, Limits};
use keyward_server::secrets::EnvironmentSecrets;
use keyward_server::secrets::backend::{Backend, Fetched, Wanted};
use keyward_server::secrets::vault::{Credentials, Given, Login, Options, Vault};
use keyward_server::upstream::resolve::Resolver;
use keyward_server::upstream::tls::client_config;
use keyward_testkit::scripted::{drip, read_head, upstream};
use keyward_testkit::vault::{Vault as Double, Version};
use serde_json::json;

const LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: 64 * 1024 };
const VALUE: &str = "s3cr3t-of-the-test";
const GIVEN: &str = "hvs.given";

/// A Vault that is asked, with a clock that a test moves.
struct Asked {
    vault: Vault,
    client: HttpClient,
    seconds: Arc<AtomicU64>,
    directory: tempfile::TempDir,
}

impl Asked {
    fn new(address: &str, limits: Limits, login: impl Fn(PathBuf) -> Login) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in
            [("token", GIVEN), ("jwt", "pod-token\n"), ("secret-id", "secret-id-of-role"), ("empty", "")]
        {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let login = login(directory.path().to_owned());
        let options = Options { address: address.to_owned(), namespace: None, mount: "secret".to_owned(), login };
        let (begun, seconds) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let passed = seconds.clone();
        let clock = move || begun + Duration::from_secs(passed.load(Ordering::Relaxed));
        let client = HttpClient::new(Resolver::default(), client_config(&[], &[b"http/1.1"]).unwrap());
        Self { vault: Vault::new(options, limits, clock), client, seconds, directory }
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn fetch(&self, wanted: &[Wanted]) -> Vec<Fetched> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcomes = runtime.block_on(self.vault.fetch(&self.client, wanted));
        assert_eq!(outcomes.len(), wanted.len());
        let shown = format!("{outcomes:?}{:?}", self.vault);
        for secret in [VALUE, GIVEN, "hvs.issued", "pod-token", "secret-id-of-role"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        outcomes
    }

    /// What comes of one value.
    fn say(&self, id: &str) -> String {
        said(&self.fetch(&[wanted(id, Some("token"), None)])[0])
    }
}

fn wanted(id: &str, field: Option<&str>, version: Option<&str>) -> Wanted {
    Wanted { id: id.to_owned(), field: field.map(str::to_owned), version: version.map(str::to_owned) }
}

/// The value with its version, or the cause with the remedy.
fn said(outcome: &Fetched) -> String {
    match outcome {
        Ok(value) => format!("{} @{}", value.secret.expose(), value.version),
        Err(failure) => format!("{failure}; {}", failure.remedy.as_deref().unwrap_or("no remedy")),
    }
}

/// A double that knows the given token, and holds a secret.
fn double() -> Double {
    let double = Double::start();
    let versions = [json!({"token": "older"}), json!({"token": VALUE, "number": 7, "list": [VALUE]})];
    let mut state = double.state();
    state.tokens.insert(GIVEN.to_owned(), 0);
    state.secrets.insert("secret/app".to_owned(), versions.map(Version::There).into());
    drop(state);
    double
}

fn by_file(directory: PathBuf) -> Login {
    Login::Given(Given::File(directory.join("token")))
}

fn by_kubernetes(directory: PathBuf) -> Login {
    let credentials = Credentials::Kubernetes { role: "keyward".to_owned(), token_file: directory.join("jwt") };
    Login::Method { mount: "kubernetes".to_owned(), credentials }
}

fn by_role(directory: PathBuf) -> Login {
    let secret_id_file = directory.join("secret-id");
    let credentials = Credentials::AppRole { role_id: "role-of-keyward".to_owned(), secret_id_file };
    Login::Method { mount: "approle".to_owned(), credentials }
}

/// Makes both logins known; their tokens live so many seconds.
fn allow_logins(double: &Double, ttl: u64) {
    let kubernetes = json!({"role": "keyward", "jwt": "pod-token"});
    let role = json!({"role_id": "role-of-keyward", "secret_id": "secret-id-of-role"});
    double.state().logins =
        vec![("kubernetes/login".to_owned(), kubernetes, ttl), ("approle/login".to_owned(), role, ttl)];
}

#[test]
fn every_value_comes_or_says_why_not() {
    let double = double();
    let (there, mut state) = (Version::There(json!({"token": "older"})), double.state());
    state.secrets.insert("secret/deleted".to_owned(), vec![there.clone(), Version::Deleted]);
    state.secrets.insert("secret/destroyed".to_owned(), vec![Version::Destroyed]);
    state.secrets.insert("secret/closed".to_owned(), vec![there.clone()]);
    state.secrets.insert("secret/a%20b/c%3Fd".to_owned(), vec![there]);
    state.forbidden.push("secret/data/closed".to_owned());
    drop(state);
    let good = format!("{VALUE} @2");
    let rows: &[(Wanted, &str)] = &[
        (wanted("app", Some("token"), None), &good),
        (wanted("app", Some("number"), None), "7 @2"),
        (wanted("app", Some("token"), Some("1")), "older @1"),
        (wanted("a b/c?d", Some("token"), None), "older @1"),
        (wanted("app", Some("list"), None), "`list` is a list, and no text; store it as a text, in quotes"),
        (wanted("app", Some("tokne"), None), "no member `tokne`; its members are `list`, `number`, `token`"),
        (wanted("app", None, None), "`app` holds an object; say which member, with `field`"),
        (
            wanted("app", Some("token"), Some("9")),
            "Vault answered 404 for `app`; check `id`, which is the path without",
        ),
        (wanted("none", Some("token"), None), "Vault answered 404 for `none`"),
        (wanted("deleted", Some("token"), None), "version 2 of `deleted` is deleted; undelete it with"),
        (wanted("deleted", Some("token"), Some("1")), "older @1"),
        (wanted("destroyed", Some("token"), None), "version 1 of `destroyed` is destroyed; write a new version"),
        (
            wanted("closed", Some("token"), None),
            "Vault answered 403 for `closed`; allow `read` on `secret/data/closed` in a policy of this identity; or give",
        ),
    ];
    let asked = Asked::new(&double.url(), LIMITS, by_file);
    let all: Vec<Wanted> = rows.iter().map(|row| row.0.clone()).collect();
    for (outcome, (wanted, expected)) in asked.fetch(&all).iter().zip(rows) {
        assert!(said(outcome).contains(expected), "{wanted:?}: {}", said(outcome));
    }
    let reads = double.asked().iter().filter(|asked| asked.starts_with("GET secret/data/app")).count();
    assert_eq!(reads, 3, "once for each version: {:?}", double.asked());
}

#[test]
fn every_login_gets_a_token_and_a_refused_one_says_what_to_do() {
    let variables = |directory: PathBuf, name: &str| {
        let variables = EnvironmentSecrets::new(Some(directory));
        Login::Given(Given::Variable { variables, name: name.to_owned() })
    };
    let good = format!("{VALUE} @2");
    type Row<'a> = (&'a str, &'a dyn Fn(PathBuf) -> Login, bool, &'a str);
    let rows: &[Row<'_>] = &[
        ("a file", &by_file, true, &good),
        ("a variable", &|directory| variables(directory, "token"), true, &good),
        ("Kubernetes", &by_kubernetes, true, &good),
        ("AppRole", &by_role, true, &good),
        (
            "no variable",
            &|directory| variables(directory, "other"),
            true,
            "`other`, which should hold a token of Vault",
        ),
        ("an empty token", &|directory| variables(directory, "empty"), true, "the token of Vault is empty"),
        ("no file", &|directory| by_file(directory.join("none")), true, "none/token`: No such file"),
        ("no service account", &|directory| by_kubernetes(directory.join("none")), true, "none/jwt`: No such file"),
        ("a stranger's token", &by_file, false, "or give a new token, if this one is over or revoked"),
        ("a stranger", &by_kubernetes, false, "400 to the login at `auth/kubernetes`; check that `auth/kubernetes` is"),
        ("a role that is unknown", &by_role, false, "the secret identifier is neither over nor used up"),
    ];
    for (who, login, is_known, expected) in rows {
        let double = double();
        if *is_known {
            allow_logins(&double, 3600);
        } else {
            double.state().tokens.clear();
        }
        let asked = Asked::new(&double.url(), LIMITS, login);
        let said = asked.say("app");
        assert!(said.contains(expected), "{who}: {said}");
    }
}

#[test]
fn tokens_are_renewed_at_half_of_their_life_and_replaced_when_they_cannot_be() {
    for login in [by_kubernetes, by_role] {
        let double = double();
        allow_logins(&double, 100);
        let asked = Asked::new(&double.url(), LIMITS, login);
        // What happens before, and what is asked because of it.
        type Row<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);
        let rows: &[Row<'_>] = &[
            ("a first fetch", &|| (), &["login", "read"]),
            ("nothing", &|| asked.pass(49), &["read"]),
            ("half of the life", &|| asked.pass(1), &["renew-self", "read"]),
            ("a life anew", &|| asked.pass(49), &["read"]),
            ("all of the life", &|| asked.pass(51), &["login", "read"]),
            ("a revocation", &|| double.state().tokens.clear(), &["read", "lookup-self", "login", "read"]),
            (
                "a renewal that is refused",
                &|| {
                    double.state().forbidden.push("auth/token/renew-self".to_owned());
                    asked.pass(50);
                },
                &["renew-self", "login", "read"],
            ),
            (
                "a renewal that fails",
                &|| {
                    double.state().faults.push(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec());
                    asked.pass(50);
                },
                &["renew-self", "read"],
            ),
        ];
        for (what, happens, expected) in rows {
            happens();
            double.state().asked.clear();
            assert_eq!(asked.say("app"), format!("{VALUE} @2"), "{what}");
            let last = |asked: &String| match asked.rsplit('/').next() {
                Some("app") => "read".to_owned(),
                other => other.unwrap_or_default().to_owned(),
            };
            assert_eq!(double.asked().iter().map(last).collect::<Vec<_>>(), *expected, "{what}");
        }
    }
}

#[test]
fn a_given_token_is_renewed_and_its_successor_is_noticed() {
    let double = double();
    double.state().tokens.insert(GIVEN.to_owned(), 100);
    let asked = Asked::new(&double.url(), LIMITS, by_file);
    let good = format!("{VALUE} @2");
    assert_eq!(asked.say("app"), good);
    asked.pass(50);
    assert_eq!(asked.say("app"), good);
    let expected =
        ["GET auth/token/lookup-self", "GET secret/data/app", "POST auth/token/renew-self", "GET secret/data/app"];
    assert_eq!(double.asked(), expected);
    double.state().tokens.clear();
    assert!(asked.say("app").contains("or give a new token, if this one is over or revoked"));
    double.state().tokens.insert("hvs.issued-elsewhere".to_owned(), 0);
    std::fs::write(asked.directory.path().join("token"), "hvs.issued-elsewhere\n").unwrap();
    assert_eq!(asked.say("app"), good);
}

/// A token that may do nothing but read secrets is as good as any.
#[test]
fn a_token_that_may_not_ask_about_itself_reads_all_the_same() {
    for login in [by_file, by_role] {
        let double = double();
        allow_logins(&double, 100);
        double.state().forbidden = vec!["auth/token/lookup-self".to_owned(), "secret/data/closed".to_owned()];
        let asked = Asked::new(&double.url(), LIMITS, login);
        for _ in 0..2 {
            assert_eq!(asked.say("app"), format!("{VALUE} @2"));
            assert!(asked.say("closed").contains("allow `read` on `secret/data/closed` in a policy of this identity"));
        }
    }
}

#[test]
fn a_namespace_is_named() {
    let double = double();
    double.state().namespace = Some("team/a".to_owned());
    let without = Asked::new(&double.url(), LIMITS, by_file);
    assert!(without.say("app").starts_with("Vault answered 403"));
    let options = Options {
        address: double.url(),
        namespace: Some("team/a".to_owned()),
        mount: "secret".to_owned(),
        login: by_file(without.directory.path().to_owned()),
    };
    let with = Asked { vault: Vault::new(options, LIMITS, Instant::now), ..without };
    assert_eq!(with.say("app"), format!("{VALUE} @2"));
}

#[test]
fn faults_are_bounded_and_named() {
    let ok = |length: usize, body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    let status = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let malformed = "the answer about `app` is not what Vault answers; check that `address` is that of a Vault";
    let rows = [
        ("oversized", ok(99_000_000, "{"), "the answer is larger than 65536 bytes; check `address`"),
        ("truncated", ok(99, "{\"data\":"), "; check `address`, and the way to it"),
        ("no JSON", ok(18, VALUE), malformed),
        ("another JSON", ok(24, &format!("{{\"a\":\"{VALUE}\"}}")), malformed),
        ("KV of the first version", ok(33, &format!("{{\"data\":{{\"a\":\"{VALUE}\"}}}}")), malformed),
        ("nonsense", "nonsense\r\n\r\n".to_owned(), "; check `address`, and the way to it"),
        ("an error of the server", status("500 Internal Server Error"), "Vault answered 500 for `app`; no remedy"),
        ("haste", status("429 Too Many Requests"), "a longer `refresh_interval` asks less often"),
        (
            "a standby",
            status("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"),
            "redirects are not followed: a standby",
        ),
        ("a bad request", status("400 Bad Request"), "`secret` must be a KV engine, version 2"),
        ("a seal", status("503 Service Unavailable"), "Vault is sealed or not ready: unseal it"),
    ];
    for (what, answer, expected) in rows {
        let double = double();
        let asked = Asked::new(&double.url(), LIMITS, by_file);
        assert_eq!(asked.say("app"), format!("{VALUE} @2"), "{what}");
        double.state().faults.push(answer.into_bytes());
        let said = asked.say("app");
        assert!(said.contains(expected), "{what}: {said}");
        assert_eq!(asked.say("app"), format!("{VALUE} @2"), "{what}");
    }
}

/// However many values are wanted, a Vault that does not answer, or is sealed, is asked once.
#[test]
fn a_vault_that_hands_out_nothing_is_asked_once() {
    let many: Vec<Wanted> = (0..100).map(|number| wanted(&format!("{number}"), Some("token"), None)).collect();
    let double = double();
    let asked = Asked::new(&double.url(), LIMITS, by_file);
    asked.say("app");
    double.state().is_sealed = true;
    double.state().asked.clear();
    for outcome in asked.fetch(&many) {
        assert!(said(&outcome).contains("unseal it"), "{}", said(&outcome));
    }
    assert_eq!(double.asked(), ["GET secret/data/0"]);
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        drip(&mut stream, &[b' '; 1000]);
    });
    let limits = Limits { time: Duration::from_millis(300), ..LIMITS };
    let asked = Asked::new(&format!("http://127.0.0.1:{port}"), limits, by_file);
    for outcome in asked.fetch(&many) {
        assert!(said(&outcome).contains("no complete answer within 300 ms"), "{}", said(&outcome));
    }
}
