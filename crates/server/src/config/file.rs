//! The configuration file, mirrored: every key that can be written (serving spec 2.6, 2.7, extensions).
//! What the values mean and which defaults they have is decided in [`settings`](super::settings).

use std::collections::BTreeMap;

use keyward_core::document::Node;
use keyward_core::document::duration::GoDuration;
use keyward_core::rule::pattern::Strategy;
use schemars::JsonSchema;
use serde::Deserialize;

type Json = serde_json::Value;

macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields, default)]
            pub struct $name { $($(#[$field_doc])* pub $field: Option<$type>,)* }
        )*
    };
}

mirror! {
    /// The whole file.
    ConfigFile {
        /// Informational.
        version: String,
        /// Accepted and without effect, as in the reference.
        profiling: String,
        /// Listeners.
        serve: Serve,
        /// Where rules come from and how they match.
        access_rules: AccessRules,
        /// Authenticators by id.
        authenticators: BTreeMap<String, Handler>,
        /// Authorizers by id.
        authorizers: BTreeMap<String, Handler>,
        /// Mutators by id.
        mutators: BTreeMap<String, Handler>,
        /// How denials are answered.
        errors: Errors,
        /// Diagnostics log.
        log: Log,
        /// Not supported yet.
        tracing: Tracing,
        /// Accepted and without effect: nothing is ever reported anywhere.
        #[schemars(with = "Option<Json>")]
        sqa: Node,
        /// Extension: where secrets come from.
        secrets: Secrets,
        /// Extension: the audit log.
        audit: Audit,
        /// Extension: the token issuer.
        #[schemars(with = "Option<crate::issuer::settings::IssuerFile>")]
        issuer: Node,
    }
    /// Listeners.
    Serve {
        /// The proxy.
        proxy: ProxyFile,
        /// The API port: health, rules, decisions, metrics.
        api: ApiFile,
        /// The metrics port.
        prometheus: Prometheus,
    }
    /// The proxy listener.
    ProxyFile {
        /// Address to listen on; empty for all.
        host: String,
        /// TCP port; 0 for a free one.
        port: u16,
        /// Time limits.
        timeout: Timeout,
        /// Cross-origin requests.
        cors: Cors,
        /// Serve TLS.
        tls: Tls,
        /// Believe `X-Forwarded-*` of callers.
        trust_forwarded_headers: bool,
        /// Extension: further names by which callers reach this proxy.
        authorities: Vec<String>,
        /// Extension: connections to upstreams.
        upstream: UpstreamFile,
        /// Extension: limits on requests and connections.
        limits: Limits,
        /// Extension: how many cores serve; all by default.
        workers: u16,
        /// Extension: how long requests in flight may take after SIGTERM.
        shutdown_timeout: GoDuration,
    }
    /// The API listener.
    ApiFile {
        /// Address to listen on; empty for all.
        host: String,
        /// TCP port; 0 for a free one.
        port: u16,
        /// Time limits.
        timeout: Timeout,
        /// Cross-origin requests.
        cors: Cors,
        /// Serve TLS.
        tls: Tls,
    }
    /// The metrics listener.
    Prometheus {
        /// Address to listen on; empty for all.
        host: String,
        /// TCP port; 0 for a free one.
        port: u16,
        /// Path of the metrics.
        metrics_path: String,
        /// What metric names of the reference start with.
        metric_name_prefix: String,
        /// Leave the request label empty.
        hide_request_paths: bool,
        /// Keep only the first path segment in the request label.
        collapse_request_paths: bool,
        /// Extension: serve TLS.
        tls: Tls,
    }
    /// Time limits of a listener.
    Timeout {
        /// From the first byte of a request to the last of its body. Extension: for the proxy it limits
        /// pauses, not the whole.
        read: GoDuration,
        /// Pauses while an answer is written.
        write: GoDuration,
        /// Idle keep-alive connections.
        idle: GoDuration,
        /// Extension: from the first byte of a request to the end of its headers.
        header: GoDuration,
        /// Extension: TLS handshakes.
        handshake: GoDuration,
    }
    /// Cross-origin resource sharing.
    Cors {
        /// Answer preflights, and tell browsers which pages may read answers.
        enabled: bool,
        /// `*`, origins, or `https://*.example.com`; `*` by default.
        allowed_origins: Vec<String>,
        /// Methods; GET, POST, PUT, PATCH, DELETE by default.
        allowed_methods: Vec<CorsMethod>,
        /// Request headers; Authorization and Content-Type by default, `*` for any.
        allowed_headers: Vec<String>,
        /// Answer headers that pages may read; Content-Type by default.
        exposed_headers: Vec<String>,
        /// Pages may send credentials. Without effect when every origin is allowed.
        allow_credentials: bool,
        /// Seconds that a preflight's answer may be kept; 0 leaves it to the browser.
        max_age: i64,
        /// Without effect.
        debug: bool,
    }
    /// A certificate with its key, from files or inline.
    Tls {
        /// The private key.
        key: TlsPart,
        /// The certificate chain.
        cert: TlsPart,
    }
    /// PEM from a file or as base64.
    TlsPart {
        /// File path.
        path: String,
        /// base64 of the PEM text.
        base64: String,
    }
    /// Connections to upstreams.
    UpstreamFile {
        /// Certificates trusted besides the system's, as PEM files.
        ca_files: Vec<String>,
        /// `host:port:address[:port]`: addresses to use instead of asking the resolver, like curl's
        /// `--resolve`. Also used for key sets.
        resolve: Vec<String>,
        /// TCP and TLS together.
        connect_timeout: GoDuration,
        /// Idle pooled connections.
        idle_timeout: GoDuration,
        /// From the end of the request to the head of the answer.
        response_header_timeout: GoDuration,
        /// Pauses in bodies, either way.
        stream_idle_timeout: GoDuration,
    }
    /// Limits on requests and connections.
    Limits {
        /// Connections at a time; by default what the file descriptor limit leaves.
        connections: usize,
        /// All header fields together, in bytes.
        header_bytes: usize,
        /// One header field, in bytes.
        header_field_bytes: usize,
        /// Header fields.
        headers: usize,
        /// The request target, in bytes.
        target_bytes: usize,
        /// Request bodies, in bytes; unlimited by default, since they stream.
        body_bytes: u64,
        /// Request bodies that a handler reads (`remote`) and that are held in memory for it, in bytes.
        held_body_bytes: u64,
    }
    /// Where rules come from and how they match.
    AccessRules {
        /// `file://` and `inline://` URLs.
        #[schemars(with = "Option<Vec<String>>")]
        repositories: Vec<Node>,
        /// `glob` or `regexp`.
        matching_strategy: StrategyName,
        /// Extension: `loopback` or `strict`.
        match_authority: MatchAuthority,
    }
    /// How denials are answered.
    Errors {
        /// Handlers to try when no rule's own handler answers.
        #[schemars(with = "Option<Vec<String>>")]
        fallback: Vec<Node>,
        /// Error handlers by id.
        handlers: BTreeMap<String, Handler>,
    }
    /// One handler's switch and global settings.
    Handler {
        /// Rules may use it.
        enabled: bool,
        /// Settings that rules merge theirs over.
        #[schemars(with = "Option<Json>")]
        config: Node,
    }
    /// Diagnostics log, on standard error.
    Log {
        /// panic, fatal, error, warn, info, debug or trace.
        level: LogLevel,
        /// text, json, json_pretty or gelf.
        format: LogFormat,
        /// Without effect: values are always redacted.
        leak_sensitive_values: bool,
        /// Without effect: `[redacted]` stands for every value.
        redaction_text: String,
        /// Without effect: no header values are logged at all.
        additional_redacted_headers: Vec<String>,
    }
    /// Tracing.
    Tracing {
        /// Not supported yet.
        provider: String,
        /// Service name.
        service_name: String,
        /// Environment.
        deployment_environment: String,
        /// Provider settings.
        #[schemars(with = "Option<Json>")]
        providers: Node,
    }
    /// Where secrets come from.
    Secrets {
        /// A directory with one file per variable, such as a mounted Kubernetes secret; looked at before
        /// the environment.
        env_dir: String,
    }
    /// The audit log.
    Audit {
        /// stdout, file, or off.
        sink: AuditSinkName,
        /// The file of the file sink.
        path: String,
        /// What happens when records cannot be written: block (nothing is forwarded) or drop.
        policy: AuditPolicyName,
    }
}

