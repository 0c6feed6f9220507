//! Wires the parts together and runs them: the only module that knows every other.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

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
use crate::http_client::HttpClient;
use crate::http_server;
use crate::issuer::routes::Issuer;
use crate::keys::{Fetching, KeySetRegistry};
use crate::metrics::Metrics;
use crate::outside::Lasting;
use crate::proxy::listener::{address, bind};
use crate::proxy::tls::server_config;
use crate::proxy::workers::{self, WorkerSetup};
use crate::reload::{self, Reloader};
use crate::secrets::EnvironmentSecrets;
use crate::side_client::PooledSideClient;
use crate::snapshot::Snapshot;
use crate::upstream::forward::UpstreamTls;
use crate::upstream::resolve::Resolver;
use crate::upstream::tls::{client_config, http1_only, install_provider};

/// What the verified-token cache may hold, in bytes.
const TOKEN_CACHE_BYTES: u64 = 16 * 1024 * 1024;

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
}

impl App {
    /// Starts everything. On an error nothing is left running that serves requests. Without an origin
    /// nothing is reloaded.
    pub async fn start(loaded: Loaded, origin: Option<Origin>) -> Result<Self, Vec<Diagnostic>> {
        Self::assemble(loaded, origin).await.map_err(|problem| vec![problem])
    }

    async fn assemble(loaded: Loaded, origin: Option<Origin>) -> Result<Self, Diagnostic> {
        install_provider();
        let Loaded { settings, warnings } = loaded;
        reload::log(&warnings);
        let metrics = Metrics::new(&settings.metrics);
        let (shutdown, begun) = watch::channel(false);

        let listeners = proxy_listeners(&settings)?;
        let proxy = local_address(listeners.first())?;
        let proxy_tls = tls(&settings.proxy.listener, &[b"h2", b"http/1.1"])?;
        let (api_listener, api_tls) = listen(&settings.api)?;
        let (metrics_listener, _) = listen(&settings.metrics.listener)?;
        let issuer = issuer(&settings)?;

        let ca_files = &settings.proxy.upstream.ca_files;
        let any = client_config(ca_files, &[b"h2", b"http/1.1"])?;
        let upstream_tls = UpstreamTls { http1: http1_only(&any), any };
        let resolver = || Resolver::new(settings.proxy.upstream.resolve.clone());
        let keys = Arc::new(KeySetRegistry::new(Fetching {
            runtime: tokio::runtime::Handle::current(),
            client: Arc::new(HttpClient::new(resolver(), upstream_tls.http1.clone())),
            settings: settings.key_sets,
            metrics: metrics.clone(),
        }));
        let connect_timeout = settings.proxy.upstream.connect_timeout;
        let side = PooledSideClient::new(resolver(), upstream_tls.http1.clone(), connect_timeout);
        let tokens = Arc::new(TokenCache::new(TOKEN_CACHE_BYTES));
        let lasting = Lasting { keys: keys.clone(), tokens, side: Arc::new(side) };

        let built = Snapshot::build(&settings, proxy.port(), &lasting.under(&settings), 1)?;
        reload::log(&built.unread);
        reload::log(&built.findings);
        reload::announce(&built.snapshot, &metrics);
        let snapshots = Arc::new(ArcSwap::from_pointee(built.snapshot));
        let audit = AuditLog::start(&settings.audit)?;

        let app_issuer = match issuer {
            Some((listener, issuer)) => {
                let at = bound(&listener)?;
                tracing::info!(%at, "the issuer listens");
                tokio::task::spawn_local(http_server::serve(listener, None, issuer.handler(), begun.clone()));
                Some(at)
            }
            None => None,
        };
        let api = Rc::new(Api {
            snapshots: snapshots.clone(),
            keys: keys.clone(),
            metrics: metrics.clone(),
            audit: audit.handle(),
            request_ids: RequestIds::new(),
            audit_state: audit.state().clone(),
            was_ready: Cell::new(false),
        });
        let (api_at, metrics_at) = (bound(&api_listener)?, bound(&metrics_listener)?);
        // The first requests should find the keys that are there to be had.
        keys.first_fetches().await;

        let setup = WorkerSetup {
            settings: Arc::new(settings.proxy.clone()),
            tls: proxy_tls,
            upstream_tls,
            snapshots: snapshots.clone(),
            metrics: metrics.clone(),
            shutdown: begun.clone(),
            open: Arc::new(AtomicUsize::new(0)),
        };
        let workers = listeners
            .into_iter()
            .enumerate()
            .map(|(number, listener)| workers::start(setup.clone(), number, listener, audit.handle()))
            .collect::<Result<Vec<_>, _>>()?;
        tracing::info!(%proxy, api = %api_at, metrics = %metrics_at, cores = workers.len(), "serving");
        let serve = |listener, tls, handler| {
            tokio::task::spawn_local(http_server::serve(listener, tls, handler, begun.clone()));
        };
        serve(metrics_listener, None, api.clone().metrics_handler());
        serve(api_listener, api_tls, api.handler());
        if let Some(origin) = origin {
            let reloader = Reloader {
                files: origin.files,
                variables: origin.variables,
                own_port: proxy.port(),
                snapshots,
                lasting,
                metrics,
                started_with: reload::fixed(&settings),
            };
            let mut ended = begun.clone();
            tokio::task::spawn_local(async move {
                tokio::select! {
                    () = reloader.run(&settings) => {}
                    _ = ended.wait_for(|begun| *begun) => {}
                }
            });
        }
        Ok(Self { proxy, api: api_at, metrics: metrics_at, issuer: app_issuer, shutdown, workers, audit })
    }

    /// Drains: no new connections, requests in flight finish, every record is written.
    pub async fn stop(self) {
        let Self { shutdown, workers, audit, .. } = self;
        // Nobody listening any more is as good as told.
        let _ = shutdown.send(true);
        let drained = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A core that panicked has said so itself.
                let _ = worker.join();
            }
            audit.finish();
        });
        if drained.await.is_err() {
            tracing::error!("the drain was interrupted");
        }
    }
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

type Tls = Option<Arc<rustls::ServerConfig>>;

fn tls(settings: &ListenerSettings, protocols: &[&[u8]]) -> Result<Tls, Diagnostic> {
    settings.tls.as_ref().map(|files| server_config(files, settings.key, protocols)).transpose()
}

fn listen(settings: &ListenerSettings) -> Result<(TcpListener, Tls), Diagnostic> {
    let tls = tls(settings, &[b"http/1.1"])?;
    let listener = bind(address(settings)?, settings.key, false)?;
    let listener = TcpListener::from_std(listener);
    let listener = listener.map_err(|error| Diagnostic::error(format!("`{}`: {error}", settings.key)))?;
    Ok((listener, tls))
}

fn issuer(settings: &Settings) -> Result<Option<(TcpListener, Rc<Issuer>)>, Diagnostic> {
    let Some(wanted) = &settings.issuer else { return Ok(None) };
    let secrets = EnvironmentSecrets::new(settings.env_dir.clone());
    let issuer = Issuer::new(wanted, &secrets)?;
    let (listener, _) = listen(&wanted.listener)?;
    Ok(Some((listener, Rc::new(issuer))))
}
