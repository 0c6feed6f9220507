//! The proxy: its limits and time limits, and its connections to upstreams.

use std::path::PathBuf;
use std::time::Duration;

use keyward_core::document::duration::GoDuration;
use keyward_core::gate::GatePolicy;

use super::Check;
use super::listeners::ListenerSettings;
use crate::config::file::serve::{AddressesFile, EchoedCredentials, ProxyFile};
use crate::config::file::{EchoedCredential, MethodOverrideHeaders, UnderscoreHeaders};
use crate::cors::CorsSettings;
use crate::echo::{Action, EchoPolicy};
use crate::upstream::addresses::{AddressPolicy, Addresses};
use crate::upstream::resolve::Override;

/// Longer than anybody wants to wait for an answer, and longer than a core waits that is merely busy.
const DEFAULT_QUEUE_TIME: Duration = Duration::from_millis(200);
/// Timers are a millisecond or two late at any time.
const SHORTEST_QUEUE_TIME: Duration = Duration::from_millis(5);

/// What an echo of a request, or a page about an error, is shorter than.
const DEFAULT_ECHO_BYTES: usize = 16 * 1024;
/// The furthest that bodies are looked into, in bytes: an answer that may have to be refused is held in memory so far.
pub const MOST_ECHO_BYTES: usize = 1024 * 1024;

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
    /// The longest pause in a request's body.
    pub read_timeout: Duration,
    /// The longest a caller may leave unread what it is sent.
    pub write_timeout: Duration,
    /// What the gate lets through.
    pub gate: GatePolicy,
    /// The most connections at a time.
    pub max_connections: usize,
    /// The most requests in flight at a time.
    pub max_requests: u64,
    /// How long work that is ready may wait on a core before new work is turned away, if there is a limit.
    pub max_queue_time: Option<Duration>,
    /// The longest request body.
    pub max_body_bytes: Option<u64>,
    /// The longest request body that is held in memory for a handler that reads it.
    pub max_held_body_bytes: u64,
    /// What the cache of verified tokens may take, in bytes; 0 for none.
    pub token_cache_bytes: u64,
    /// Cross-origin requests, when they are provided for.
    pub cors: Option<CorsSettings>,
    /// Further names of this proxy.
    pub authorities: Vec<String>,
    /// What becomes of answers that hold a credential of their request.
    pub echoes: EchoPolicy,
    /// Answers carry the version of the rules.
    pub rules_version_header: bool,
    /// Cores that serve.
    pub workers: usize,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_timeout: Duration,
    /// Connections to upstreams.
    pub upstream: UpstreamSettings,
}

/// Connections to upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Certificates trusted besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Addresses to use instead of asking the resolver.
    pub resolve: Vec<Override>,
    /// Where hosts may lead.
    pub addresses: AddressPolicy,
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// Idle pooled connections.
    pub idle_timeout: Duration,
    /// From the end of the request to the head of the answer.
    pub response_header_timeout: Duration,
    /// Pauses in bodies.
    pub stream_idle_timeout: Duration,
}

