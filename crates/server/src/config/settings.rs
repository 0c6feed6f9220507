//! Checked, ready-to-use settings: the one place of defaults and cross-field rules.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::decode::{decode, hint_for_key};
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, Value};
use keyward_core::gate::GatePolicy;
use keyward_core::pipeline::HandlerKind;
use keyward_core::rule::compile::{HandlerSetting, HandlerSettings, Table};
use keyward_core::rule::pattern::Strategy;
use keyward_handlers::TABLES;

use super::file::{
    ApiFile, AuditPolicyName, AuditSinkName, ConfigFile, Cors, Handler, LogFormat, LogLevel, MatchAuthority, ProxyFile,
    Tls,
};
use crate::issuer::settings::IssuerSettings;
use crate::proxy::listener::address;
use crate::repository::RepositoryUrl;
use crate::upstream::resolve::Override;

/// Everything the server needs to know.
#[derive(Debug)]
pub struct Settings {
    /// `serve.proxy`
    pub proxy: ProxySettings,
    /// `serve.api`
    pub api: ListenerSettings,
    /// `serve.prometheus`
    pub metrics: MetricsSettings,
    /// `access_rules.repositories`
    pub repositories: Vec<RepositoryUrl>,
    /// `access_rules.matching_strategy`
    pub strategy: Strategy,
    /// `access_rules.match_authority`
    pub match_authority: MatchAuthority,
    /// Handlers' switches and global settings.
    pub handlers: HandlerSettings,
    /// `errors.fallback`
    pub fallback: Vec<(String, Origin)>,
    /// `log.level`, as a filter directive.
    pub log_level: &'static str,
    /// `log.format` is json.
    pub log_json: bool,
    /// `secrets.env_dir`
    pub env_dir: Option<PathBuf>,
    /// `audit`
    pub audit: AuditSettings,
    /// `issuer`
    pub issuer: Option<IssuerSettings>,
    /// How key sets are kept fresh.
    pub key_sets: KeySetSettings,
}

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
        key: keyward_core::secret::Secret,
    },
}

/// The proxy.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Where it listens.
    pub listener: ListenerSettings,
    /// From the first byte of a head to its end.
    pub header_timeout: Duration,
    /// TLS handshakes.
    pub handshake_timeout: Duration,
    /// Idle keep-alive connections.
    pub idle_timeout: Duration,
    /// What the gate lets through.
    pub gate: GatePolicy,
    /// The most connections at a time.
    pub max_connections: usize,
    /// The longest request body.
    pub max_body_bytes: Option<u64>,
    /// The longest request body that is held in memory for a handler that reads it.
    pub max_held_body_bytes: u64,
    /// Further names of this proxy.
    pub authorities: Vec<String>,
    /// Cores that serve.
    pub workers: usize,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_timeout: Duration,
    /// Connections to upstreams.
    pub upstream: UpstreamSettings,
}

/// Connections to upstreams.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Certificates trusted besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Addresses to use instead of asking the resolver.
    pub resolve: Vec<Override>,
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// Idle pooled connections.
    pub idle_timeout: Duration,
    /// From the end of the request to the head of the answer.
    pub response_header_timeout: Duration,
    /// Pauses in bodies.
    pub stream_idle_timeout: Duration,
}

/// The metrics listener and its labels.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Where it listens.
    pub listener: ListenerSettings,
    /// What names of the reference start with.
    pub prefix: String,
    /// Leave the request label empty.
    pub hide_request_paths: bool,
    /// Keep only the first path segment in the request label.
    pub collapse_request_paths: bool,
}

/// The audit log.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Where records go.
    pub sink: AuditSink,
    /// Refuse requests when records cannot be written, rather than lose records.
    pub blocks: bool,
}

/// Where audit records go.
#[derive(Clone, Debug)]
pub enum AuditSink {
    /// Append to a file.
    File(PathBuf),
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
}

/// How key sets are kept fresh.
#[derive(Clone, Copy, Debug)]
pub struct KeySetSettings {
    /// How old a set may be before it is fetched again.
    pub refresh: Duration,
    /// How long a request waits for a fetch.
    pub max_wait: Duration,
}

