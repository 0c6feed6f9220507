//! Wires the parts together and runs them: the only module that knows every other.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::jwt::TokenCache;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api::Api;
use crate::audit::ids::RequestIds;
use crate::audit::writer::AuditLog;
use crate::config::load::Loaded;
use crate::config::settings::Settings;
use crate::config::settings::listeners::ListenerSettings;
use crate::courtesy::Courtesy;
use crate::descriptors;
use crate::http_server::{self, PortInForce};
use crate::issuer::live::LiveIssuer;
use crate::issuer::routes::Issuer;
use crate::keys::{Fetching, KeySetRegistry, Terms};
use crate::metrics::Metrics;
use crate::outside::Lasting;
use crate::proxy::listener::{self, address, bind};
use crate::proxy::opening::Opening;
use crate::proxy::shedding;
use crate::proxy::workers::{self, WorkerSetup};
use crate::reload::compile::RuleThread;
use crate::reload::fixed::Fixed;
use crate::reload::secrets::LiveSecrets;
use crate::reload::{self, Reloader};
use crate::repository::cache::CacheDirectory;
use crate::repository::keeper::Keeper;
use crate::repository::standing::Standings;
use crate::repository::start::Beginning;
use crate::secrets::EnvironmentSecrets;
use crate::secrets::refresh::tell;
use crate::secrets::store::SecretStore;
use crate::serving::{Live, Port, Serving};
use crate::snapshot::Snapshot;
use crate::sources::SourceReports;
use crate::traces::tracer::Tracer;
use crate::upstream::outbound::Outbound;
use crate::upstream::tls::install_provider;

/// Where a configuration came from, for reloading it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The files; none when the environment says everything.
    pub files: Vec<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
}

/// A running Keyward. Must be made and used inside a `LocalSet` on a current-thread runtime.
pub struct App {
    /// Where the proxy listens.
    pub proxy: SocketAddr,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where metrics are served.
    pub metrics: SocketAddr,
    /// Where the issuer listens, if there is one.
    pub issuer: Option<SocketAddr>,
    shutdown: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    audit: AuditLog,
    health: Rc<Api>,
    live: Arc<ArcSwap<Live>>,
}

impl App {
    /// Starts everything. On an error nothing is left running that serves requests. Without an origin
    /// nothing is reloaded.
    pub async fn start(loaded: Loaded, origin: Option<Origin>) -> Result<Self, Vec<Diagnostic>> {
        Self::assemble(loaded, origin).await.map_err(|problem| vec![problem])
    }

