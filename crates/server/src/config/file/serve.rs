//! `serve`: the listening ports.

use keyward_core::document::duration::GoDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{EchoedCredential, MethodOverrideHeaders, UnderscoreHeaders};

mirror! {
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
        /// Extension: what becomes of headers with `_` in their names: `drop`, or `pass` to the upstream.
        underscore_headers: UnderscoreHeaders,
        /// Extension: what becomes of requests with `X-HTTP-Method-Override`, `X-HTTP-Method` or `X-Method-Override`:
        /// `refuse`, or `pass` to the upstream.
        method_override_headers: MethodOverrideHeaders,
        /// Extension: what becomes of answers that hold the credential that was put into their request.
        echoed_credentials: EchoedCredentials,
        /// Extension: further names by which callers reach this proxy.
        authorities: Vec<String>,
        /// Extension: connections to upstreams.
        upstream: UpstreamFile,
        /// Extension: limits on requests and connections.
        limits: Limits,
        /// Extension: answers, also those of `/decisions`, carry the version of the rules that they were given under, as
        /// `X-Keyward-Rules-Version`.
        rules_version_header: bool,
        /// Extension: how many cores serve; all by default.
        workers: u16,
        /// Extension: how long requests in flight may take after SIGTERM.
        shutdown_timeout: GoDuration,
    }
    /// Answers that hold the credential that was put into their request.
    EchoedCredentials {
        /// In fields of heads and of trailers: `remove`, `refuse` or `off`.
        headers: EchoedCredential,
        /// In bodies that are text: `remove`, `refuse` or `off`.
        bodies: EchoedCredential,
        /// How far into a body they are looked for, in bytes.
        body_bytes: usize,
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
        /// The longest pause in the body of a request; `serve.proxy.upstream.stream_idle_timeout` by default, 5s
        /// on the API port.
        read: GoDuration,
        /// The longest a caller may leave an answer unread; `serve.proxy.upstream.stream_idle_timeout` by default,
        /// 120s on the API port.
        write: GoDuration,
        /// Idle keep-alive connections.
        idle: GoDuration,
        /// Extension: from the first byte of a request to the end of its headers; on the API port, `read` by
        /// default.
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
        /// Where hosts may lead.
        addresses: AddressesFile,
        /// TCP and TLS together.
        connect_timeout: GoDuration,
        /// Idle pooled connections.
        idle_timeout: GoDuration,
        /// From the end of the request to the head of the answer.
        response_header_timeout: GoDuration,
        /// Pauses in bodies, either way.
        stream_idle_timeout: GoDuration,
    }
    /// Where hosts of upstreams, side services and documents may lead: addresses such as `10.1.2.3`, networks such as
    /// `10.0.0.0/8`, and `link_local`, `loopback`, `metadata`, `multicast`, `private`, `reserved`, `unspecified`.
    AddressesFile {
        /// Names may lead there. Without this, only a host that is written so leads to what is not `private` of these.
        allow: Vec<String>,
        /// No host may lead there, unless `allow` or `resolve` says so.
        deny: Vec<String>,
    }
    /// Limits on requests and connections.
    Limits {
        /// Connections at a time.
        connections: usize,
        /// Requests in flight at a time, over all cores: also streams of HTTP/2, answers that stream and upgraded
        /// connections.
        requests: u64,
        /// How long the work that is ready on a core may wait before the core turns away a share of new requests and
        /// connections; 0s for any time.
        queue_time: GoDuration,
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
        /// Memory for tokens whose signature was verified, so that it need not be verified again, in bytes; 0 remembers
        /// none.
        token_cache_bytes: u64,
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
