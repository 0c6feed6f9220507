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

fn registry() -> KeySetRegistry {
    install_provider();
    let metrics = Metrics::new(&MetricsSettings {
        listener: ListenerSettings { key: "x", host: String::new(), port: 0, tls: None },
        prefix: String::new(),
        labels: crate::metrics::PathLabels { hide: false, collapse: true },
    });
    let client = HttpClient::new(Resolver::default(), client_config(&[], &[b"http/1.1"]).unwrap());
    KeySetRegistry::new(Fetching {
        runtime: Handle::current(),
        terms: Arc::new(ArcSwap::from_pointee(Terms {
            client,
            settings: KeySetSettings { refresh: Duration::from_secs(30), max_wait: Duration::from_secs(2) },
        })),
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

fn set(key_id: &str) -> String {
    let body = json!({"keys": [generate("ES256", key_id, 0).unwrap()]}).to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
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
        assert_eq!(registry.missing(None), [url]);
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
    assert_eq!(registry.missing(None), [format!("{url}?[redacted]")]);
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
