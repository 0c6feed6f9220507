//! A handler that panics, on a real core with real sockets: its request is answered and recorded, and nothing
//! else notices.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Node, Value};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::shared::Shared;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authorizer, AuthorizerKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;
use keyward_core::rule::alike::Alike;
use keyward_core::rule::compile::Compiler;
use keyward_core::rule::handlers::{HandlerSetting, HandlerTables, Table};
use keyward_core::rule::model::read_rule;
use keyward_core::rule::rule_set::{Authorities, RuleSet};
use keyward_core::session::Session;
use keyward_handlers::TABLES;
use keyward_server::audit::writer::AuditLog;
use keyward_server::config::load::load;
use keyward_server::config::settings::Settings;
use keyward_server::courtesy::Courtesy;
use keyward_server::metrics::Metrics;
use keyward_server::outside::Lasting;
use keyward_server::proxy::workers::{WorkerSetup, start};
use keyward_server::repository::documents::Documents;
use keyward_server::serving::{Live, Serving};
use keyward_server::snapshot::Snapshot;
use keyward_server::upstream::outbound::Outbound;
use keyward_server::upstream::tls::install_provider;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::PATIENCE;
use keyward_testkit::wire::{Message, read_response};
use serde_json::json;
use tokio::sync::watch;

/// Panics for `/at-once` and, having waited, for `/later`; allows the rest.
struct Panicking;

impl HandlerKind for Panicking {
    fn id(&self) -> &'static str {
        "panicking"
    }

    fn settings(&self, _: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }
}

impl AuthorizerKind for Panicking {
    fn bind(&self, _: &Node, _: &BindContext<'_>) -> Result<Box<dyn Authorizer>, Diagnostic> {
        Ok(Box::new(Panicking))
    }
}

impl Authorizer for Panicking {
    fn authorize<'a>(
        &'a self,
        request: &'a GatedRequest,
        _: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        match request.path() {
            "/at-once" => panic!("in a test"),
            "/later" => Step::Pending(Box::pin(async {
                tokio::task::yield_now().await;
                panic!("in a test")
            })),
            _ => Step::Ready(Ok(())),
        }
    }
}

/// What a configuration without rules comes to, and the one rule whose authorizer panics.
fn snapshot(settings: &mut Settings, upstream: u16) -> Snapshot {
    let origin = Origin::whole("test");
    let config = Node { value: Value::Map(Vec::new()), origin };
    settings.handlers.authorizers.insert("panicking".to_owned(), HandlerSetting { enabled: true, config });
    let outside = Lasting::offline(settings).under(settings);
    let mut snapshot =
        Snapshot::build(settings, &Documents::offline(), 0, &outside, 1, &Courtesy::none()).unwrap().snapshot;
    let kinds: [&dyn AuthorizerKind; 1] = [&Panicking];
    let compiler = Compiler {
        handlers: HandlerTables { authorizers: Table { all: &kinds, ..TABLES.authorizers }, ..TABLES },
        settings: &settings.handlers,
        strategy: settings.strategy,
        outside: &outside,
        shared: Shared::default(),
        alike: Alike::default(),
    };
    let rule = json!({
        "id": "panics",
        "match": {"url": "http://localhost/<.*>", "methods": ["GET"]},
        "authenticators": [{"handler": "anonymous"}],
        "authorizer": {"handler": "panicking"},
        "mutators": [{"handler": "noop"}],
        "upstream": {"url": format!("http://127.0.0.1:{upstream}")},
    });
    let mut findings = Vec::new();
    let rule = compiler.compile(0, &read_rule(Node::from_json(&rule, "test"), None).unwrap(), &mut findings);
    assert!(findings.is_empty(), "{findings:?}");
    snapshot.rules = RuleSet::new(vec![Arc::new(rule)], Authorities::default(), "test".to_owned(), &|| {});
    snapshot
}

fn get(connection: &mut BufReader<TcpStream>, path: &str) -> Message {
    write!(connection.get_mut(), "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    read_response(connection, false).unwrap()
}

#[test]
fn a_panic_is_answered_in_the_usual_shape_and_the_connection_and_the_core_go_on() {
    install_provider();
    let directory = tempfile::tempdir().unwrap();
    let (config, audit) = (directory.path().join("config.json"), directory.path().join("audit.log"));
    let written = json!({
        "authenticators": {"anonymous": {"enabled": true}},
        "mutators": {"noop": {"enabled": true}},
        "errors": {"fallback": ["json"], "handlers": {"json": {"enabled": true}}},
        "audit": {"sink": "file", "path": audit},
    });
    fs::write(&config, written.to_string()).unwrap();
    let mut settings = load(&[config], &[]).unwrap().settings;
    let upstream = Recorder::start(true);
    let snapshot = snapshot(&mut settings, upstream.port);
    let outbound = Outbound::new(&settings.proxy.upstream).unwrap();
    let serving = Arc::new(Serving::new(&settings, outbound).unwrap());
    let metrics = Metrics::new(&settings.metrics);
    let (shutdown, begun) = watch::channel(false);
    let log = AuditLog::start(&settings.audit).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let setup = WorkerSetup {
        live: Arc::new(ArcSwap::from_pointee(Live { snapshot, serving })),
        metrics: metrics.clone(),
        shutdown: begun,
        open: Arc::new(AtomicUsize::new(0)),
    };
    let core = start(setup, 0, listener, log.handle()).unwrap();
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        BufReader::new(stream)
    };

    let (mut first, mut second) = (connect(), connect());
    for path in ["/at-once", "/later"] {
        let answer = get(&mut first, path);
        assert_eq!(answer.status(), 500, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let message = "An internal server error occurred, please contact the system administrator";
        assert_eq!(
            body,
            json!({"error": {"code": 500, "status": "Internal Server Error", "message": message}}),
            "{path}"
        );
        assert!(upstream.take().is_empty(), "{path}");
        // The same connection, one that was open before, and a new one.
        for connection in [&mut first, &mut second, &mut connect()] {
            assert_eq!(get(connection, "/fine").status(), 200, "after {path}");
        }
        upstream.take();
    }
    assert!(metrics.render(false).contains("keyward_panics_total 2"), "{}", metrics.render(false));

    shutdown.send(true).unwrap();
    drop((first, second));
    core.join().unwrap();
    log.finish();
    let records = fs::read_to_string(audit).unwrap();
    let outcomes: Vec<(String, u64)> = records
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|record| record["path"] != "/fine")
        .map(|record| (record["outcome"].as_str().unwrap().to_owned(), record["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(outcomes, [("error".to_owned(), 500), ("error".to_owned(), 500)], "{records}");
}
