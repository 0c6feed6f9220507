//! The examples of `docs/handlers/`, run against the real binary: what a caller sends, what side services are
//! asked, what the upstream sees and what the caller gets. Every handler has its page.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use keyward_core::document::to_json;
use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_handlers::TABLES;
use keyward_server::config::yaml::{Dialect, parse};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/handlers")
}

/// Fenced blocks in order: what they are called, and what they hold.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((name.to_owned(), text.join("\n")));
        }
    }
    blocks
}

/// One request with everything that belongs to it.
#[derive(Default)]
struct Exchange {
    request: String,
    token: Option<Value>,
    asked: Vec<String>,
    upstream: Option<String>,
    answer: Option<String>,
}

/// A page, taken apart.
struct Page {
    config: String,
    rules: String,
    service: Vec<Value>,
    exchanges: Vec<Exchange>,
}

fn read(path: &Path) -> Page {
    let mut page = Page { config: String::new(), rules: String::new(), service: Vec::new(), exchanges: Vec::new() };
    let mut token = None;
    for (name, text) in blocks(&fs::read_to_string(path).unwrap()) {
        match (name.as_str(), page.exchanges.last_mut()) {
            ("yaml config", _) => page.config = text,
            ("yaml rules", _) => page.rules = text,
            ("yaml service", _) => {
                let node = parse(&text, "service", Dialect::Core).unwrap();
                page.service = to_json(&node).as_array().unwrap().clone();
            }
            ("json token", _) => token = Some(serde_json::from_str(&text).unwrap()),
            ("http request", _) => {
                page.exchanges.push(Exchange { request: text, token: token.clone(), ..Exchange::default() });
            }
            ("http asked", Some(exchange)) => exchange.asked.push(text),
            ("http upstream", Some(exchange)) => exchange.upstream = Some(text),
            ("http answer", Some(exchange)) => exchange.answer = Some(text),
            (other, _) => panic!("{}: a block `{other}`", path.display()),
        }
    }
    page
}

/// What a page's names lead to: one upstream, one side service, one issuer.
struct Stage {
    running: Running,
    upstream: Recorder,
    service: Recorder,
    key: SigningKey,
}

impl Stage {
    fn open(page: &Page) -> Self {
        let (upstream, service, issuer) = (Recorder::start(true), Recorder::start(false), Recorder::start(false));
        service.script(page.service.clone());
        let document = generate("RS256", "docs", 0).unwrap();
        let key = SigningKey::read(document.to_string().as_bytes(), None, None).unwrap();
        let published = json!({"keys": [key.public_jwk()]}).to_string();
        issuer.script(vec![json!({"path": "/.well-known/jwks.json", "body": published})]);
        let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        server.write("id-token.json", &json!({"keys": [document]}).to_string());
        let names = ["sessions.internal", "auth.internal", "authz.internal", "keto.internal", "profiles.internal"];
        let resolve = names.iter().map(|name| (*name, service.port));
        let resolve = resolve.chain([("upstream.internal", upstream.port), ("issuer.internal", issuer.port)]);
        let resolve: Vec<String> = resolve.map(|(name, port)| format!("{name}:80:127.0.0.1:{port}")).collect();
        let config = page.config.replace("/etc/keyward", &server.path("").display().to_string());
        let server = server.with(&config, &page.rules).env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve.join(","));
        let running = server.env("JIRA_BASIC_AUTH", "user:token").start();
        Self { running, upstream, service, key }
    }

    fn play(&self, exchange: &Exchange, place: &str) {
        let request = self.written(exchange);
        let answer = self.running.send(&request).unwrap();
        let seen = json!({
            "start": answer.start, "headers": answer.headers, "body": answer.text(),
        });
        let expected = exchange.answer.as_ref().unwrap_or_else(|| panic!("{place}: no answer is shown"));
        fits(expected, &seen, place);
        let upstream = self.upstream.take();
        assert_eq!(upstream.len(), usize::from(exchange.upstream.is_some()), "{place}: {upstream:?}");
        for (expected, seen) in exchange.upstream.iter().zip(&upstream) {
            fits(expected, &as_message(seen), &format!("{place}, upstream"));
        }
        let asked = self.service.take();
        assert_eq!(asked.len(), exchange.asked.len(), "{place}: {asked:?}");
        for (expected, seen) in exchange.asked.iter().zip(&asked) {
            fits(expected, &as_message(seen), &format!("{place}, side service"));
        }
    }

    /// The request as bytes, with its token signed.
    fn written(&self, exchange: &Exchange) -> String {
        let (head, body) = exchange.request.split_once("\n\n").unwrap_or((&exchange.request, ""));
        let mut head = head.replace('\n', "\r\n");
        if let Some(mut claims) = exchange.token.clone() {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            claims["iat"] = now.into();
            claims["exp"] = (now + 60).into();
            head = head.replace("<token>", &self.key.sign(&claims).unwrap());
        }
        if !body.is_empty() {
            head.push_str(&format!("\r\nContent-Length: {}", body.len()));
        }
        format!("{head}\r\nConnection: close\r\n\r\n{body}")
    }
}