/// Checks a file's contents. All findings are collected; errors are in `Err`, warnings beside the settings.
pub fn check(root: &Node) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let schema = super::environment::generator().into_root_schema_for::<ConfigFile>();
    let errors = super::shape::check(root, schema.as_value(), "");
    let misshapen: Vec<Option<Origin>> = errors.iter().map(|finding| finding.origin.clone()).collect();
    let mut check = Check { root, errors, warnings: Vec::new() };
    let file = match &root.value {
        Value::Null => Ok(ConfigFile::default()),
        _ => decode::<ConfigFile>(root),
    };
    let settings = match file {
        Ok(file) => Some(check.settings(file)),
        Err(problem) => {
            if check.errors.is_empty() {
                check.errors.push(problem);
            }
            check.handlers_alone();
            None
        }
    };
    // What has the wrong shape was said already, and better.
    let mut number = 0;
    check.errors.retain(|finding| {
        number += 1;
        number <= misshapen.len() || !misshapen.contains(&finding.origin)
    });
    match settings {
        Some(settings) if check.errors.is_empty() => Ok((settings, check.warnings)),
        _ => Err(check.errors),
    }
}

struct Check<'a> {
    root: &'a Node,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Check<'_> {
    fn place(&self, path: &str) -> Origin {
        self.root.get(path).map_or(&self.root.origin, |node| &node.origin).clone()
    }

    /// Where a key stands, rather than its value.
    fn place_of_key(&self, path: &str) -> Origin {
        self.root.entry(path).map_or_else(|| self.place(path), |entry| entry.key_origin.clone())
    }

    /// What is wrong with handlers, when the whole file cannot be read.
    fn handlers_alone(&mut self) {
        let root = self.root;
        let written = |group: &str| root.get(group).and_then(|node| decode(node).ok());
        self.handlers("authenticators", written("authenticators"), &TABLES.authenticators);
        self.handlers("authorizers", written("authorizers"), &TABLES.authorizers);
        self.handlers("mutators", written("mutators"), &TABLES.mutators);
        self.handlers("errors.handlers", written("errors.handlers"), &TABLES.error_handlers);
    }

    /// A listener's address can be read.
    fn listener(&mut self, settings: ListenerSettings) -> ListenerSettings {
        if let Err(problem) = address(&settings) {
            self.errors.push(problem.at(&self.place(&format!("{}.host", settings.key))));
        }
        settings
    }

    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        let finding = Diagnostic::error(format!("`{path}`: {}", message.into())).at(&self.place(path));
        self.errors.push(finding);
    }

    fn warn(&mut self, path: &str, message: &str) {
        let finding = Diagnostic::warning(format!("`{path}` {message}")).at(&self.place(path));
        self.warnings.push(finding);
    }

    fn settings(&mut self, file: ConfigFile) -> Settings {
        let serve = file.serve.unwrap_or_default();
        let rules = file.access_rules.unwrap_or_default();
        let errors = file.errors.unwrap_or_default();
        let log = file.log.unwrap_or_default();
        for (path, is_set) in [
            ("profiling", file.profiling.is_some()),
            ("sqa", file.sqa.is_some()),
            ("log.leak_sensitive_values", log.leak_sensitive_values == Some(true)),
        ] {
            if is_set {
                self.warn(path, "has no effect");
            }
        }
        if file.tracing.and_then(|tracing| tracing.provider).is_some_and(|provider| !provider.is_empty()) {
            self.refuse("tracing.provider", "tracing is not supported yet");
        }
        let handlers = HandlerSettings {
            authenticators: self.handlers("authenticators", file.authenticators, &TABLES.authenticators),
            authorizers: self.handlers("authorizers", file.authorizers, &TABLES.authorizers),
            mutators: self.handlers("mutators", file.mutators, &TABLES.mutators),
            error_handlers: self.error_handlers(errors.handlers),
        };
        let fallback = match errors.fallback {
            None => vec![("json".to_owned(), Origin::whole("built-in default"))],
            Some(list) => list.iter().filter_map(|node| self.text(node).map(|id| (id, node.origin.clone()))).collect(),
        };
        let repositories = rules.repositories.unwrap_or_default();
        let repositories = repositories
            .iter()
            .filter_map(|node| {
                let url = self.text(node)?;
                RepositoryUrl::parse(&url)
                    .map_err(|problem| self.errors.push(Diagnostic::error(problem).at(&node.origin)))
                    .ok()
            })
            .collect();
        let prometheus = serve.prometheus.unwrap_or_default();
        let metrics = MetricsSettings {
            listener: self.listener(ListenerSettings {
                key: "serve.prometheus",
                host: prometheus.host.unwrap_or_default(),
                port: prometheus.port.unwrap_or(9000),
                tls: None,
            }),
            prefix: prometheus.metric_name_prefix.unwrap_or_else(|| "ory_oathkeeper_".to_owned()),
            hide_request_paths: prometheus.hide_request_paths.unwrap_or(false),
            collapse_request_paths: prometheus.collapse_request_paths.unwrap_or(true),
        };
        if prometheus.metrics_path.is_some_and(|path| path != "/metrics") {
            self.warn("serve.prometheus.metrics_path", "has no effect: metrics are at `/metrics`, as in the reference");
        }
        if !metrics.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.refuse("serve.prometheus.metric_name_prefix", "only letters, digits and `_` can be in a metric name");
        }
        let key_sets = Self::key_sets(&handlers);
        if matches!(log.format, Some(LogFormat::JsonPretty | LogFormat::Gelf)) {
            self.refuse("log.format", "this format is not supported yet; use `text` or `json`");
        }
        let audit = file.audit.unwrap_or_default();
        let sink = match audit.sink {
            Some(AuditSinkName::Off) => AuditSink::Off,
            Some(AuditSinkName::File) => match audit.path {
                Some(path) if !path.is_empty() => AuditSink::File(path.into()),
                _ => {
                    self.refuse("audit", "the file sink needs `path`");
                    AuditSink::Off
                }
            },
            Some(AuditSinkName::Stdout) | None => AuditSink::Stdout,
        };
        let issuer = file
            .issuer
            .filter(|node| !matches!(node.value, Value::Null))
            .and_then(|node| IssuerSettings::check(&node).map_err(|problem| self.errors.push(problem)).ok())
            .map(|settings| IssuerSettings { listener: self.listener(settings.listener.clone()), ..settings });
        Settings {
            proxy: self.proxy(serve.proxy.unwrap_or_default()),
            api: self.api(serve.api.unwrap_or_default()),
            metrics,
            repositories,
            strategy: rules.matching_strategy.map(Strategy::from).unwrap_or_default(),
            match_authority: rules.match_authority.unwrap_or(MatchAuthority::Loopback),
            handlers,
            fallback,
            log_level: match log.level {
                Some(LogLevel::Panic | LogLevel::Fatal | LogLevel::Error) => "error",
                Some(LogLevel::Warn) => "warn",
                Some(LogLevel::Debug) => "debug",
                Some(LogLevel::Trace) => "trace",
                Some(LogLevel::Info) | None => "info",
            },
            log_json: log.format == Some(LogFormat::Json),
            env_dir: file.secrets.and_then(|secrets| secrets.env_dir).filter(|path| !path.is_empty()).map(Into::into),
            audit: AuditSettings { sink, blocks: audit.policy != Some(AuditPolicyName::Drop) },
            issuer,
            key_sets,
        }
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        decode::<String>(node).map_err(|problem| self.errors.push(problem)).ok()
    }

    fn proxy(&mut self, file: ProxyFile) -> ProxySettings {
        let timeout = file.timeout.unwrap_or_default();
        let limits = file.limits.unwrap_or_default();
        let upstream = file.upstream.unwrap_or_default();
        let defaults = GatePolicy::default();
        self.cors("serve.proxy.cors", file.cors);
        let resolve = upstream.resolve.unwrap_or_default();
        let resolve = resolve
            .iter()
            .filter_map(|text| {
                Override::parse(text)
                    .map_err(|problem| self.refuse("serve.proxy.upstream.resolve", format!("`{text}`: {problem}")))
                    .ok()
            })
            .collect();
        let workers = match file.workers {
            Some(0) => {
                self.refuse("serve.proxy.workers", "at least one core must serve");
                1
            }
            Some(workers) => usize::from(workers),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let tls = self.tls("serve.proxy.tls", file.tls);
        let authorities = self.authorities(file.authorities.unwrap_or_default());
        for (key, zero) in [
            ("connections", limits.connections == Some(0)),
            ("header_bytes", limits.header_bytes == Some(0)),
            ("header_field_bytes", limits.header_field_bytes == Some(0)),
            ("headers", limits.headers == Some(0)),
            ("target_bytes", limits.target_bytes == Some(0)),
        ] {
            if zero {
                self.refuse(&format!("serve.proxy.limits.{key}"), "no request could pass; write at least 1");
            }
        }
        ProxySettings {
            listener: self.listener(ListenerSettings {
                key: "serve.proxy",
                host: file.host.unwrap_or_default(),
                port: file.port.unwrap_or(4455),
                tls,
            }),
            header_timeout: or(timeout.header, 10),
            handshake_timeout: or(timeout.handshake, 5),
            idle_timeout: or(timeout.idle, 120),
            gate: GatePolicy {
                trust_forwarded_headers: file.trust_forwarded_headers.unwrap_or(false),
                max_head_bytes: limits.header_bytes.unwrap_or(defaults.max_head_bytes),
                max_field_bytes: limits.header_field_bytes.unwrap_or(defaults.max_field_bytes),
                max_fields: limits.headers.unwrap_or(defaults.max_fields),
                max_target_bytes: limits.target_bytes.unwrap_or(defaults.max_target_bytes),
            },
            max_connections: limits.connections.unwrap_or(10_000),
            max_body_bytes: limits.body_bytes,
            max_held_body_bytes: limits.held_body_bytes.unwrap_or(1024 * 1024),
            authorities,
            workers,
            shutdown_timeout: or(file.shutdown_timeout, 30),
            upstream: UpstreamSettings {
                ca_files: upstream.ca_files.unwrap_or_default().into_iter().map(Into::into).collect(),
                resolve,
                connect_timeout: or(upstream.connect_timeout, 3),
                idle_timeout: or(upstream.idle_timeout, 30),
                response_header_timeout: or(upstream.response_header_timeout, 60),
                stream_idle_timeout: or(upstream.stream_idle_timeout, 300),
            },
        }
    }

    fn api(&mut self, file: ApiFile) -> ListenerSettings {
        self.cors("serve.api.cors", file.cors);
        let tls = self.tls("serve.api.tls", file.tls);
        self.listener(ListenerSettings {
            key: "serve.api",
            host: file.host.unwrap_or_default(),
            port: file.port.unwrap_or(4456),
            tls,
        })
    }

    /// Names as requests write them: `host` or `host:port`, lower case.
    fn authorities(&mut self, names: Vec<String>) -> Vec<String> {
        for name in &names {
            if !name.parse::<http::uri::Authority>().is_ok_and(|read| !read.host().is_empty() && !name.contains('@')) {
                self.refuse("serve.proxy.authorities", format!("`{name}` is not `host` or `host:port`"));
            }
        }
        names.iter().map(|name| name.to_ascii_lowercase()).collect()
    }

    fn cors(&mut self, path: &str, cors: Option<Cors>) {
        if cors.and_then(|cors| cors.enabled) == Some(true) {
            self.refuse(&format!("{path}.enabled"), "CORS is not supported yet");
        }
    }

    /// base64 wins over paths; a mixture is an error; nothing is plain HTTP (serving spec 3.3).
    fn tls(&mut self, path: &str, tls: Option<Tls>) -> Option<TlsFiles> {
        let tls = tls?;
        let (cert, key) = (tls.cert.unwrap_or_default(), tls.key.unwrap_or_default());
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        match (given(cert.base64), given(key.base64), given(cert.path), given(key.path)) {
            (Some(cert), Some(key), _, _) => {
                Some(TlsFiles::Inline { cert, key: keyward_core::secret::Secret::new(key) })
            }
            (None, None, Some(cert), Some(key)) => Some(TlsFiles::Paths { cert: cert.into(), key: key.into() }),
            (None, None, None, None) => None,
            _ => {
                self.refuse(path, "needs `cert` and `key`, both as `path` or both as `base64`");
                None
            }
        }
    }

    fn handlers<K: HandlerKind + ?Sized>(
        &mut self,
        group: &str,
        written: Option<BTreeMap<String, Handler>>,
        table: &Table<'_, K>,
    ) -> BTreeMap<String, HandlerSetting> {
        let mut settings = BTreeMap::new();
        for (id, handler) in written.unwrap_or_default() {
            let path = format!("{group}.{id}");
            let enabled = handler.enabled.unwrap_or(false);
            let kind = table.all.iter().find(|kind| kind.id() == id);
            match kind {
                None if table.planned.contains(&id.as_str()) => {
                    if enabled {
                        let finding = Diagnostic::error(format!("{} `{id}` is not supported yet", table.noun));
                        self.errors.push(finding.at(&self.place_of_key(&path)).hint("remove it, or leave it disabled"));
                    }
                    continue;
                }
                None => {
                    let known: Vec<&str> =
                        table.all.iter().map(|kind| kind.id()).chain(table.planned.iter().copied()).collect();
                    let mut finding =
                        Diagnostic::error(format!("unknown key `{id}` in `{group}`")).at(&self.place_of_key(&path));
                    finding.hint = hint_for_key(&id, &known);
                    self.errors.push(finding);
                    continue;
                }
                Some(kind) if enabled => self.handler_keys(&path, *kind, handler.config.as_ref()),
                Some(_) => {}
            }
            let config = handler
                .config
                .filter(|config| !matches!(config.value, Value::Null))
                .unwrap_or(Node { value: Value::Map(Vec::new()), origin: self.place(&path) });
            settings.insert(id, HandlerSetting { enabled, config });
        }
        settings
    }

    /// The shape of a handler's global settings; what they mean is checked when a rule binds the handler.
    fn handler_keys<K: HandlerKind + ?Sized>(&mut self, path: &str, kind: &K, config: Option<&Node>) {
        let Some(config) = config else { return };
        let mut generator = super::environment::generator();
        let Some(schema) = kind.settings(&mut generator) else {
            return self.refuse(&format!("{path}.config"), format!("`{}` takes no settings", kind.id()));
        };
        self.errors.extend(super::shape::check(config, schema.as_value(), &format!("{path}.config")));
    }

    /// `json` is on unless it is switched off.
    fn error_handlers(&mut self, written: Option<BTreeMap<String, Handler>>) -> BTreeMap<String, HandlerSetting> {
        let mut written = written.unwrap_or_default();
        let json = written.entry("json".to_owned()).or_default();
        json.enabled.get_or_insert(true);
        self.handlers("errors.handlers", Some(written), &TABLES.error_handlers)
    }

    /// `jwks_ttl` and `jwks_max_wait` are global only, in the jwt authenticator's settings.
    fn key_sets(handlers: &HandlerSettings) -> KeySetSettings {
        let read = |key: &str, seconds: u64| {
            let written = handlers.authenticators.get("jwt").and_then(|setting| setting.config.get(key));
            // What cannot be read was found with the handler's other settings, if it is enabled.
            match written.map(decode::<Option<GoDuration>>) {
                Some(Ok(Some(GoDuration(value)))) => value,
                _ => Duration::from_secs(seconds),
            }
        };
        KeySetSettings { refresh: read("jwks_ttl", 30).max(Duration::from_secs(1)), max_wait: read("jwks_max_wait", 1) }
    }
}

/// A duration, or a default in seconds; zero is the default, as in the reference.
fn or(written: Option<GoDuration>, seconds: u64) -> Duration {
    written.map(|GoDuration(value)| value).filter(|value| !value.is_zero()).unwrap_or(Duration::from_secs(seconds))
}
