//! What requests and connections are served under besides the rules, and both together: one immutable
//! value, swapped as a whole, so that each request sees one version of everything.

use std::sync::Arc;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::gate::GatePolicy;
use rustls::ServerConfig;

use crate::config::settings::Settings;
use crate::config::settings::listeners::{ListenerSettings, PortTimeouts};
use crate::cors::CorsPolicy;
use crate::descriptors::Enough;
use crate::echo::EchoPolicy;
use crate::metrics::PathLabels;
use crate::proxy::connection::ConnectionOptions;
use crate::proxy::service::BodyLimits;
use crate::proxy::tls::{Identity, identity};
use crate::snapshot::Snapshot;
use crate::traces::tracer::Tracer;
use crate::upstream::outbound::Outbound;

/// How far a field section of HTTP/2 may go beyond what the gate lets in.
const TO_BE_REFUSED: usize = 8 * 1024;

/// Everything in force.
pub struct Live {
    /// The rules.
    pub snapshot: Snapshot,
    /// What surrounds them.
    pub serving: Arc<Serving>,
}

/// TLS of a port, if it has it.
pub type Tls = Option<Arc<ServerConfig>>;

/// What requests and connections are served under.
pub struct Serving {
    /// How the proxy's connections are served: what one began with, it keeps.
    pub connections: Arc<ConnectionOptions>,
    /// The proxy's policy for other origins, if it has one.
    pub proxy_cors: Option<CorsPolicy>,
    /// The API's.
    pub api_cors: Option<CorsPolicy>,
    /// Limits on bodies.
    pub bodies: BodyLimits,
    /// What becomes of answers that hold a credential of their request.
    pub echoes: EchoPolicy,
    /// The most connections of the proxy at a time.
    pub max_connections: usize,
    /// The most requests of the proxy in flight at a time.
    pub max_requests: u64,
    /// How long work that is ready may wait on a core, if there is a limit.
    pub max_queue_time: Option<Duration>,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_timeout: Duration,
    /// How paths become labels.
    pub labels: PathLabels,
    /// The way out.
    pub outbound: Arc<Outbound>,
    /// Makes traces, where they are exported.
    pub tracer: Option<Arc<Tracer>>,
    /// The API port.
    pub api: Port,
    /// The metrics port.
    pub metrics: Port,
    /// The issuer's port.
    pub issuer: Port,
    /// Until when the certificates of listeners are good, in seconds since 1970, by the listener's key.
    pub expiries: Vec<(&'static str, i64)>,
}

/// What new connections of a port that is not the proxy's get: nothing written is plain HTTP.
#[derive(Clone, Default)]
pub struct Port {
    /// TLS, if it has it.
    pub tls: Tls,
    /// Its time limits.
    pub timeouts: PortTimeouts,
}

impl Serving {
    /// Reads certificates. An error means that the settings cannot be used, and names the file.
    pub fn new(settings: &Settings, outbound: Arc<Outbound>, tracer: Option<Arc<Tracer>>) -> Result<Self, Diagnostic> {
        let proxy = &settings.proxy;
        let enough = Enough::for_settings(proxy);
        let mut expiries = Vec::new();
        let mut tls = |listener: Option<&ListenerSettings>| -> Result<Tls, Diagnostic> {
            let Some((listener, files)) = listener.and_then(|it| Some((it, it.tls.as_ref()?))) else { return Ok(None) };
            let Identity { config, expiry } = identity(files, listener.key)?;
            expiries.extend(expiry.map(|expiry| (listener.key, expiry)));
            Ok(Some(config))
        };
        let (proxy_tls, api_tls) = (tls(Some(&proxy.listener))?, tls(Some(&settings.api.listener))?);
        let metrics_tls = tls(Some(&settings.metrics.listener))?;
        let issuer_tls = tls(settings.issuer.as_ref().map(|issuer| &issuer.listener))?;
        Ok(Self {
            connections: Arc::new(ConnectionOptions {
                tls: proxy_tls,
                header_timeout: proxy.header_timeout,
                handshake_timeout: proxy.handshake_timeout,
                idle_timeout: proxy.idle_timeout,
                write_timeout: proxy.write_timeout,
                field_section: field_section(&proxy.gate),
            }),
            proxy_cors: proxy.cors.as_ref().map(CorsPolicy::new),
            api_cors: settings.api.cors.as_ref().map(CorsPolicy::new),
            bodies: BodyLimits {
                request_pause: proxy.read_timeout,
                answer_pause: proxy.upstream.stream_idle_timeout,
                request_bytes: proxy.max_body_bytes,
            },
            echoes: proxy.echoes,
            max_connections: usize::try_from(enough.connections).unwrap_or(usize::MAX),
            max_requests: enough.requests,
            max_queue_time: proxy.max_queue_time,
            shutdown_timeout: proxy.shutdown_timeout,
            labels: settings.metrics.labels,
            outbound,
            api: Port { tls: api_tls, timeouts: settings.api.timeouts },
            metrics: Port { tls: metrics_tls, timeouts: PortTimeouts::default() },
            issuer: Port { tls: issuer_tls, timeouts: PortTimeouts::default() },
            expiries,
            tracer,
        })
    }
}

/// All that the gate lets in, and so much more that most of what it refuses gets there, where it is counted and recorded.
fn field_section(gate: &GatePolicy) -> u32 {
    u32::try_from(gate.largest_field_section().saturating_add(TO_BE_REFUSED)).unwrap_or(u32::MAX)
}
