//! `/decisions`: the same gate, rules and decision as the proxy, and no upstream (serving spec 7.9).

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use keyward_core::caller::Caller;
use keyward_core::gate::{Arrival, GatedRequest, admit_forwarded};
use keyward_core::pipeline::RequestFacts;
use keyward_core::pipeline::answer::answer;
use keyward_core::pipeline::decide::decide_observed;
use keyward_core::pipeline::denial::{Denial, ErrorKind, Reason};
use keyward_core::rule::Rule;

use super::{Api, error, respond};
use crate::audit::ids::RequestName;
use crate::audit::record::AuditRecord;
use crate::http_server::Arrived;
use crate::issuer::routes::now;
use crate::proxy::body::RequestBody;
use crate::proxy::held_body::HeldBody;
use crate::proxy::service::RULES_VERSION;
use crate::serving::Live;
use crate::snapshot::Snapshot;
use crate::traces::trace::{Facts, Steps, Trace};

/// What a decision came to.
struct Verdict {
    response: Response<Full<Bytes>>,
    rule: Option<u32>,
    caller: Option<Arc<Caller>>,
    reason: Option<Reason>,
}

impl Api {
    pub(super) async fn decide(&self, request: Request<Incoming>, arrived: Arrived) -> Response<Full<Bytes>> {
        let begun = (Instant::now(), SystemTime::now());
        let live = self.live.load_full();
        let snapshot = &live.snapshot;
        let (head, body) = request.into_parts();
        let mut name = self.request_ids.name(&head.headers);
        let mut trace = live.serving.tracer.as_ref().map(|tracer| tracer.begin(name.parent.as_ref(), &head.headers));
        if let Some(trace) = &trace {
            name.trace_id = Some(trace.id());
        }
        let mut asked =
            Asked { name, method: head.method.clone(), path: String::new(), host: String::new(), peer: arrived };
        let arrival = Arrival { tls: arrived.tls, peer: arrived.peer, violation: None };
        let mut verdict = match admit_forwarded(head, &arrival, &snapshot.gate) {
            Ok(request) => {
                asked.method = request.method().clone();
                asked.path = request.path().to_owned();
                asked.host = request.authority().to_owned();
                if snapshot.is_unfetched {
                    Verdict::not_now(Reason::RulesMissing)
                } else if self.audit.admits() {
                    let steps = trace.as_mut().and_then(|trace| trace.steps());
                    judge(&live, request, body, &asked.name, steps).await
                } else {
                    Verdict::not_now(Reason::Overloaded)
                }
            }
            Err(refusal) => {
                self.metrics.refused(refusal.as_str());
                let (request_id, trace_id) = asked.name.shown();
                let why = refusal.as_str();
                tracing::info!(request_id, trace_id, peer = %arrived.peer, refusal = why, "decision: refused");
                let answer = error(refusal.status(), ErrorKind::BadRequest.generic_message());
                Verdict::without_rule(Reason::RequestRefused, answer)
            }
        };
        if let Some(version) = &snapshot.version_header {
            verdict.response.headers_mut().insert(RULES_VERSION, version.clone());
        }
        self.record(&live, &verdict, begun, &asked, trace);
        verdict.response
    }