    async fn assemble(loaded: Loaded, origin: Option<Origin>) -> Result<Self, Diagnostic> {
        install_provider();
        let Loaded { settings, warnings, .. } = loaded;
        reload::log(&warnings);
        let metrics = Metrics::new(&settings.metrics);
        let (shutdown, begun) = watch::channel(false);

        let outbound = Outbound::new(&settings.proxy.upstream)?;
        let tracer = Tracer::following(None, settings.tracing.as_ref(), &outbound.http_client(), &metrics.traces)?;
        let serving = Serving::new(&settings, outbound.clone(), tracer)?;
        descriptors::tell(&settings.proxy);
        let cache = settings.cache_dir.as_deref().map(CacheDirectory::open).transpose()?.map(Arc::new);
        let repositories = &settings.repositories;
        let mut beginning = Beginning::of_start(repositories, &outbound.http_client(), cache.as_deref()).await?;
        let listeners = proxy_listeners(&settings)?;
        let proxy = local_address(listeners.first())?;
        let opening = Opening::new(settings.proxy.listener.key, proxy, &listeners)?;
        let api_listener = listen(&settings.api.listener)?;
        let metrics_listener = listen(&settings.metrics.listener)?;
        let issuer = issuer(&settings)?;

        let terms = Terms { client: outbound.http_client(), settings: settings.key_sets };
        let keys = Arc::new(KeySetRegistry::new(Fetching {
            runtime: tokio::runtime::Handle::current(),
            terms: Arc::new(ArcSwap::from_pointee(terms)),
            changed: Arc::default(),
            metrics: metrics.clone(),
        }));
        let tokens = Arc::new(TokenCache::new(settings.proxy.token_cache_bytes));
        let secrets = Arc::new(SecretStore::default());
        let sources = secrets.renewed(&settings.secrets, &outbound.http_client()).await;
        sources.iter().for_each(|source| tell(source, &metrics));
        secrets.replace(settings.secrets.max_stale, sources);
        let view = secrets.sources().view(Instant::now());
        let lasting = Lasting { keys: keys.clone(), tokens, side: outbound.side.clone(), secrets: view.clone() };

        let built = loop {
            let outside = lasting.under(&settings);
            let built = Snapshot::build(&settings, &beginning.documents, proxy.port(), &outside, 1, &Courtesy::none())?;
            if !beginning.retreat(repositories, &built) {
                break built;
            }
        };
        // Nobody would ask for them again.
        if built.snapshot.is_unfetched && origin.is_none() {
            return Err(built.unread.into_iter().next().unwrap_or_else(|| Diagnostic::error("rules are missing")));
        }
        let (standings, keeper) = (Arc::new(Standings::default()), Keeper::new(metrics.clone()));
        let documents = beginning.settle(repositories, &built, &standings, &keeper, cache.as_ref());
        if let Some(cache) = &cache {
            cache.sweep(repositories);
        }
        tokio::task::spawn_local(keeper.clone().run());
        reload::log(&built.unread);
        reload::log(&built.findings);
        reload::announce(&built.snapshot, &metrics);
        let live = Arc::new(ArcSwap::from_pointee(Live { snapshot: built.snapshot, serving: Arc::new(serving) }));
        let in_force = |port: fn(&Serving) -> &Port| -> PortInForce {
            let live = live.clone();
            Rc::new(move || port(&live.load().serving).clone())
        };
        let audit = AuditLog::start(&settings.audit, &outbound)?;

        let serve = |listener, port, handler| {
            tokio::task::spawn_local(http_server::serve(listener, in_force(port), handler, begun.clone()));
        };
        let (issuer_at, issuer) = match issuer {
            Some((listener, issuer)) => {
                let at = bound(&listener)?;
                tracing::info!(%at, "the issuer listens");
                serve(listener, |serving| &serving.issuer, issuer.clone().handler());
                (Some(at), Some(issuer))
            }
            None => (None, None),
        };
        let api = Rc::new(Api {
            live: live.clone(),
            keys: keys.clone(),
            repositories: standings.clone(),
            metrics: metrics.clone(),
            audit: audit.handle(),
            request_ids: RequestIds::new(),
            audit_state: audit.state().clone(),
            sources: vec![
                repository_reports(standings.clone()),
                key_set_reports(live.clone(), keys.clone()),
                secret_reports(secrets.clone()),
            ],
            was_ready: Cell::new(false),
        });
        let (api_at, metrics_at) = (bound(&api_listener)?, bound(&metrics_listener)?);
        // The first requests should find the keys that are there to be had.
        keys.first_fetches().await;

        let setup = WorkerSetup {
            live: live.clone(),
            metrics: metrics.clone(),
            open_for_callers: opening.state(),
            shutdown: begun.clone(),
            open: Arc::new(AtomicUsize::new(0)),
        };
        let workers = listeners
            .into_iter()
            .enumerate()
            .map(|(number, listener)| workers::start(setup.clone(), number, listener, audit.handle()))
            .collect::<Result<Vec<_>, _>>()?;
        tracing::info!(api = %api_at, metrics = %metrics_at, "the API listens");
        if live.load().snapshot.is_unfetched {
            tracing::warn!("rules are missing: the proxy's port stays closed until they are there");
        }
        opening.follow(&live.load().snapshot)?;
        tokio::task::spawn_local(shedding::warn(metrics.clone()));
        serve(metrics_listener, |serving| &serving.metrics, api.clone().metrics_handler());
        serve(api_listener, |serving| &serving.api, api.clone().handler());
        if let Some(origin) = origin {
            let reloader = Reloader {
                files: origin.files,
                variables: origin.variables,
                own_port: proxy.port(),
                live: live.clone(),
                lasting,
                metrics,
                audit: audit.state().clone(),
                issuer,
                documents: Rc::new(RefCell::new(documents)),
                secrets: LiveSecrets::new(&settings, secrets, view),
                standings,
                keeper,
                opening,
                started_with: Fixed::of(&settings),
                thread: RuleThread::start()?,
            };
            let mut ended = begun.clone();
            tokio::task::spawn_local(async move {
                tokio::select! {
                    () = reloader.run(settings) => {}
                    _ = ended.wait_for(|begun| *begun) => {}
                }
            });
        }
        let (api, health, metrics) = (api_at, api, metrics_at);
        Ok(Self { proxy, api, metrics, issuer: issuer_at, shutdown, workers, audit, live, health })
    }

