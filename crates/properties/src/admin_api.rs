//! Whatever comes to the API port, each route is reached by its own path only, however that is written; no answer holds a
//! secret, and nothing panics.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use keyward_core::secret::Secret;
use keyward_server::api::Api;
use keyward_server::audit::ids::RequestIds;
use keyward_server::audit::writer::AuditLog;
use keyward_server::config::settings::{self, listeners::PortTimeouts};
use keyward_server::config::yaml::{self, Dialect};
use keyward_server::courtesy::Courtesy;
use keyward_server::http_server::{Arrived, Handler, connection};
use keyward_server::keys::KeySetRegistry;
use keyward_server::metrics::Metrics;
use keyward_server::redaction;
use keyward_server::repository::documents::Documents;
use keyward_server::repository::standing::Standings;
use keyward_server::serving::{Live, Serving};
use keyward_server::snapshot::Snapshot;
use keyward_server::upstream::outbound::Outbound;
use keyward_server::upstream::tls::install_provider;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::head::MAX_FIELDS;
use crate::world;

/// Written where everybody who sees rules sees it.
const SECRET: &str = "0f-the-4pi-a-s3cr3t";
const RULES: &str = r#"[{"id": "..", "description": "see 0f-the-4pi-a-s3cr3t", "match": {"url": "http://h/<.*>", "methods": ["GET"]},
    "authenticators": [{"handler": "anonymous"}], "authorizer": {"handler": "deny"},
    "mutators": [{"handler": "header", "config": {"headers": {"A": "0f-the-4pi-a-s3cr3t"}}}], "upstream": {"url": "http://u"}}]"#;
const CONFIGURATION: &str = "audit: {sink: 'off'}\nauthenticators: {anonymous: {enabled: true}}\nauthorizers: {deny: {enabled: true}}\n\
    mutators: {header: {enabled: true}}\naccess_rules: {matching_strategy: regexp, repositories: ['inline://RULES']}\n";
/// What a panic is answered with.
const PANICKED: &[u8] = b"\r\n\r\ninternal error\n";

/// A runtime, and what answers in it.
struct Port {
    runtime: tokio::runtime::Runtime,
    handler: Handler,
}

thread_local! {
    static PORT: Port = Port::new();
}

pub(crate) fn check(data: &[u8]) {
    let answer = PORT.with(|port| port.answer(data));
    let shown = || format!("{:?}: {:?}", data.escape_ascii().to_string(), String::from_utf8_lossy(&answer));
    let holds = |bytes: &[u8]| answer.windows(bytes.len()).any(|part| part == bytes);
    assert!(!holds(SECRET.as_bytes()) && !holds(PANICKED), "{}", shown());

    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let is_first = answer.starts_with(b"HTTP/1.1 200 ") || answer.starts_with(b"HTTP/1.0 200 ");
    if !is_first || !matches!(request.parse(data), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let path = request.path.and_then(|target| target.parse::<Uri>().ok()).map(|uri| uri.path().to_owned());
    let path = path.unwrap_or_else(|| panic!("what is no URI is answered: {}", shown()));
    let wanted = route(&path);
    let body = answer.windows(4).position(|part| part == b"\r\n\r\n").map_or(&answer[..0], |end| &answer[end + 4..]);
    match request.method {
        Some("GET") => assert_eq!(reached(body), wanted, "{}", shown()),
        Some("HEAD") => assert!(wanted.is_some(), "{}", shown()),
        _ => panic!("another method reaches something: {}", shown()),
    }
}

/// The route of a path as a reader who knows nothing of this one reads it.
fn route(path: &str) -> Option<&'static str> {
    // An id that is encoded is one segment, whatever it says.
    let id = path.strip_prefix("/rules/").filter(|id| !matches!(*id, "" | "." | "..") && !id.contains('/'));
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split('/') {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        match &*decoded {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(decoded),
        }
    }
    let segments: Vec<&[u8]> = segments.iter().map(|segment| &**segment).collect();
    match &*segments {
        _ if id.is_some() => Some("a rule"),
        [b"health", b"alive" | b"ready"] => Some("health"),
        [b"version"] => Some("version"),
        [b"metrics"] => Some("metrics"),
        [b".well-known", b"jwks.json"] => Some("keys"),
        [b"rules"] => Some("rules"),
        [b"rules", _] => Some("a rule"),
        _ => None,
    }
}