/// A recorded request in the shape of an answer.
fn as_message(seen: &Value) -> Value {
    let start = format!("{} {} HTTP/1.1", seen["method"].as_str().unwrap(), seen["target"].as_str().unwrap());
    json!({"start": start, "headers": seen["headers"], "body": seen["body"]})
}

/// Whether a message is what a page shows of it.
fn fits(expected: &str, seen: &Value, place: &str) {
    let (head, body) = expected.split_once("\n\n").map_or((expected, None), |(head, body)| (head, Some(body)));
    let mut lines = head.lines();
    assert_eq!(seen["start"].as_str(), lines.next(), "{place}");
    let values = |name: &str| -> Vec<String> {
        let headers = seen["headers"].as_array().unwrap().iter();
        let named = headers.filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name));
        named.map(|header| header[1].as_str().unwrap().to_owned()).collect()
    };
    for line in lines {
        if let Some(name) = line.strip_prefix('-') {
            assert!(values(name).is_empty(), "{place}: `{name}` is there: {:?}", values(name));
            continue;
        }
        let (name, value) = line.split_once(':').unwrap();
        let found = values(name);
        assert!(found.iter().any(|found| agrees(value.trim(), found)), "{place}: `{line}`: {found:?}");
    }
    if let Some(body) = body {
        let found = seen["body"].as_str().unwrap().trim();
        assert!(agrees(body.trim(), found), "{place}: {body}\n{found}");
    }
}

/// `…` stands for any text.
fn agrees(expected: &str, found: &str) -> bool {
    let parts: Vec<&str> = expected.split('…').collect();
    let [first, .., last] = &parts[..] else { return expected == found };
    let Some(mut rest) = found.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[test]
fn every_handler_has_its_page() {
    let groups: BTreeMap<&str, Vec<&str>> = [
        ("authenticators", TABLES.authenticators.all.iter().map(|kind| kind.id()).collect()),
        ("authorizers", TABLES.authorizers.all.iter().map(|kind| kind.id()).collect()),
        ("mutators", TABLES.mutators.all.iter().map(|kind| kind.id()).collect()),
        ("error_handlers", TABLES.error_handlers.all.iter().map(|kind| kind.id()).collect()),
    ]
    .into();
    for (group, mut ids) in groups {
        let entries = fs::read_dir(root().join(group)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut pages: Vec<String> = names.map(|name| name.strip_suffix(".md").unwrap().to_owned()).collect();
        pages.sort();
        ids.sort_unstable();
        assert_eq!(pages, ids, "{group}");
    }
}

fn play(group: &str) {
    for entry in fs::read_dir(root().join(group)).unwrap() {
        let path = entry.unwrap().path();
        let page = read(&path);
        let name = format!("{group}/{}", path.file_stem().unwrap().to_string_lossy());
        assert!(!page.exchanges.is_empty(), "{name} has no example");
        let stage = Stage::open(&page);
        for (number, exchange) in page.exchanges.iter().enumerate() {
            stage.play(exchange, &format!("{name}, example {}", number + 1));
        }
    }
}

#[test]
fn the_examples_of_authenticators_are_true() {
    play("authenticators");
}

#[test]
fn the_examples_of_authorizers_are_true() {
    play("authorizers");
}

#[test]
fn the_examples_of_mutators_are_true() {
    play("mutators");
}

#[test]
fn the_examples_of_error_handlers_are_true() {
    play("error_handlers");
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    for (expected, found, agree) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "ab", true),
        ("…b…d", "abcd", true),
        ("…b…d", "acd", false),
        ("ab…bc", "abc", false),
    ] {
        assert_eq!(agrees(expected, found), agree, "{expected} {found}");
    }
}
