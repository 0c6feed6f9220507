//! The end of an exchange: one audit record and the counters, exactly once, however it ends.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use keyward_core::rule::Rule;
use keyward_core::session::Caller;

use super::body::RequestTally;
use super::connection::Connection;
use crate::audit::handle::AuditHandle;
use crate::audit::ids::{RequestIds, trace_id};
use crate::audit::record::AuditRecord;
use crate::metrics::worker::{Finished, WorkerMetrics};
use crate::serving::Live;

/// One core's ends of the audit log and the metrics.
pub struct Sinks {
    /// The audit log.
    pub audit: AuditHandle,
    /// The metrics.
    pub metrics: WorkerMetrics,
    /// Names requests that bring no id.
    pub request_ids: RequestIds,
}

impl Sinks {
    /// Records a request that never became one: its head could not be read.
    pub fn unread(&self, rules_version: &str, connection: &Connection, status: StatusCode) {
        let request_id = self.request_ids.of(&HeaderMap::new());
        let (refusal, peer) = ("unreadable", connection.peer);
        self.metrics.shared().refused(refusal);
        tracing::info!(request_id, %peer, refusal, "request refused");
        self.audit.write(&AuditRecord {
            ts: Some(SystemTime::now()),
            request_id: &request_id,
            rules_version,
            outcome: "denied",
            reason: Some("request_refused"),
            status: status.as_u16(),
            client_ip: Some(&connection.peer_ip),
            ..AuditRecord::default()
        });
    }
}

/// What nginx made the custom for a caller that left before its answer; the reference follows it.
const CALLER_GONE: u16 = 499;

/// What is known about an exchange so far; written down when it is dropped.
pub struct Completion {
    sinks: Rc<Sinks>,
    live: Arc<Live>,
    connection: Rc<Connection>,
    method: Method,
    arrived: Instant,
    arrived_at: SystemTime,
    request_id: String,
    trace_id: Option<String>,
    completed: bool,
    bytes_in: u64,
    bytes_out: u64,
    /// What went through of the request body.
    pub tally: Rc<RequestTally>,
    /// The canonical path, without query.
    pub path: String,
    /// The host the caller named.
    pub host: String,
    /// Who asked.
    pub caller: Option<Caller>,
    /// The number of the rule that matched.
    pub rule: Option<u32>,
    /// Where it was sent.
    pub upstream_url: Option<String>,
    /// The status the caller gets.
    pub status: u16,
    /// The status the upstream gave.
    pub upstream_status: Option<u16>,
    /// Until the head of the upstream's answer.
    pub upstream_duration: Option<Duration>,
    /// allowed, denied or error.
    pub outcome: &'static str,
    /// Why, unless allowed.
    pub reason: Option<&'static str>,
}

impl Completion {
    /// The beginning of an exchange. Boxed, since it goes from hand to hand until the end.
    pub fn begin(
        sinks: Rc<Sinks>,
        live: Arc<Live>,
        connection: Rc<Connection>,
        method: Method,
        headers: &HeaderMap,
    ) -> Box<Self> {
        connection.active.set(connection.active.get() + 1);
        let (request_id, trace_id) = (sinks.request_ids.of(headers), trace_id(headers));
        Box::new(Self {
            sinks,
            live,
            connection,
            method,
            arrived: Instant::now(),
            arrived_at: SystemTime::now(),
            request_id,
            trace_id,
            completed: false,
            bytes_in: 0,
            bytes_out: 0,
            tally: Rc::default(),
            path: String::new(),
            host: String::new(),
            caller: None,
            rule: None,
            upstream_url: None,
            status: 0,
            upstream_status: None,
            upstream_duration: None,
            outcome: "error",
            reason: None,
        })
    }

    /// What the exchange is judged by and served under.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The id for logs.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// When the request arrived.
    pub fn arrived_at(&self) -> SystemTime {
        self.arrived_at
    }

    /// Time since then.
    pub fn elapsed(&self) -> Duration {
        self.arrived.elapsed()
    }

    /// The connection's peer.
    pub fn peer(&self) -> SocketAddr {
        self.connection.peer
    }

    /// The request method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Payload from the caller that did not pass as a body.
    pub fn add_bytes_in(&mut self, bytes: u64) {
        self.bytes_in += bytes;
    }

    /// Payload to the caller.
    pub fn add_bytes_out(&mut self, bytes: u64) {
        self.bytes_out += bytes;
    }

    /// The exchange ended as it should.
    pub fn complete(&mut self) {
        self.completed = true;
    }

    /// What it ended as. A stream that broke is an error, though it was allowed.
    fn verdict(&self) -> (&'static str, Option<&'static str>) {
        if self.outcome == "error" && self.reason.is_none() {
            // Given up before there was an answer: the caller left, unless this is the wake of a panic.
            return ("error", Some(if std::thread::panicking() { "internal" } else { "caller_gone" }));
        }
        if self.completed || self.outcome != "allowed" {
            return (self.outcome, self.reason);
        }
        ("error", Some(self.tally.fault.get().map_or("stream_broken", |fault| fault.reason())))
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.connection.active.set(self.connection.active.get().saturating_sub(1));
        let (outcome, reason) = self.verdict();
        if self.status == 0 {
            self.status = if reason == Some("internal") { 500 } else { CALLER_GONE };
        }
        let took = self.elapsed();
        let rule = self.rule.and_then(|number| self.live.snapshot.rules.rule(number));
        let credential = rule.filter(|_| self.upstream_url.is_some()).and_then(names_of_credential_headers);
        let caller = self.caller.as_ref();
        self.sinks.audit.write(&AuditRecord {
            ts: Some(self.arrived_at),
            request_id: &self.request_id,
            trace_id: self.trace_id.as_deref(),
            subject: caller.map(|caller| &*caller.subject).filter(|subject| !subject.is_empty()),
            issuer: caller.and_then(|caller| caller.issuer.as_deref()),
            scopes: caller.map_or(&[], |caller| &caller.scopes),
            rule_id: rule.map(|rule| &**rule.id()),
            rules_version: self.live.snapshot.rules.version(),
            outcome,
            reason,
            method: self.method.as_str(),
            path: &self.path,
            host: &self.host,
            upstream_url: self.upstream_url.as_deref(),
            status: self.status,
            upstream_status: self.upstream_status,
            bytes_in: self.bytes_in + self.tally.bytes.get(),
            bytes_out: self.bytes_out,
            duration: took,
            upstream_duration: self.upstream_duration,
            client_ip: Some(&self.connection.peer_ip),
            credential: credential.as_deref(),
        });
        self.sinks.metrics.finished(&Finished {
            generation: self.live.snapshot.generation,
            labels: self.live.serving.labels,
            rule: rule.map(|rule| (rule.number(), &**rule.id())),
            method: &self.method,
            path: &self.path,
            status: self.status,
            outcome,
            took,
            upstream: self.upstream_duration,
        });
    }
}

/// The headers that carried the injected credential.
fn names_of_credential_headers(rule: &Rule) -> Option<Cow<'_, str>> {
    match rule.credential_headers() {
        [] => None,
        [only] => Some(Cow::Borrowed(only.as_str())),
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            Some(Cow::Owned(names.join(",")))
        }
    }
}