impl Check<'_> {
    pub(super) fn proxy(&mut self, file: ProxyFile) -> ProxySettings {
        let timeout = file.timeout.unwrap_or_default();
        let limits = file.limits.unwrap_or_default();
        let upstream = file.upstream.unwrap_or_default();
        let defaults = GatePolicy::default();
        let cors = self.cors("serve.proxy.cors", file.cors);
        let resolve = upstream.resolve.unwrap_or_default();
        let resolve = resolve
            .iter()
            .filter_map(|text| {
                Override::parse(text)
                    .map_err(|problem| self.refuse("serve.proxy.upstream.resolve", format!("`{text}`: {problem}")))
                    .ok()
            })
            .collect();
        let addresses = self.addresses(upstream.addresses.unwrap_or_default());
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
            ("requests", limits.requests == Some(0)),
            ("header_bytes", limits.header_bytes == Some(0)),
            ("header_field_bytes", limits.header_field_bytes == Some(0)),
            ("headers", limits.headers == Some(0)),
            ("target_bytes", limits.target_bytes == Some(0)),
        ] {
            if zero {
                self.refuse(&format!("serve.proxy.limits.{key}"), "no request could pass; write at least 1");
            }
        }
        let echoes = self.echoes(file.echoed_credentials.unwrap_or_default());
        let max_queue_time = self.queue_time(limits.queue_time);
        let stream_idle_timeout = or(upstream.stream_idle_timeout, 300);
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
            read_timeout: timeout.read.map_or(stream_idle_timeout, |written| or(Some(written), 5)),
            write_timeout: timeout.write.map_or(stream_idle_timeout, |written| or(Some(written), 10)),
            gate: GatePolicy {
                trust_forwarded_headers: file.trust_forwarded_headers.unwrap_or(false),
                passes_underscores: matches!(file.underscore_headers, Some(UnderscoreHeaders::Pass)),
                passes_method_overrides: matches!(file.method_override_headers, Some(MethodOverrideHeaders::Pass)),
                max_head_bytes: limits.header_bytes.unwrap_or(defaults.max_head_bytes),
                max_field_bytes: limits.header_field_bytes.unwrap_or(defaults.max_field_bytes),
                max_fields: limits.headers.unwrap_or(defaults.max_fields),
                max_target_bytes: limits.target_bytes.unwrap_or(defaults.max_target_bytes),
            },
            max_connections: limits.connections.unwrap_or(10_000),
            max_requests: limits.requests.unwrap_or(10_000),
            max_queue_time,
            max_body_bytes: limits.body_bytes,
            max_held_body_bytes: limits.held_body_bytes.unwrap_or(1024 * 1024),
            token_cache_bytes: limits.token_cache_bytes.unwrap_or(16 * 1024 * 1024),
            cors,
            authorities,
            echoes,
            rules_version_header: file.rules_version_header.unwrap_or(false),
            workers,
            shutdown_timeout: or(file.shutdown_timeout, 30),
            upstream: UpstreamSettings {
                ca_files: upstream.ca_files.unwrap_or_default().into_iter().map(Into::into).collect(),
                resolve,
                addresses,
                connect_timeout: or(upstream.connect_timeout, 3),
                idle_timeout: or(upstream.idle_timeout, 30),
                response_header_timeout: or(upstream.response_header_timeout, 60),
                stream_idle_timeout,
            },
        }
    }

    fn addresses(&mut self, file: AddressesFile) -> AddressPolicy {
        let mut read = |key: &str, entries: Option<Vec<String>>| {
            let mut read_all = Vec::new();
            for entry in entries.unwrap_or_default() {
                match Addresses::parse(&entry) {
                    Ok(addresses) => read_all.push(addresses),
                    Err(problem) => self.refuse(&format!("serve.proxy.upstream.addresses.{key}"), problem),
                }
            }
            read_all
        };
        let (allow, deny) = (read("allow", file.allow), read("deny", file.deny));
        AddressPolicy::new(allow, deny)
    }

    fn echoes(&mut self, file: EchoedCredentials) -> EchoPolicy {
        let action = |written| match written {
            Some(EchoedCredential::Off) => None,
            Some(EchoedCredential::Refuse) => Some(Action::Refuse),
            Some(EchoedCredential::Remove) | None => Some(Action::Remove),
        };
        let body_bytes = file.body_bytes.unwrap_or(DEFAULT_ECHO_BYTES);
        if !(1..=MOST_ECHO_BYTES).contains(&body_bytes) {
            let problem = format!("write 1 to {MOST_ECHO_BYTES}, or `bodies: off` to look into none");
            self.refuse("serve.proxy.echoed_credentials.body_bytes", problem);
        }
        EchoPolicy { headers: action(file.headers), bodies: action(file.bodies), body_bytes }
    }

    /// Zero stands for no limit.
    fn queue_time(&mut self, written: Option<GoDuration>) -> Option<Duration> {
        let limit = written.map_or(DEFAULT_QUEUE_TIME, |GoDuration(limit)| limit);
        if !limit.is_zero() && limit < SHORTEST_QUEUE_TIME {
            let problem = "a core that has nothing to do can be that late; write at least `5ms`, or `0s` for no limit";
            self.refuse("serve.proxy.limits.queue_time", problem);
        }
        Some(limit).filter(|limit| !limit.is_zero())
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
}

/// A duration, or a default in seconds; zero is the default, as in the reference.
pub(super) fn or(written: Option<GoDuration>, seconds: u64) -> Duration {
    written.map(|GoDuration(value)| value).filter(|value| !value.is_zero()).unwrap_or(Duration::from_secs(seconds))
}