    fn record(
        &self,
        live: &Live,
        verdict: &Verdict,
        begun: (Instant, SystemTime),
        asked: &Asked,
        trace: Option<Box<Trace>>,
    ) {
        let snapshot = &live.snapshot;
        let rule = verdict.rule.and_then(|number| snapshot.rules.rule(number));
        let status = verdict.response.status();
        let outcome = match verdict.reason {
            None => "allowed",
            Some(_) if status.is_server_error() => "error",
            Some(Reason::RequestRefused) => "denied",
            Some(reason) => {
                self.metrics.denied(reason.as_str());
                "denied"
            }
        };
        let took = begun.0.elapsed();
        if let Some(trace) = trace {
            trace.end(&Facts {
                arrived: begun,
                took,
                service: "api",
                method: &asked.method,
                tls: asked.peer.tls,
                target: Some((&*asked.host, &*asked.path)).filter(|_| !asked.path.is_empty()),
                status: status.as_u16(),
                rule_id: rule.map(|rule| rule.id()),
                rules_version: snapshot.rules.version(),
                outcome,
                reason: verdict.reason.map(Reason::as_str),
                client: asked.peer.peer.ip(),
                upstream: None,
                upstream_status: None,
            });
        }
        self.audit.write(&AuditRecord {
            ts: Some(begun.1),
            request_id: asked.name.id.as_bytes(),
            trace_id: asked.name.trace_id.as_deref(),
            caller: verdict.caller.as_deref(),
            rule_id: rule.map(|rule| &**rule.id()),
            rules_version: snapshot.rules.version(),
            outcome,
            reason: verdict.reason.map(Reason::as_str),
            method: asked.method.as_str(),
            path: &asked.path,
            host: &asked.host,
            status: status.as_u16(),
            bytes_out: verdict.response.body().size_hint().exact().unwrap_or(0),
            duration: took,
            client_ip: Some(&asked.peer.peer.ip().to_canonical().to_string()),
            ..AuditRecord::default()
        });
        self.audit.flush();
        self.count(live, &asked.method, "/decisions", (status, outcome), took);
    }
}

impl Verdict {
    fn without_rule(reason: Reason, response: Response<Full<Bytes>>) -> Self {
        Self { response, rule: None, caller: None, reason: Some(reason) }
    }

    /// 503: somebody else may decide, or later.
    fn not_now(reason: Reason) -> Self {
        let kind = ErrorKind::Overloaded;
        Self::without_rule(reason, error(kind.status(), kind.generic_message()))
    }
}

/// What was asked, for the record. What the gate refused has no path and no host that could be relied on.
struct Asked {
    name: RequestName,
    method: Method,
    path: String,
    host: String,
    peer: Arrived,
}

async fn judge(
    live: &Live,
    mut request: GatedRequest,
    body: Incoming,
    name: &RequestName,
    steps: Option<&mut Steps>,
) -> Verdict {
    let snapshot = &live.snapshot;
    let rule = match snapshot.rules.find(&request) {
        Ok(rule) => rule,
        Err(denial) => return denied(snapshot, None, denial, &request, name),
    };
    let body = RequestBody::new(body, Rc::default(), live.serving.api.timeouts.read, None);
    let mut body = HeldBody::new(body, snapshot.max_held_body_bytes);
    match decide_observed(rule, &mut request, &mut body, now(), steps).await {
        Ok(_) if rule.uses_bound_secret() => {
            let denial = Denial::forbidden(Reason::Denied).detail(
                "the rule uses a secret with `hosts`, which goes to these only and not to who asks for a decision",
            );
            denied(snapshot, Some(rule), denial, &request, name)
        }
        Ok(grant) => {
            let caller = Some(grant.caller().clone());
            let mut response = Response::new(Full::default());
            *response.headers_mut() = grant.into_decision_headers(&request, rule);
            Verdict { response, rule: Some(rule.number()), caller, reason: None }
        }
        Err(denial) => denied(snapshot, Some(rule), denial, &request, name),
    }
}

fn denied(
    snapshot: &Snapshot,
    rule: Option<&Rule>,
    denial: Denial,
    request: &GatedRequest,
    name: &RequestName,
) -> Verdict {
    let url = request.url_with_query();
    let facts = RequestFacts { method: request.method(), url: &url, headers: request.headers(), peer: request.peer() };
    let (reason, detail) = (denial.reason.as_str(), denial.detail.as_deref());
    let rule_id = rule.map(|rule| &**rule.id());
    let handler = denial.handler;
    let (request_id, trace_id) = name.shown();
    if denial.error == ErrorKind::Internal {
        tracing::error!(request_id, trace_id, rule_id, reason, detail, handler, "decision: failed");
    } else {
        tracing::info!(request_id, trace_id, rule_id, reason, detail, handler, "decision: denied");
    }
    let response = respond(answer(rule, &snapshot.fallback, &denial, &facts));
    Verdict { response, rule: rule.map(Rule::number), reason: Some(denial.reason), caller: denial.caller.clone() }
}