/// The route that a body is from.
fn reached(body: &[u8]) -> Option<&'static str> {
    let starts = [
        (&b"{\"status\":\"ok\""[..], "health"),
        (b"{\"version\":", "version"),
        (b"# HELP", "metrics"),
        (b"{\"keys\":", "keys"),
        (b"[", "rules"),
        (b"{\"id\":", "a rule"),
    ];
    starts.iter().find(|(start, _)| body.starts_with(start)).map(|(_, route)| *route)
}

impl Port {
    fn new() -> Self {
        install_provider();
        redaction::known().learn("the property of the API", [&Secret::new(SECRET)]);
        let configuration = CONFIGURATION.replace("RULES", &STANDARD.encode(RULES));
        let node = yaml::parse(&configuration, "configuration", Dialect::Core).unwrap();
        let (settings, _) = settings::check(&node).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let inside = runtime.enter();
        let outbound = Outbound::new(&settings.proxy.upstream).unwrap();
        let serving = Arc::new(Serving::new(&settings, outbound.clone(), None).unwrap());
        let outside = world::outside();
        let built = Snapshot::build(&settings, &Documents::offline(), 4455, &outside, 1, &Courtesy::none()).unwrap();
        assert_eq!(built.snapshot.rules.rules().len(), 1);
        let audit = AuditLog::start(&settings.audit, &outbound).unwrap();
        let api = Api {
            live: Arc::new(ArcSwap::from_pointee(Live { snapshot: built.snapshot, serving })),
            keys: Arc::new(KeySetRegistry::offline()),
            repositories: Arc::new(Standings::default()),
            metrics: Metrics::new(&settings.metrics),
            audit: audit.handle(),
            request_ids: RequestIds::new(),
            audit_state: audit.state().clone(),
            sources: Vec::new(),
            was_ready: Cell::new(false),
        };
        let handler = Rc::new(api).handler();
        drop(inside);
        Self { runtime, handler }
    }

    /// All that comes back when these bytes are all that comes.
    fn answer(&self, data: &[u8]) -> Vec<u8> {
        let arrived = Arrived { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), tls: false };
        tokio::task::LocalSet::new().block_on(&self.runtime, async {
            let (caller, server) = tokio::io::duplex(1 << 20);
            let (end, shutdown) = watch::channel(false);
            let handler = self.handler.clone();
            tokio::task::spawn_local(connection(server, arrived, PortTimeouts::default(), handler, shutdown));
            let (mut reader, mut writer) = tokio::io::split(caller);
            // It may have been given up already.
            let _ = writer.write_all(data).await;
            // Nothing here waits for anything outside: by then it is answered. Who leaves before that gets no answer.
            settled().await;
            let _ = end.send(true);
            settled().await;
            let _ = writer.shutdown().await;
            let mut answer = Vec::new();
            let _ = reader.read_to_end(&mut answer).await;
            answer
        })
    }
}

/// Lets everything go on that can.
async fn settled() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_reached_by_its_own_path() {
        for (path, expected) in [
            ("/health/alive", Some("health")),
            ("//version", Some("version")),
            ("/rules/../metrics", Some("metrics")),
            ("/.well-known/jwks.json", Some("keys")),
            ("/rules", Some("rules")),
            ("/rules/%2E%2E", Some("a rule")),
            ("/versionx", None),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
            let answer = PORT.with(|port| port.answer(request.as_bytes()));
            let text = String::from_utf8_lossy(&answer);
            let (_, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {path}"));
            assert_eq!((reached(body.as_bytes()), route(path)), (expected, expected), "{path}: {text}");
            check(request.as_bytes());
        }
    }
}
