#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward_core::jwt::generate::generate;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::config::settings::listeners::{ListenerSettings, MetricsSettings};
use crate::upstream::resolve::Resolver;
use crate::upstream::tls::{client_config, install_provider};

const SETTINGS: KeySetSettings = KeySetSettings {
    refresh: Duration::from_secs(30),
    max_wait: Duration::from_secs(2),
    max_stale: Duration::from_secs(3600),
};

fn registry() -> KeySetRegistry {
    registry_under(SETTINGS)
}

fn registry_under(settings: KeySetSettings) -> KeySetRegistry {
    install_provider();
    let metrics = Metrics::new(&MetricsSettings {
        listener: ListenerSettings { key: "x", host: String::new(), port: 0, tls: None },
        prefix: String::new(),
        labels: crate::metrics::PathLabels { hide: false, collapse: true },
    });
    let client = HttpClient::new(Resolver::default(), client_config(&[], &[b"http/1.1"]).unwrap());
    KeySetRegistry::new(Fetching {
        runtime: Handle::current(),
        terms: Arc::new(ArcSwap::from_pointee(Terms { client, settings })),
        changed: Arc::default(),
        metrics,
    })
}

/// A server that answers every connection with the next of `answers`, the last one forever.
async fn server(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let number = count.fetch_add(1, Ordering::SeqCst);
            let answer = answers[number.min(answers.len() - 1)].clone();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn set(key_id: &str) -> String {
    ok(&json!({"keys": [generate("ES256", key_id, 0).unwrap()]}).to_string())
}

/// Names of what is not there.
fn missing(registry: &KeySetRegistry) -> Vec<String> {
    let reports = registry.reports(None).into_iter();
    reports.filter(|report| report.state == SourceState::Missing).map(|report| report.name).collect()
}

/// What is said about the only set, once it is as expected.
async fn report_when(registry: &KeySetRegistry, is_expected: impl Fn(&SourceReport) -> bool) -> SourceReport {
    let wait = async {
        loop {
            match registry.reports(None).pop() {
                Some(report) if is_expected(&report) => return report,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}

#[tokio::test]
async fn one_source_per_location_fetched_once_for_many_waiters() {
    let (url, served) = server(vec![set("a")]).await;
    let registry = registry();
    let (one, other) = (registry.open(&url).unwrap(), registry.open(&url).unwrap());
    assert!(one.current().is_none());
    let local = tokio::task::LocalSet::new();
    local.run_until(async { tokio::join!(one.refresh(), other.refresh(), one.refresh()) }).await;
    assert_eq!(one.current().unwrap().len(), 1);
    assert_eq!((served.load(Ordering::SeqCst), registry.in_force()), (1, 1));
    // Unknown key ids: at most one fetch in ten seconds, and nobody waits in vain.
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        one.refresh().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn faults_leave_no_set_and_say_so() {
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n{}", "x".repeat(2_000_000));
    for answer in [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<a/>".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{".to_owned(),
        huge,
        "garbage".to_owned(),
    ] {
        let (url, _) = server(vec![answer]).await;
        let registry = registry();
        let source = registry.open(&url).unwrap();
        registry.first_fetches().await;
        assert!(source.current().is_none());
        assert_eq!(missing(&registry), [url]);
    }
}

#[tokio::test]
async fn a_source_that_recovers_is_used() {
    let (url, _) = server(vec!["HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n".to_owned(), set("a")]).await;
    let registry = registry();
    let source = registry.open(&url).unwrap();
    registry.first_fetches().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    source.refresh().await;
    assert!(source.current().is_some());
}

/// Nothing that comes takes the place of a good set, unless it is one; and what is wrong is said.
#[tokio::test]
async fn a_source_that_fails_leaves_the_last_good_set() {
    let huge = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(2_000_000));
    let many = json!({"keys": vec![json!({"kty": "none"}); 257]}).to_string();
    let rows = [
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(), "status 500"),
        (ok(""), "not a JSON object"),
        (ok("<html>Sign in</html>"), "not a JSON object"),
        (ok("{\"keys\": ["), "not a JSON object"),
        (ok("{}"), "no `keys` list"),
        (ok(&many), "more than 256 keys"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"keys\"".to_owned(), ""),
        (huge, ""),
        ("garbage\r\n\r\n".to_owned(), ""),
        (String::new(), ""),
    ];
    let mut running = tokio::task::JoinSet::new();
    for (answer, problem) in rows {
        running.spawn(async move {
            let (url, _) = server(vec![set("a"), answer.clone(), set("b")]).await;
            let registry = registry_under(KeySetSettings { refresh: Duration::from_secs(1), ..SETTINGS });
            let source = registry.open(&url).unwrap();
            let report = report_when(&registry, |report| report.state != SourceState::Missing).await;
            assert_eq!((report.state, report.problem), (SourceState::Fresh, None));
            let good = source.current().unwrap().revision();
            let report = report_when(&registry, |report| report.state == SourceState::Stale).await;
            let said = report.problem.unwrap();
            assert!(!said.is_empty() && said.contains(problem), "{answer:.60}: {said}");
            assert_eq!((source.current().map(|set| set.revision()), registry.in_force()), (Some(good), 1));
            // It comes back by itself, with other keys.
            let report = report_when(&registry, |report| report.state == SourceState::Fresh).await;
            assert_eq!(report.problem, None);
            assert_ne!(source.current().unwrap().revision(), good);
            assert_eq!(registry.failures(), [(url, 1)]);
        });
    }
    while let Some(row) = running.join_next().await {
        row.unwrap();
    }
}

#[tokio::test]
async fn a_set_that_comes_in_drops_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".iter();
        for byte in head.copied().chain(std::iter::repeat(b' ')) {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let registry = registry();
    let _source = registry.open(&url).unwrap();
    let report = report_when(&registry, |report| report.problem.is_some()).await;
    assert!(report.problem.unwrap().contains("no complete answer within"));
}

/// The time that counts is that of a clock which nobody sets: `Instant`.
#[tokio::test]
async fn a_set_counts_no_more_once_it_is_too_old_and_again_when_it_may_be_older() {
    let gone = "HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (url, _) = server(vec![set("a"), gone]).await;
    let short =
        KeySetSettings { refresh: Duration::from_millis(100), max_stale: Duration::from_millis(900), ..SETTINGS };
    let registry = registry_under(short);
    let source = registry.open(&url).unwrap();
    report_when(&registry, |report| report.state == SourceState::Stale).await;
    let report = report_when(&registry, |report| report.state == SourceState::Missing).await;
    assert_eq!((report.age, report.problem.as_deref()), (None, Some("status 404 Not Found")));
    assert_eq!((source.current().is_some(), registry.in_force(), source.publishes(0, 0)), (false, 0, false));
    // During an outage an operator may want it to count for longer.
    let client = HttpClient::new(Resolver::default(), client_config(&[], &[b"http/1.1"]).unwrap());
    registry.adopt(Terms { client, settings: SETTINGS });
    assert!(source.current().is_some());
    assert_eq!(registry.reports(None)[0].state, SourceState::Stale);
}

/// An issuer that takes back all its keys is believed, as one that takes back one of them.
#[tokio::test]
async fn a_set_without_keys_takes_the_place_of_one_with_keys_and_is_named() {
    let (url, _) = server(vec![set("a"), ok("{\"keys\": []}")]).await;
    let registry = registry_under(KeySetSettings { refresh: Duration::from_millis(300), ..SETTINGS });
    let source = registry.open(&url).unwrap();
    let report = report_when(&registry, |report| report.problem.is_some()).await;
    assert_eq!(report.state, SourceState::Fresh);
    assert!(report.problem.unwrap().contains("every token is refused"));
    assert!(source.current().unwrap().is_empty());
}

#[tokio::test]
async fn what_no_rule_uses_is_not_reported() {
    let registry = registry();
    let source = registry.open("file:///nonexistent/one.json").unwrap();
    let idle = registry.open_signing("file:///nonexistent/idle.json").unwrap();
    let names = |idle| registry.reports(idle).into_iter().map(|report| report.name).collect::<Vec<_>>();
    assert_eq!(names(None), ["file:///nonexistent/idle.json", "file:///nonexistent/one.json"]);
    assert_eq!(names(Some("file:///nonexistent/idle.json")), ["file:///nonexistent/one.json"]);
    drop((source, idle));
    // The task that fetches may hold one for a moment longer.
    tokio::time::timeout(Duration::from_secs(20), async {
        while !registry.reports(None).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_file_that_is_none_or_never_ends_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("long.json");
    std::fs::write(&long, " ".repeat(2 * 1024 * 1024)).unwrap();
    let path = |path: &std::path::Path| Location::parse(&format!("file://{}", path.display())).unwrap();
    let client = HttpClient::new(Resolver::default(), {
        install_provider();
        client_config(&[], &[b"http/1.1"]).unwrap()
    });
    for (place, expected) in [
        (path("/dev/zero".as_ref()), "not a regular file"),
        (path(directory.path()), "not a regular file"),
        (path(&long), "larger than 1 MiB"),
        (path(&directory.path().join("none.json")), "No such file"),
    ] {
        let error = place.fetch(&client).await.unwrap_err();
        assert!(error.contains(expected), "{place:?}: {error}");
    }
}

#[tokio::test]
async fn the_query_of_a_location_is_asked_for_and_not_shown() {
    let (url, _) = server(vec!["HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n".to_owned()]).await;
    let registry = registry();
    let _source = registry.open(&format!("{url}?key=s3cr3t")).unwrap();
    registry.first_fetches().await;
    assert_eq!(missing(&registry), [format!("{url}?[redacted]")]);
}

#[test]
fn locations_are_read_as_the_reference_reads_them() {
    for url in ["file:///keys.json", "FILE:///keys.json", "file:/keys.json"] {
        let parsed = Location::parse(url);
        assert!(matches!(&parsed, Ok(Location::File(path)) if path.as_os_str() == "/keys.json"), "{url}: {parsed:?}");
    }
    for url in ["http://u:p@host/a//b/../c d#e", "HTTPS://host"] {
        assert!(Location::parse(url).is_ok(), "{url}");
    }
}

#[test]
fn locations_that_cannot_be_used_say_why() {
    let rows = [
        ("file://", "it names no file: write `file:///path`"),
        ("file:///a%zz", "needs two hexadecimal digits"),
        ("file:keys.json", "is not a location of a key set"),
        ("ftp://x", "is not a location of a key set"),
        ("x.json", "is not a location of a key set"),
        ("s3://bucket", "it names no object"),
        ("http://", "is not usable"),
    ];
    for (url, expected) in rows {
        let error = KeySetRegistry::offline().open(url).err().unwrap();
        assert!(error.contains(expected), "{url}: {error}");
    }
}
