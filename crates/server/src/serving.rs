//! What requests and connections are served under besides the rules, and both together: one immutable
//! value, swapped as a whole, so that each request sees one version of everything.

use std::sync::Arc;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use rustls::ServerConfig;

use crate::config::settings::Settings;
use crate::config::settings::listeners::ListenerSettings;
use crate::cors::CorsPolicy;
use crate::metrics::PathLabels;
use crate::proxy::connection::ConnectionOptions;
use crate::proxy::service::BodyLimits;
use crate::proxy::tls::server_config;
use crate::snapshot::Snapshot;
use crate::upstream::outbound::Outbound;

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
    /// The most connections of the proxy at a time.
    pub max_connections: usize,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_timeout: Duration,
    /// How paths become labels.
    pub labels: PathLabels,
    /// The way out.
    pub outbound: Arc<Outbound>,
    /// TLS of the API port.
    pub api_tls: Tls,
    /// TLS of the metrics port.
    pub metrics_tls: Tls,
    /// TLS of the issuer's port.
    pub issuer_tls: Tls,
}

impl Serving {
    /// Reads certificates. An error means that the settings cannot be used, and names the file.
    pub fn new(settings: &Settings, outbound: Arc<Outbound>) -> Result<Self, Diagnostic> {
        let proxy = &settings.proxy;
        Ok(Self {
            connections: Arc::new(ConnectionOptions {
                tls: tls(&proxy.listener, &[b"h2", b"http/1.1"])?,
                header_timeout: proxy.header_timeout,
                handshake_timeout: proxy.handshake_timeout,
                idle_timeout: proxy.idle_timeout,
                write_timeout: proxy.write_timeout,
            }),
            proxy_cors: proxy.cors.as_ref().map(CorsPolicy::new),
            api_cors: settings.api_cors.as_ref().map(CorsPolicy::new),
            bodies: BodyLimits {
                request_pause: proxy.read_timeout,
                answer_pause: proxy.upstream.stream_idle_timeout,
                request_bytes: proxy.max_body_bytes,
            },
            max_connections: proxy.max_connections,
            shutdown_timeout: proxy.shutdown_timeout,
            labels: settings.metrics.labels,
            outbound,
            api_tls: tls(&settings.api, &[b"http/1.1"])?,
            metrics_tls: tls(&settings.metrics.listener, &[b"http/1.1"])?,
            issuer_tls: match &settings.issuer {
                Some(issuer) => tls(&issuer.listener, &[b"http/1.1"])?,
                None => None,
            },
        })
    }
}

fn tls(listener: &ListenerSettings, protocols: &[&[u8]]) -> Result<Tls, Diagnostic> {
    listener.tls.as_ref().map(|files| server_config(files, listener.key, protocols)).transpose()
}
