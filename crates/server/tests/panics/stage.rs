//! A real core with real sockets, one of whose handlers panics.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

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
use serde_json::json;
use tokio::sync::watch;

/// Panics for `/at-once` and, having waited, for `/later`, with all that it knows; allows the rest.
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
            "/at-once" => panic!("{request:?}"),
            "/later" => Step::Pending(Box::pin(async move {
                tokio::task::yield_now().await;
                panic!("{request:?}: {:?}", request.headers())
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
        "authenticators": [{"handler": "noop"}],
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

/// What runs.
pub(crate) struct Core {
    pub(crate) port: u16,
    pub(crate) upstream: Recorder,
    pub(crate) metrics: Arc<Metrics>,
    shutdown: watch::Sender<bool>,
    thread: JoinHandle<()>,
    log: AuditLog,
}

impl Core {
    /// Starts it, with a configuration and records in a directory. `tell` gets the settings before anything happens.
    pub(crate) fn start(directory: &Path, tell: impl FnOnce(&Settings)) -> Self {
        install_provider();
        let (config, audit) = (directory.join("config.json"), directory.join("audit.log"));
        let written = json!({
            "log": {"level": "trace", "format": "json"},
            "authenticators": {"noop": {"enabled": true}},
            "mutators": {"noop": {"enabled": true}},
            "errors": {"fallback": ["json"], "handlers": {"json": {"enabled": true}}},
            "audit": {"sink": "file", "path": audit},
        });
        fs::write(&config, written.to_string()).unwrap();
        let mut settings = load(&[config], &[]).unwrap().settings;
        tell(&settings);
        let upstream = Recorder::start(true);
        let snapshot = snapshot(&mut settings, upstream.port);
        let outbound = Outbound::new(&settings.proxy.upstream).unwrap();
        let serving = Arc::new(Serving::new(&settings, outbound.clone(), None).unwrap());
        let metrics = Metrics::new(&settings.metrics);
        let (shutdown, begun) = watch::channel(false);
        let log = AuditLog::start(&settings.audit, &outbound).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let setup = WorkerSetup {
            live: Arc::new(ArcSwap::from_pointee(Live { snapshot, serving })),
            metrics: metrics.clone(),
            open_for_callers: watch::channel(true).1,
            shutdown: begun,
            open: Arc::new(AtomicUsize::new(0)),
        };
        let thread = start(setup, 0, listener, log.handle()).unwrap();
        Self { port, upstream, metrics, shutdown, thread, log }
    }

    /// Ends it, once its callers have left, with all records written.
    pub(crate) fn end(self) {
        self.shutdown.send(true).unwrap();
        self.thread.join().unwrap();
        self.log.finish();
    }
}
