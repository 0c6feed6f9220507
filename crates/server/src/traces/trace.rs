//! One request's part of a trace, from its arrival to its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::Method;
use keyward_core::pipeline::grant::CredentialedRequest;
use keyward_core::pipeline::observe::{Observer, Outcome, StepKind};
use keyward_core::rule::upstream::UpstreamOrigin;

use super::context::{has_sound_state, traceparent};
use super::ids::{SpanId, TraceId};
use super::sampler::Sampled;
use super::tracer::Tracer;
use crate::redaction;

/// Steps that are noted of one decision. A rule rarely has more than five handlers.
const MAX_STEPS: usize = 32;
/// The longest path, host, or name of a rule, in bytes.
const MAX_TEXT: usize = 1024;

/// What is noted while a request is served.
pub struct Trace {
    tracer: Arc<Tracer>,
    sampled: Sampled,
    /// The request here.
    span: SpanId,
    /// What it came with goes on.
    keeps_state: bool,
    /// Of a request that is not sampled, none.
    steps: Option<Steps>,
    /// The request to the upstream, and when it began.
    upstream: Option<(SpanId, Instant)>,
}

/// The steps of a decision, as they are taken.
#[derive(Default)]
pub struct Steps {
    begun: Option<Instant>,
    taken: Vec<Step>,
}

/// A handler that was asked.
pub(super) struct Step {
    pub(super) kind: StepKind,
    pub(super) handler: &'static str,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    /// The reason, when it denied.
    pub(super) came_to: Result<&'static str, &'static str>,
}

/// What a request came to, as its record has it.
pub struct Facts<'a> {
    /// When it arrived, by both clocks.
    pub arrived: (Instant, SystemTime),
    /// From there to the last byte.
    pub took: Duration,
    /// What it was asked of: `proxy` or `api`.
    pub service: &'static str,
    /// The request method.
    pub method: &'a Method,
    /// The caller's connection is one of TLS.
    pub tls: bool,
    /// Whom the caller asked for and the canonical path, where the gate passed them.
    pub target: Option<(&'a str, &'a str)>,
    /// The status the caller got.
    pub status: u16,
    /// The rule that matched.
    pub rule_id: Option<&'a Arc<str>>,
    /// Which rule set that was.
    pub rules_version: &'a str,
    /// allowed, denied or error.
    pub outcome: &'static str,
    /// Why, unless allowed.
    pub reason: Option<&'static str>,
    /// The connection's peer.
    pub client: IpAddr,
    /// Where it was sent.
    pub upstream: Option<&'a Arc<UpstreamOrigin>>,
    /// The status that came from there.
    pub upstream_status: Option<u16>,
}

/// All that is known of a sampled request that has ended.
pub(super) struct Ended {
    pub(super) trace_id: TraceId,
    pub(super) parent: Option<SpanId>,
    pub(super) span: SpanId,
    pub(super) arrived: (Instant, SystemTime),
    pub(super) took: Duration,
    pub(super) service: &'static str,
    pub(super) method: Method,
    pub(super) tls: bool,
    pub(super) target: Option<(Box<str>, Box<str>)>,
    pub(super) status: u16,
    pub(super) rule_id: Option<Box<str>>,
    pub(super) rules_version: Box<str>,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) client: IpAddr,
    pub(super) steps: Vec<Step>,
    pub(super) upstream: Option<Forwarded>,
}

/// The request to the upstream.
pub(super) struct Forwarded {
    pub(super) span: SpanId,
    pub(super) begun: Instant,
    pub(super) origin: Arc<UpstreamOrigin>,
    pub(super) status: Option<u16>,
}

impl Trace {
    pub(super) fn new(tracer: Arc<Tracer>, sampled: Sampled, headers: &http::HeaderMap) -> Self {
        Self {
            tracer,
            span: SpanId::random(),
            keeps_state: sampled.parent.is_some() && has_sound_state(headers),
            steps: sampled.is_sampled.then(Steps::default),
            sampled,
            upstream: None,
        }
    }

    /// The trace that the request is part of.
    pub fn id(&self) -> TraceId {
        self.sampled.trace_id
    }

    /// Who notes the steps of the decision, if anybody does.
    pub fn steps(&mut self) -> Option<&mut Steps> {
        self.steps.as_mut()
    }

    /// The request goes to its upstream, which is told what it is part of.
    pub fn forward(&mut self, request: &mut CredentialedRequest, begun: Instant) {
        let span = SpanId::random();
        if let Some(parent) = traceparent(&self.sampled.trace_id, &span, self.sampled.is_sampled) {
            request.join_trace(parent, self.keeps_state);
        }
        self.upstream = Some((span, begun));
    }

    /// The request has ended. What is noted of it goes to the exporter, if it is sampled.
    pub fn end(self, facts: &Facts<'_>) {
        let Some(steps) = self.steps else { return };
        let upstream = self.upstream.zip(facts.upstream);
        self.tracer.add(Ended {
            trace_id: self.sampled.trace_id,
            parent: self.sampled.parent.map(|parent| parent.span_id),
            span: self.span,
            arrived: facts.arrived,
            took: facts.took,
            service: facts.service,
            method: facts.method.clone(),
            tls: facts.tls,
            target: facts.target.map(|(host, path)| (bounded(host), bounded(path))),
            status: facts.status,
            rule_id: facts.rule_id.map(|id| bounded(id)),
            rules_version: facts.rules_version.into(),
            outcome: facts.outcome,
            reason: facts.reason,
            client: facts.client,
            steps: steps.taken,
            upstream: upstream.map(|((span, begun), origin)| Forwarded {
                span,
                begun,
                origin: origin.clone(),
                status: facts.upstream_status,
            }),
        });
    }
}

impl Observer for Steps {
    fn begins(&mut self) {
        self.begun = Some(Instant::now());
    }

    fn step(&mut self, kind: StepKind, handler: &'static str, outcome: Outcome<'_>) {
        let Some(begun) = self.begun.take().filter(|_| self.taken.len() < MAX_STEPS) else { return };
        let came_to = match outcome {
            Outcome::NotResponsible => Ok("not_responsible"),
            Outcome::Passed(_) => Ok("passed"),
            Outcome::Denied(denial) => Err(denial.reason.as_str()),
        };
        self.taken.push(Step { kind, handler, begun, ended: Instant::now(), came_to });
    }
}

impl Ended {
    /// How many spans it becomes.
    pub(super) fn spans(&self) -> u64 {
        1 + self.steps.len() as u64 + u64::from(self.upstream.is_some())
    }

    /// A moment of it, in nanoseconds since 1970.
    pub(super) fn unix_nanos(&self, moment: Instant) -> u64 {
        let at = self.arrived.1 + moment.saturating_duration_since(self.arrived.0);
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The beginning of a text. What is cut off could be the end of a secret that nobody would know by its beginning.
fn bounded(text: &str) -> Box<str> {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let shown = redaction::known().text(text);
    shown[..shown.floor_char_boundary(MAX_TEXT)].into()
}

#[cfg(test)]
impl Default for Ended {
    fn default() -> Self {
        Self {
            trace_id: TraceId::random().0,
            parent: None,
            span: SpanId::random(),
            arrived: (Instant::now(), SystemTime::now()),
            took: Duration::ZERO,
            service: "proxy",
            method: Method::GET,
            tls: false,
            target: None,
            status: 200,
            rule_id: None,
            rules_version: Box::default(),
            outcome: "allowed",
            reason: None,
            client: IpAddr::from([127, 0, 0, 1]),
            steps: Vec::new(),
            upstream: None,
        }
    }
}
