//! A verdict for programs.

use http::{HeaderMap, HeaderName};
use keyward_core::rule::Rule;
use keyward_core::rule::pattern::Strategy;
use keyward_server::explain::nearest::{Misfit, Near, UrlPart, nearest, pattern_of};
use keyward_server::explain::table::upstream_url;
use keyward_server::explain::verdict::{CameTo, End, Taken, Verdict};
use keyward_server::snapshot::Snapshot;
use serde_json::{Value, json};

use super::explained::{NEAREST, shown};

pub(super) fn json(verdict: &Verdict<'_>, snapshot: &Snapshot, strategy: Strategy) -> Value {
    let near = match (&verdict.request, verdict.rule) {
        (Some(request), None) => nearest(snapshot, strategy, request, NEAREST),
        _ => Vec::new(),
    };
    let near: Vec<Value> =
        near.iter().filter_map(|near| Some(near_json(near, snapshot.rules.rule(near.number)?))).collect();
    let mut whole = json!({
        "method": verdict.request.as_ref().map(|request| request.method().as_str()),
        "url": verdict.request.as_ref().map(|request| request.url()),
        "rule": verdict.rule.map(|rule| json!({"id": &**rule.id(), "url": pattern_of(rule)})),
        "nearest": near,
        "steps": verdict.steps.iter().map(step).collect::<Vec<_>>(),
        "known": verdict.is_known(),
        "missing_key_sets": verdict.missing_keys,
    });
    let written = verdict.rule.map_or(&[][..], Rule::written_headers);
    let end = match &verdict.end {
        End::Refused(reason) => {
            json!({"outcome": "refused", "status": reason.status().as_u16(), "reason": reason.as_str()})
        }
        End::Denied { denial, handler, answer } => json!({
            "outcome": "denied",
            "status": answer.status.as_u16(),
            "reason": denial.reason.as_str(),
            "detail": denial.detail,
            "denied_by": denial.handler,
            "error_handler": handler,
            "headers": headers(&answer.headers, &[]),
        }),
        End::Forwarded(outgoing, _) => json!({
            "outcome": "allowed",
            "upstream": {
                "method": outgoing.method.as_str(),
                "url": upstream_url(outgoing).split('?').next(),
                "headers": headers(&outgoing.headers, written),
            },
        }),
        End::Decided(granted, _) => json!({"outcome": "allowed", "headers": headers(granted, written)}),
    };
    if let (Value::Object(whole), Value::Object(end)) = (&mut whole, end) {
        whole.extend(end);
    }
    whole
}

fn step(step: &Taken) -> Value {
    let (came_to, more) = match &step.came_to {
        CameTo::NotResponsible => ("not_responsible", Value::Null),
        CameTo::Passed { caller, sets } => ("passed", json!({"subject": caller.subject(), "sets_headers": sets})),
        CameTo::Denied { reason, detail } => ("denied", json!({"reason": reason.as_str(), "detail": detail})),
    };
    let calls =
        step.calls.iter().map(|call| json!({"method": call.method, "url": call.url, "answered": call.answered}));
    let mut one = json!({
        "kind": step.kind.as_str(), "handler": step.id, "came_to": came_to, "calls": calls.collect::<Vec<_>>(),
    });
    if let (Value::Object(one), Value::Object(more)) = (&mut one, more) {
        one.extend(more);
    }
    one
}

fn near_json(near: &Near, rule: &Rule) -> Value {
    let (misfit, at, wanted) = match &near.misfit {
        Misfit::Method => ("method", None, None),
        Misfit::Pattern => ("pattern", None, None),
        Misfit::Url { part, at, wanted } => {
            let part = match part {
                UrlPart::Scheme => "scheme",
                UrlPart::Authority => "authority",
                UrlPart::Path => "path",
            };
            (part, Some(at), Some(wanted))
        }
    };
    json!({
        "id": &**rule.id(), "pattern": pattern_of(rule), "url": near.url, "misfit": misfit, "at": at, "wanted": wanted,
    })
}

fn headers(headers: &HeaderMap, written: &[HeaderName]) -> Value {
    headers.iter().map(|(name, value)| (name.to_string(), Value::from(shown(name, value, written)))).collect()
}
