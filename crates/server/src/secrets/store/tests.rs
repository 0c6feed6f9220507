//! Sources that are asked, without a network: what they answer is scripted.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use keyward_core::credential::Absent;
use keyward_core::diagnostic::Origin;
use keyward_core::hosts::Hosts;
use keyward_core::ports::LocalFuture;
use keyward_core::secret::Secret;

use super::*;
use crate::config::settings::proxy::UpstreamSettings;
use crate::config::settings::secrets::NamedSecret;
use crate::secrets::backend::{Backend, Failure, Fetched, Value, Wanted};
use crate::upstream::addresses::AddressPolicy;
use crate::upstream::outbound::Outbound;
use crate::upstream::tls::install_provider;

/// Gives one answer after the other.
#[derive(Debug)]
struct Scripted(Mutex<Vec<Vec<Fetched>>>);

impl Backend for Scripted {
    fn fetch<'a>(&'a self, _: &'a HttpClient, _: &'a [Wanted]) -> LocalFuture<'a, Vec<Fetched>> {
        Box::pin(std::future::ready(self.0.lock().unwrap().remove(0)))
    }
}

fn value(text: &str, version: &str) -> Fetched {
    Ok(Value { secret: Secret::new(text), version: version.to_owned() })
}

fn source(name: &str, secrets: &[&str], answers: Vec<Vec<Fetched>>) -> SourceSettings {
    let origin = Origin::whole("test");
    let secret = |name: &&str| NamedSecret {
        name: (*name).to_owned(),
        wanted: Wanted { id: (*name).to_owned(), field: None, version: None },
        hosts: Hosts::parse(&["acme.net"]).ok(),
        origin: origin.clone(),
    };
    let mut fingerprint = [0; 32];
    fingerprint[..name.len()].copy_from_slice(name.as_bytes());
    SourceSettings {
        kind: "vault",
        name: name.to_owned(),
        place: Place::Asked { backend: Arc::new(Scripted(Mutex::new(answers))), name: name.to_owned() },
        hosts: None,
        secrets: secrets.iter().map(secret).collect(),
        origin: origin.clone(),
        fingerprint,
    }
}

fn client() -> HttpClient {
    install_provider();
    let second = Duration::from_secs(1);
    let settings = UpstreamSettings {
        ca_files: Vec::new(),
        resolve: Vec::new(),
        addresses: AddressPolicy::default(),
        connect_timeout: second,
        idle_timeout: second,
        response_header_timeout: second,
        stream_idle_timeout: second,
    };
    Outbound::new(&settings).unwrap().http_client()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn settings(sources: Vec<SourceSettings>) -> SecretSettings {
    SecretSettings {
        max_stale: Duration::from_secs(60),
        refresh_interval: Duration::from_secs(60),
        sources,
        traceable: true,
    }
}

fn version(found: Result<keyward_core::credential::NamedSecret, Absent>) -> String {
    found.map_or_else(|absent| absent.cause, |secret| secret.version.to_string())
}

#[test]
fn a_source_that_answers_in_part_keeps_what_it_had_and_heals() {
    run(async {
        let (client, store) = (client(), SecretStore::default());
        let down = || Err(Failure::new("access denied").remedy("allow `GetSecretValue`"));
        let answers = vec![
            vec![value("1", "v1"), down()],
            vec![down(), value("2", "v2")],
            vec![value("3", "v3"), value("4", "v4")],
            // Fewer answers than were asked for are failures.
            vec![value("5", "v5")],
        ];
        let written = settings(vec![source("a", &["one", "two"], answers)]);
        store.replace(written.max_stale, store.renewed(&written, &client).await);
        let state = |expected: SourceState, one: &str, two: &str| {
            let sources = store.sources();
            let view = sources.view(Instant::now());
            let found = ["one", "two"].map(|name| version(view.find(name)));
            assert_eq!((found, store.reports()[0].state), ([one.to_owned(), two.to_owned()], expected));
        };
        let again = async || {
            let settings = store.sources().all[0].settings.clone();
            store.take(&settings, attempt(&settings, &client).await).unwrap()
        };
        state(SourceState::Missing, "v1", "vault `a`: access denied");
        assert_eq!(store.reports()[0].problem.as_deref(), Some("`two`: access denied"));
        again().await;
        // It has never given everything at once.
        state(SourceState::Missing, "v1", "v2");
        again().await;
        state(SourceState::Fresh, "v3", "v4");
        again().await;
        state(SourceState::Stale, "v5", "v4");
        let old = Instant::now() + Duration::from_secs(61);
        let view = store.sources().view(old);
        assert_eq!(
            version(view.find("two")),
            "vault `a` has not confirmed it for longer than `secrets.max_stale`: no answer"
        );
    });
}

#[test]
fn new_settings_keep_what_is_known_of_sources_that_are_written_as_before() {
    run(async {
        let (client, store) = (client(), SecretStore::default());
        let one = || source("a", &["one"], vec![vec![value("1", "v1")]]);
        let first = settings(vec![one()]);
        store.replace(first.max_stale, store.renewed(&first, &client).await);
        let more = settings(vec![source("b", &["two"], vec![vec![value("2", "v2")]]), one()]);
        let renewed = store.renewed(&more, &client).await;
        // Meanwhile the old source is asked again.
        let known = store.sources().all[0].settings.clone();
        store.take(&known, Ok(vec![("one".to_owned(), value("3", "v3"))]));
        store.replace(more.max_stale, store.up_to_date(renewed));
        let view = store.sources().view(Instant::now());
        assert_eq!([version(view.find("one")), version(view.find("two"))], ["v3", "v2"]);
        // What is no longer in force takes nothing.
        store.replace(more.max_stale, Vec::new());
        assert!(store.take(&known, Ok(Vec::new())).is_none());
    });
}

#[test]
fn a_name_of_two_sources_stands_for_neither() {
    run(async {
        let (client, store) = (client(), SecretStore::default());
        let of = |name: &str| source(name, &["one"], vec![vec![value("1", "v1")]]);
        let all = store.renewed(&settings(vec![of("a"), of("b")]), &client).await;
        store.replace(Duration::from_secs(60), all);
        let view = store.sources().view(Instant::now());
        assert_eq!(version(view.find("one")), "vault `b` has it, and another source has it, too");
    });
}
