//! The end of an exchange: one audit record and the counters, exactly once, however it ends.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use keyward_core::caller::Caller;
use keyward_core::gate::CanonicalTarget;
use keyward_core::rule::Rule;
use keyward_core::rule::upstream::{UpstreamOrigin, UpstreamUrl};

use super::body::{RequestTally, UpstreamBody};
use super::connection::Connection;
use super::in_force::InForce;
use super::overload::CoreLoad;
use super::pace::Pace;
use crate::audit::handle::AuditHandle;
use crate::audit::ids::{RequestIds, RequestName};
use crate::audit::record::AuditRecord;
use crate::echo::{Action, EchoLog, Echoed};
use crate::metrics::worker::{Finished, WorkerMetrics};
use crate::serving::Live;
use crate::traces::trace::{Facts, Steps, Trace};

/// One core's ends of the audit log and the metrics, and what it can still take on.
pub struct Sinks {
    /// The audit log.
    pub audit: AuditHandle,
    /// The metrics.
    pub metrics: WorkerMetrics,
    /// Names requests that bring no id.
    pub request_ids: RequestIds,
    /// Whether this core keeps up.
    pub load: CoreLoad,
    /// What is told of upstreams that give credentials away.
    pub echoes: EchoLog,
    /// What is told of callers that do wrong.
    pub pace: Pace,
}

/// What nginx made the custom for a caller that left before its answer; the reference follows it.
const CALLER_GONE: u16 = 499;

/// What is known about an exchange so far; written down when it ends, or is dropped.
pub struct Completion {
    sinks: Rc<Sinks>,
    in_force: Rc<InForce>,
    connection: Rc<Connection>,
    method: Method,
    arrived: Instant,
    arrived_at: SystemTime,
    name: RequestName,
    in_flight: u64,
    completed: Option<Instant>,
    bytes_in: u64,
    bytes_out: u64,
    /// What went through of the request body.
    pub tally: Rc<RequestTally>,
    /// What was asked for.
    pub asked: Asked,
    /// Who asked.
    pub caller: Option<Arc<Caller>>,
    /// The number of the rule that matched.
    pub rule: Option<u32>,
    /// It was given the rule's credential, and handed on to its upstream.
    pub is_forwarded: bool,
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
    /// The upstream's body on its way to the caller.
    pub upstream: Option<UpstreamBody>,
    /// Its part of a trace, where traces are made.
    pub trace: Option<Box<Trace>>,
    is_written: bool,
}

/// What a request asked for, as far as it is known.
pub enum Asked {
    /// Nothing yet.
    Unknown,
    /// What the gate did not pass, as it was written.
    Refused {
        /// The path.
        path: String,
        /// The host.
        host: String,
    },
    /// What the gate passed.
    Canonical(CanonicalTarget),
}

impl Asked {
    /// The path, without query.
    fn path(&self) -> &str {
        match self {
            Asked::Unknown => "",
            Asked::Refused { path, .. } => path,
            Asked::Canonical(target) => target.path(),
        }
    }

    /// The host the caller named, without user information: that may be a password.
    fn host(&self) -> &str {
        match self {
            Asked::Unknown => "",
            Asked::Refused { host, .. } => host.rsplit('@').next().unwrap_or_default(),
            Asked::Canonical(target) => target.authority(),
        }
    }
}

impl Completion {
    /// The beginning of an exchange. Boxed, since it goes from hand to hand until the end.
    pub fn begin(
        sinks: Rc<Sinks>,
        in_force: Rc<InForce>,
        connection: Rc<Connection>,
        method: Method,
        headers: &HeaderMap,
        tally: Rc<RequestTally>,
    ) -> Box<Self> {
        connection.active.set(connection.active.get() + 1);
        let in_flight = sinks.metrics.shared().in_flight.inc() + 1;
        let mut name = sinks.request_ids.name(headers);
        let tracer = in_force.live.serving.tracer.as_ref();
        let trace = tracer.map(|tracer| {
            let trace = tracer.begin(name.parent.as_ref(), headers);
            name.trace_id = Some(trace.id());
            trace
        });
        Box::new(Self {
            sinks,
            in_force,
            connection,
            method,
            arrived: Instant::now(),
            arrived_at: SystemTime::now(),
            name,
            in_flight,
            completed: None,
            bytes_in: 0,
            bytes_out: 0,
            tally,
            asked: Asked::Unknown,
            caller: None,
            rule: None,
            is_forwarded: false,
            status: 0,
            upstream_status: None,
            upstream_duration: None,
            outcome: "error",
            reason: None,
            upstream: None,
            trace,
            is_written: false,
        })
    }

    /// What the exchange is judged by and served under.
    pub fn live(&self) -> &Live {
        &self.in_force.live
    }

    /// What it came over.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// What logs call it.
    pub fn name(&self) -> &RequestName {
        &self.name
    }

    /// How many requests were in flight when this one arrived, itself included.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the request arrived.
    pub fn arrived_at(&self) -> SystemTime {
        self.arrived_at
    }

    /// The connection's peer.
    pub fn peer(&self) -> SocketAddr {
        self.connection.peer
    }

