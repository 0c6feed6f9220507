//! Listening ports: where they are, and what they show to prove who they are.

use std::path::PathBuf;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::secret::Secret;

use super::Check;
use super::proxy::or;
use crate::config::file::serve::{ApiFile, Prometheus, Timeout, Tls};
use crate::cors::CorsSettings;
use crate::metrics::PathLabels;
use crate::proxy::listener::address;

/// A listener.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The configuration key, for messages.
    pub key: &'static str,
    /// Address; empty for all.
    pub host: String,
    /// Port; 0 for a free one.
    pub port: u16,
    /// Where certificate and key are.
    pub tls: Option<TlsFiles>,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug)]
pub enum TlsFiles {
    /// PEM files.
    Paths {
        /// The chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// base64 of PEM.
    Inline {
        /// The chain.
        cert: String,
        /// The private key.
        key: Secret,
    },
}

/// Time limits of a port whose requests and answers are short.
#[derive(Clone, Copy, Debug)]
pub struct PortTimeouts {
    /// From the first byte of a request to the end of its head.
    pub header: Duration,
    /// TLS handshakes.
    pub handshake: Duration,
    /// The longest pause in a request's body.
    pub read: Duration,
    /// The longest a caller may leave an answer unread.
    pub write: Duration,
    /// Idle keep-alive connections.
    pub idle: Duration,
}

impl PortTimeouts {
    /// As written; the reference's defaults (serving spec 3.1) where nothing is.
    fn of(written: Timeout) -> Self {
        Self {
            header: or(written.header.or(written.read), 5),
            handshake: or(written.handshake, 5),
            read: or(written.read, 5),
            write: or(written.write, 120),
            idle: or(written.idle, 120),
        }
    }
}

impl Default for PortTimeouts {
    fn default() -> Self {
        Self::of(Timeout::default())
    }
}

/// The API listener.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where it listens.
    pub listener: ListenerSettings,
    /// Its time limits.
    pub timeouts: PortTimeouts,
    /// Its policy for other origins, when it has one.
    pub cors: Option<CorsSettings>,
}

/// The metrics listener and its labels.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Where it listens.
    pub listener: ListenerSettings,
    /// What names of the reference start with.
    pub prefix: String,
    /// How paths become labels.
    pub labels: PathLabels,
}

impl Check<'_> {
    /// A listener's address can be read.
    pub(super) fn listener(&mut self, settings: ListenerSettings) -> ListenerSettings {
        if let Err(problem) = address(&settings) {
            self.errors.push(problem.at(&self.place(&format!("{}.host", settings.key))));
        }
        settings
    }

    pub(super) fn api(&mut self, file: ApiFile) -> ApiSettings {
        let cors = self.cors("serve.api.cors", file.cors);
        let tls = self.tls("serve.api.tls", file.tls);
        let listener = self.listener(ListenerSettings {
            key: "serve.api",
            host: file.host.unwrap_or_default(),
            port: file.port.unwrap_or(4456),
            tls,
        });
        ApiSettings { listener, timeouts: PortTimeouts::of(file.timeout.unwrap_or_default()), cors }
    }

    pub(super) fn metrics(&mut self, file: Prometheus) -> MetricsSettings {
        let tls = self.tls("serve.prometheus.tls", file.tls);
        let metrics = MetricsSettings {
            listener: self.listener(ListenerSettings {
                key: "serve.prometheus",
                host: file.host.unwrap_or_default(),
                port: file.port.unwrap_or(9000),
                tls,
            }),
            prefix: file.metric_name_prefix.unwrap_or_else(|| "ory_oathkeeper_".to_owned()),
            labels: PathLabels {
                hide: file.hide_request_paths.unwrap_or(false),
                collapse: file.collapse_request_paths.unwrap_or(true),
            },
        };
        if file.metrics_path.is_some_and(|path| path != "/metrics") {
            self.warn("serve.prometheus.metrics_path", "has no effect: metrics are at `/metrics`, as in the reference");
        }
        let key = "serve.prometheus.metric_name_prefix";
        if !metrics.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.refuse(key, "only letters, digits and `_` can be in a metric name");
        } else if metrics.prefix.starts_with(|first: char| first.is_ascii_digit()) {
            self.refuse(key, "a metric name cannot begin with a digit");
        }
        metrics
    }

    pub(super) fn tls(&mut self, path: &str, tls: Option<Tls>) -> Option<TlsFiles> {
        let place = self.place(path);
        tls_files(path, tls).map_err(|problem| self.errors.push(problem.at(&place))).unwrap_or_default()
    }
}

/// base64 of both wins over paths of both, whatever else is there; a mixture is an error; nothing is plain HTTP
/// (serving spec 3.3).
pub fn tls_files(path: &str, tls: Option<Tls>) -> Result<Option<TlsFiles>, Diagnostic> {
    let Some(tls) = tls else { return Ok(None) };
    let (cert, key) = (tls.cert.unwrap_or_default(), tls.key.unwrap_or_default());
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (given(cert.base64), given(key.base64), given(cert.path), given(key.path)) {
        (Some(cert), Some(key), _, _) => Ok(Some(TlsFiles::Inline { cert, key: Secret::new(key) })),
        (_, _, Some(cert), Some(key)) => Ok(Some(TlsFiles::Paths { cert: cert.into(), key: key.into() })),
        (None, None, None, None) => Ok(None),
        _ => Err(Diagnostic::error(format!("`{path}`: needs `cert` and `key`, both as `path` or both as `base64`"))),
    }
}