/// A method in `allowed_methods`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names of HTTP methods say what they are")]
pub enum CorsMethod {
    Connect,
    Delete,
    Get,
    Head,
    Patch,
    Post,
    Put,
    Trace,
}

impl From<CorsMethod> for http::Method {
    fn from(method: CorsMethod) -> Self {
        match method {
            CorsMethod::Connect => Self::CONNECT,
            CorsMethod::Delete => Self::DELETE,
            CorsMethod::Get => Self::GET,
            CorsMethod::Head => Self::HEAD,
            CorsMethod::Patch => Self::PATCH,
            CorsMethod::Post => Self::POST,
            CorsMethod::Put => Self::PUT,
            CorsMethod::Trace => Self::TRACE,
        }
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum $name { $($(#[$variant_doc])* $variant,)* }
        )*
    };
}

names! {
    /// `access_rules.matching_strategy`
    StrategyName {
        /// Globs.
        Glob,
        /// Regular expressions.
        Regexp,
    }
    /// `access_rules.match_authority`
    MatchAuthority {
        /// Loopback names with the proxy's own port match rules written for it.
        Loopback,
        /// Only the exact authority matches.
        Strict,
    }
    /// `log.level`
    LogLevel {
        /// As error.
        Panic,
        /// As error.
        Fatal,
        /// Failures.
        Error,
        /// Failures and what may become one.
        Warn,
        /// What happens.
        Info,
        /// Every decision.
        Debug,
        /// Everything.
        Trace,
    }
    /// `log.format`
    LogFormat {
        /// One JSON object a line.
        Json,
        /// One JSON object over several lines.
        JsonPretty,
        /// One GELF 1.1 object a line.
        Gelf,
        /// For people.
        Text,
    }
    /// `audit.sink`
    AuditSinkName {
        /// Append to a file.
        File,
        /// Write no records.
        Off,
        /// Standard output.
        Stdout,
    }
    /// `audit.policy`
    AuditPolicyName {
        /// No request without its record.
        Block,
        /// Lose records, and count them.
        Drop,
    }
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Glob => Strategy::Glob,
            StrategyName::Regexp => Strategy::Regexp,
        }
    }
}