    /// The request method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Who notes the steps of the decision, if anybody does.
    pub fn steps(&mut self) -> Option<&mut Steps> {
        self.trace.as_mut()?.steps()
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
    pub fn complete(&mut self, now: Instant) {
        self.completed = Some(now);
    }

    /// The upstream answered, and that may be passed on unless something is found in it.
    pub fn answered_with(&mut self, status: StatusCode) {
        self.status = status.as_u16();
        self.upstream_status = Some(self.status);
        (self.outcome, self.reason) = ("allowed", None);
    }

    /// Which upstream it was sent to.
    pub fn upstream_origin(&self) -> Option<&Arc<UpstreamOrigin>> {
        Some(self.rule()?.upstream()?.origin())
    }

    /// The answer holds a credential of its request.
    #[cold]
    pub fn echoed(&mut self, echoed: Echoed) {
        self.reason = Some("credential_echoed");
        if echoed.action == Action::Refuse {
            self.outcome = "error";
        }
        self.sinks.metrics.shared().echoed(echoed);
        let Some(untold) = self.sinks.echoes.turn(Instant::now()) else { return };
        let (request_id, trace_id) = self.name.shown();
        let rule_id = self.rule().map(|rule| &**rule.id());
        let upstream = self.upstream_url().map(tracing::field::display);
        let (place, action) = (echoed.place.as_str(), echoed.action.as_str());
        let text = "the upstream's answer holds the credential that was put into its request";
        tracing::error!(request_id, trace_id, rule_id, upstream, place, action, untold, "{text}");
    }

    fn rule(&self) -> Option<&Rule> {
        self.rule.and_then(|number| self.live().snapshot.rules.rule(number)).map(|rule| &**rule)
    }

    /// Where it was sent.
    pub fn upstream_url(&self) -> Option<UpstreamUrl<'_>> {
        let upstream = self.rule().filter(|_| self.is_forwarded)?.upstream()?;
        Some(upstream.url(self.asked.path()))
    }

    /// What it ended as. A stream that broke is an error, though it was allowed.
    fn verdict(&self) -> (&'static str, Option<&'static str>) {
        if self.outcome == "error" && self.reason.is_none() {
            // Given up before there was an answer: the caller left, unless this is the wake of a panic.
            return ("error", Some(if std::thread::panicking() { "internal" } else { "caller_gone" }));
        }
        if self.completed.is_some() || self.outcome != "allowed" {
            return (self.outcome, self.reason);
        }
        ("error", Some(self.tally.fault.get().map_or("stream_broken", |fault| fault.reason())))
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.write();
    }
}

impl Completion {
    /// Writes down what is known; once, however often it is asked for.
    pub fn write(&mut self) {
        if std::mem::replace(&mut self.is_written, true) {
            return;
        }
        self.connection.active.set(self.connection.active.get().saturating_sub(1));
        self.sinks.metrics.shared().in_flight.dec();
        let (outcome, reason) = self.verdict();
        if self.status == 0 {
            self.status = if reason == Some("internal") { 500 } else { CALLER_GONE };
        }
        let took = self.completed.unwrap_or_else(Instant::now).duration_since(self.arrived);
        if let Some(trace) = self.trace.take() {
            self.trace_ended(*trace, took, (outcome, reason));
        }
        let live = self.live();
        let rule = self.rule();
        let credential = rule.filter(|_| self.is_forwarded).and_then(Rule::injected);
        let path = self.asked.path();
        self.sinks.audit.write(&AuditRecord {
            ts: Some(self.arrived_at),
            request_id: self.name.id.as_bytes(),
            trace_id: self.name.trace_id.as_deref(),
            caller: self.caller.as_deref(),
            rule_id: rule.map(|rule| &**rule.id()),
            rules_version: live.snapshot.rules.version(),
            outcome,
            reason,
            method: self.method.as_str(),
            path,
            host: self.asked.host(),
            upstream_url: self.upstream_url(),
            status: self.status,
            upstream_status: self.upstream_status,
            bytes_in: self.bytes_in + self.tally.bytes.get(),
            bytes_out: self.bytes_out,
            duration: took,
            upstream_duration: self.upstream_duration,
            client_ip: Some(&self.connection.peer_ip),
            credential,
        });
        self.sinks.metrics.finished(&Finished {
            generation: live.snapshot.generation,
            labels: live.serving.labels,
            rule: rule.map(|rule| (rule.number(), &**rule.id())),
            method: &self.method,
            path,
            status: self.status,
            outcome,
            took,
            upstream: self.upstream_duration,
        });
    }
    fn trace_ended(&self, trace: Trace, took: Duration, verdict: (&'static str, Option<&'static str>)) {
        trace.end(&Facts {
            arrived: (self.arrived, self.arrived_at),
            took,
            service: "proxy",
            method: &self.method,
            tls: self.connection.tls,
            target: match &self.asked {
                Asked::Canonical(target) => Some((target.authority(), target.path())),
                Asked::Refused { .. } | Asked::Unknown => None,
            },
            status: self.status,
            rule_id: self.rule().map(Rule::id),
            rules_version: self.live().snapshot.rules.version(),
            outcome: verdict.0,
            reason: verdict.1,
            client: self.connection.peer.ip(),
            upstream: self.upstream_origin().filter(|_| self.is_forwarded),
            upstream_status: self.upstream_status,
        });
    }
}
