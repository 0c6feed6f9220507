//! Runs one request through the gate, the rules and the decision, and keeps what each step came to.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use keyward_core::caller::Caller;
use keyward_core::gate::{GatedRequest, RefusalReason, admit};
use keyward_core::pipeline::RequestFacts;
use keyward_core::pipeline::answer::{answer, responsible};
use keyward_core::pipeline::decide::decide_observed;
use keyward_core::pipeline::denial::{Denial, ErrorKind, Reason};
use keyward_core::pipeline::error_response::ErrorResponse;
use keyward_core::pipeline::grant::Outgoing;
use keyward_core::pipeline::observe::{Observer, Outcome, StepKind};
use keyward_core::ports::{BodySource, LocalFuture};
use keyward_core::rule::Rule;

use super::World;
use super::request::Asked;
use super::side::{Call, ScriptedSide};
use crate::snapshot::Snapshot;

/// What a request comes to.
pub struct Verdict<'s> {
    /// The request as the rules see it; none when the gate refused it.
    pub request: Option<GatedRequest>,
    /// The rule that takes it.
    pub rule: Option<&'s Rule>,
    /// The steps that were taken, in order.
    pub steps: Vec<Taken>,
    /// The end.
    pub end: End,
    /// Key sets that were needed and are not at hand.
    pub missing_keys: Vec<String>,
}

/// A step that was taken.
pub struct Taken {
    /// Which part of the pipeline it belongs to.
    pub kind: StepKind,
    /// The handler.
    pub id: &'static str,
    /// What it came to.
    pub came_to: CameTo,
    /// Side services it wanted to ask.
    pub calls: Vec<Call>,
}

/// What a step came to.
pub enum CameTo {
    /// The authenticator left the request to the next one.
    NotResponsible,
    /// The request went on.
    Passed {
        /// Who asks.
        caller: Arc<Caller>,
        /// Headers that this step set or changed.
        sets: Vec<String>,
    },
    /// It ended here.
    Denied {
        /// The audit record's word for it.
        reason: Reason,
        /// What the log would say.
        detail: Option<String>,
    },
}

/// How it ends.
pub enum End {
    /// The gate does not let it in.
    Refused(RefusalReason),
    /// It is denied.
    Denied {
        /// Why.
        denial: Denial,
        /// Who answers.
        handler: Option<&'static str>,
        /// The answer.
        answer: ErrorResponse,
    },
    /// It is permitted, and this is sent.
    Forwarded(Box<Outgoing>, Arc<Caller>),
    /// It is permitted by a rule without an upstream: this is what the decision API answers with.
    Decided(HeaderMap, Arc<Caller>),
}

impl Verdict<'_> {
    /// Side services that would have to be asked to know the answer.
    pub fn unanswered(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().flat_map(|step| &step.calls).filter(|call| !call.answered)
    }

    /// Whether the end stands, or depends on what is not at hand.
    pub fn is_known(&self) -> bool {
        let depends = self.unanswered().next().is_some() || !self.missing_keys.is_empty();
        !(depends && matches!(self.end, End::Denied { .. }))
    }
}

/// Judges a request under the rules of a snapshot that was compiled for this world.
pub async fn judge<'s>(mut asked: Asked, snapshot: &'s Snapshot, world: &World) -> Verdict<'s> {
    let arrival = asked.arrival();
    let (body, now) = (asked.body.clone(), world.now);
    world.side.take_calls();
    world.keys.take_missing();
    let mut verdict = Verdict {
        request: None,
        rule: None,
        steps: Vec::new(),
        end: End::Refused(RefusalReason::Syntax),
        missing_keys: Vec::new(),
    };
    let mut request = match admit(&mut asked.head, &arrival, &snapshot.gate) {
        Ok(request) => request,
        Err(reason) => return Verdict { end: End::Refused(reason), ..verdict },
    };
    verdict.request = Some(request.clone());
    let rule = match snapshot.rules.find(&request) {
        Ok(rule) => rule,
        Err(denial) => return Verdict { end: denied(snapshot, None, denial, &request), ..verdict },
    };
    verdict.rule = Some(rule);
    let mut trace = Trace { side: world.side.clone(), headers: HeaderMap::new(), steps: Vec::new() };
    let mut body = Held { body, limit: snapshot.max_held_body_bytes };
    let decided = decide_observed(rule, &mut request, &mut body, now, &mut trace).await;
    verdict.steps = trace.steps;
    verdict.missing_keys = world.keys.take_missing();
    verdict.end = match decided {
        Err(denial) => denied(snapshot, Some(rule), denial, &request),
        Ok(grant) => {
            let caller = grant.caller().clone();
            if rule.upstream().is_none() {
                End::Decided(grant.into_decision_headers(&request, rule), caller)
            } else {
                match grant.credential(request, rule) {
                    Ok(credentialed) => End::Forwarded(credentialed.into_outgoing(), caller),
                    Err(refused) => {
                        let (denial, request) = *refused;
                        denied(snapshot, Some(rule), denial, &request)
                    }
                }
            }
        }
    };
    verdict
}

fn denied(snapshot: &Snapshot, rule: Option<&Rule>, denial: Denial, request: &GatedRequest) -> End {
    let url = match request.query() {
        Some(query) => format!("{}?{query}", request.url()),
        None => request.url().to_owned(),
    };
    let facts = RequestFacts { method: request.method(), url: &url, headers: request.headers(), peer: request.peer() };
    let handler = responsible(rule, &snapshot.fallback, &denial, &facts).map(|bound| bound.id);
    let answer = answer(rule, &snapshot.fallback, &denial, &facts);
    End::Denied { denial, handler, answer }
}

/// Keeps what each step came to.
struct Trace {
    side: Arc<ScriptedSide>,
    headers: HeaderMap,
    steps: Vec<Taken>,
}

impl Observer for Trace {
    fn step(&mut self, kind: StepKind, id: &'static str, outcome: Outcome<'_>) {
        let came_to = match outcome {
            Outcome::NotResponsible => CameTo::NotResponsible,
            Outcome::Denied(denial) => CameTo::Denied { reason: denial.reason, detail: denial.detail.clone() },
            Outcome::Passed(session) => {
                let is_new = |name: &&http::HeaderName| self.headers.get(*name) != session.header.get(*name);
                let mut sets: Vec<String> = session.header.keys().filter(is_new).map(ToString::to_string).collect();
                if session.sets_cookies && kind == StepKind::Mutator && id == "cookie" {
                    sets.push("cookie".to_owned());
                }
                self.headers = session.header.clone();
                CameTo::Passed { caller: session.caller.clone(), sets }
            }
        };
        self.steps.push(Taken { kind, id, came_to, calls: self.side.take_calls() });
    }
}

/// The body of the request, for handlers that read it.
struct Held {
    body: Bytes,
    limit: u64,
}

impl BodySource for Held {
    fn read(&mut self) -> LocalFuture<'_, Result<Bytes, Denial>> {
        let read = if self.body.len() as u64 <= self.limit {
            Ok(self.body.clone())
        } else {
            let denial = Denial::new(ErrorKind::BadRequest, Reason::RequestRefused);
            Err(denial.detail("the body is longer than `serve.proxy.limits.held_body_bytes`"))
        };
        Box::pin(std::future::ready(read))
    }
}