    /// What keeps it from being ready, and what to do about it, on one line; nothing while it is ready.
    pub fn unready(&self) -> Option<String> {
        self.health.unready()
    }

    /// Drains: no new connections, requests in flight finish, every record is written, and traces are exported as far as
    /// the collector takes them.
    pub async fn stop(self) {
        let Self { shutdown, workers, audit, live, health, .. } = self;
        // It could write records of decisions, and the log of them waits for all who could.
        drop(health);
        // Nobody listening any more is as good as told.
        let _ = shutdown.send(true);
        let drained = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A core that panicked has said so itself.
                let _ = worker.join();
            }
            let tracer = live.load().serving.tracer.clone();
            tracer.iter().for_each(|tracer| tracer.close());
            let closed = Instant::now();
            audit.finish();
            tracer.iter().for_each(|tracer| tracer.finish(closed));
        });
        if drained.await.is_err() {
            tracing::error!("the drain was interrupted");
        }
    }
}

/// How rule repositories are doing.
fn repository_reports(standings: Arc<Standings>) -> SourceReports {
    Box::new(move || standings.reports())
}

/// How key sets are doing.
fn key_set_reports(live: Arc<ArcSwap<Live>>, keys: Arc<KeySetRegistry>) -> SourceReports {
    Box::new(move || keys.reports(live.load().snapshot.idle_signing.as_deref()))
}

/// How the sources of secrets are doing.
fn secret_reports(secrets: Arc<SecretStore>) -> SourceReports {
    Box::new(move || secrets.reports())
}

/// Waits for SIGTERM or SIGINT.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => {
            tracing::error!("signals cannot be received");
            std::future::pending::<()>().await;
        }
    }
}

/// One socket per core on the same port. The first one finds out which port that is.
fn proxy_listeners(settings: &Settings) -> Result<Vec<std::net::TcpListener>, Diagnostic> {
    let wanted = &settings.proxy.listener;
    // A port that another process has must be refused, though `SO_REUSEPORT` would share it.
    drop(bind(address(wanted)?, wanted.key, false)?);
    let first = bind(address(wanted)?, wanted.key, true)?;
    let at = local_address(Some(&first))?;
    let mut listeners = vec![first];
    for _ in 1..settings.proxy.workers {
        listeners.push(bind(at, wanted.key, true)?);
    }
    Ok(listeners)
}

fn local_address(listener: Option<&std::net::TcpListener>) -> Result<SocketAddr, Diagnostic> {
    let address = listener.map(std::net::TcpListener::local_addr);
    address.and_then(Result::ok).ok_or_else(|| Diagnostic::error("the address of a listening socket is unknown"))
}

fn bound(listener: &TcpListener) -> Result<SocketAddr, Diagnostic> {
    listener.local_addr().map_err(|error| Diagnostic::error(format!("a listening socket has no address: {error}")))
}

fn listen(settings: &ListenerSettings) -> Result<TcpListener, Diagnostic> {
    let listener = listener::open(settings)?;
    TcpListener::from_std(listener).map_err(|error| Diagnostic::error(format!("`{}`: {error}", settings.key)))
}

fn issuer(settings: &Settings) -> Result<Option<(TcpListener, Rc<LiveIssuer>)>, Diagnostic> {
    let Some(wanted) = &settings.issuer else { return Ok(None) };
    let secrets = EnvironmentSecrets::new(settings.env_dir.clone());
    let issuer = Issuer::new(wanted, &secrets)?;
    Ok(Some((listen(&wanted.listener)?, LiveIssuer::new(issuer))))
}
