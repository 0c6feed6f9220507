//! Vault as Keyward asks it, with a clock that a test moves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward_core::secret::Secret;
use keyward_server::http_client::{HttpClient, Limits};
use keyward_server::secrets::backend::{Backend, Fetched, Wanted};
use keyward_server::secrets::vault::{Credentials, Given, Login, Options, Vault};
use keyward_server::upstream::resolve::Resolver;
use keyward_server::upstream::tls::client_config;
use keyward_testkit::vault::{APPROLE, KUBERNETES, MOUNT, ROLE, ROLE_ID, SECRET_ID, Server, account_token};
use serde_json::json;

pub(crate) const LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: 64 * 1024 };
pub(crate) const VALUE: &str = "s3cr3t-of-the-test";
pub(crate) const GIVEN: &str = "given-to-keyward";

/// Whoever asks.
pub(crate) struct Asked {
    vault: Vault,
    client: HttpClient,
    seconds: Arc<AtomicU64>,
    pub(crate) directory: tempfile::TempDir,
}

impl Asked {
    pub(crate) fn of(server: &dyn Server, login: impl Fn(PathBuf) -> Login) -> Self {
        Self::at(&server.front().url(), LIMITS, login, |_| ())
    }

    /// Somebody whose settings are not the usual ones.
    pub(crate) fn at(
        address: &str,
        limits: Limits,
        login: impl Fn(PathBuf) -> Login,
        set: impl Fn(&mut Options),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let account = format!("{}\n", account_token());
        for (name, text) in [("token", GIVEN), ("jwt", &account), ("secret-id", SECRET_ID), ("empty", "")] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let login = login(directory.path().to_owned());
        let mut options = Options { address: address.to_owned(), namespace: None, mount: MOUNT.to_owned(), login };
        set(&mut options);
        let (begun, seconds) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let passed = seconds.clone();
        let clock = move || begun + Duration::from_secs(passed.load(Ordering::Relaxed));
        let client = HttpClient::new(Resolver::default(), client_config(&[], &[b"http/1.1"]).unwrap());
        Self { vault: Vault::new(options, limits, clock), client, seconds, directory }
    }

    /// Seconds go by, for Keyward alone.
    pub(crate) fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn fetch(&self, wanted: &[Wanted]) -> Vec<Fetched> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcomes = runtime.block_on(self.vault.fetch(&self.client, wanted));
        assert_eq!(outcomes.len(), wanted.len());
        let shown = format!("{outcomes:?}{:?}", self.vault);
        for secret in [VALUE, GIVEN, SECRET_ID, &account_token()] {
            assert!(!shown.contains(secret), "{shown}");
        }
        outcomes
    }

    /// What comes of one value.
    pub(crate) fn say(&self, id: &str) -> String {
        said(&self.fetch(&[wanted(id, Some("token"), None)])[0])
    }
}

pub(crate) fn wanted(id: &str, field: Option<&str>, version: Option<&str>) -> Wanted {
    Wanted { id: id.to_owned(), field: field.map(str::to_owned), version: version.map(str::to_owned) }
}

/// The value with its version, or the cause with the remedy.
pub(crate) fn said(outcome: &Fetched) -> String {
    match outcome {
        Ok(value) => format!("{} @{}", value.secret.expose(), value.version),
        Err(failure) => format!("{failure}; {}", failure.remedy.as_deref().unwrap_or("no remedy")),
    }
}

/// Puts the secret `app` there, the second version of which is current; and says so.
pub(crate) fn fill(server: &dyn Server) -> String {
    server.put("app", &json!({"token": "older"}));
    server.put("app", &json!({"token": VALUE, "number": 7, "list": [VALUE]}));
    format!("{VALUE} @2")
}

pub(crate) fn by_file(directory: PathBuf) -> Login {
    Login::Given(Given::File(directory.join("token")))
}

pub(crate) fn by_kubernetes(directory: PathBuf) -> Login {
    let credentials = Credentials::Kubernetes { role: ROLE.to_owned(), token_file: directory.join("jwt") };
    Login::Method { mount: KUBERNETES.to_owned(), credentials }
}

pub(crate) fn by_role(directory: PathBuf) -> Login {
    by_role_of(ROLE_ID, directory)
}

pub(crate) fn by_role_of(role_id: &str, directory: PathBuf) -> Login {
    let secret_id_file = directory.join("secret-id");
    let credentials = Credentials::AppRole { role_id: Secret::new(role_id), secret_id_file };
    Login::Method { mount: APPROLE.to_owned(), credentials }
}
