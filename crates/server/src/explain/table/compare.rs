//! What was expected beside what happened.

use http::HeaderMap;
use keyward_core::gate::Scheme;
use keyward_core::pipeline::grant::Outgoing;

use super::{Expectation, ExpectedOutcome, ExpectedUpstream};
use crate::explain::verdict::{CameTo, End, Verdict};

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key under `expect`.
    pub key: String,
    /// What was expected.
    pub expected: String,
    /// What happened instead.
    pub found: String,
}

/// Everything that is not as expected. A denial's own reason is always said with it.
pub(super) fn compare(expected: &Expectation, verdict: &Verdict<'_>) -> Vec<Mismatch> {
    let mut found = Mismatches(Vec::new());
    let outcome = match &verdict.end {
        End::Forwarded(..) | End::Decided(..) => ExpectedOutcome::Allowed,
        End::Refused(_) | End::Denied { .. } => ExpectedOutcome::Denied,
    };
    if let Some(wanted) = expected.outcome.filter(|wanted| *wanted != outcome) {
        found.push("outcome", word(wanted), &format!("{}{}", word(outcome), because(verdict)));
    }
    let text = |key: &str, wanted: &Option<String>, is: &str, found: &mut Mismatches| {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != is) {
            found.push(key, wanted, is);
        }
    };
    if let Some(wanted) = expected.status.filter(|wanted| *wanted != status(verdict)) {
        found.push("status", &wanted.to_string(), &format!("{}{}", status(verdict), because(verdict)));
    }
    text("rule", &expected.rule, verdict.rule.map_or("", |rule| rule.id()), &mut found);
    let (reason, handler) = match &verdict.end {
        End::Refused(_) => ("request_refused", ""),
        End::Denied { denial, .. } => (denial.reason.as_str(), denial.handler.unwrap_or_default()),
        _ => ("", ""),
    };
    text("reason", &expected.reason, reason, &mut found);
    text("handler", &expected.handler, handler, &mut found);
    text("subject", &expected.subject, &subject(verdict), &mut found);
    let none = HeaderMap::new();
    let answered = match &verdict.end {
        End::Denied { answer, .. } => &answer.headers,
        End::Decided(headers, _) => headers,
        _ => &none,
    };
    headers("headers", &expected.headers, answered, &mut found);
    if let Some(wanted) = &expected.upstream {
        match &verdict.end {
            End::Forwarded(outgoing, _) => upstream(wanted, outgoing, &mut found),
            _ => found.push("upstream", "a request", &format!("nothing is sent{}", because(verdict))),
        }
    }
    if let Some(wanted) = &expected.calls {
        let calls: Vec<String> = verdict
            .steps
            .iter()
            .flat_map(|step| &step.calls)
            .map(|call| format!("{} {}", call.method, call.url))
            .collect();
        if *wanted != calls {
            found.push("calls", &wanted.join(", "), &calls.join(", "));
        }
    }
    found.0
}

struct Mismatches(Vec<Mismatch>);

impl Mismatches {
    fn push(&mut self, key: &str, expected: &str, found: &str) {
        self.0.push(Mismatch { key: key.to_owned(), expected: expected.to_owned(), found: found.to_owned() });
    }
}

fn word(outcome: ExpectedOutcome) -> &'static str {
    match outcome {
        ExpectedOutcome::Allowed => "allowed",
        ExpectedOutcome::Denied => "denied",
    }
}

fn status(verdict: &Verdict<'_>) -> u16 {
    match &verdict.end {
        End::Refused(reason) => reason.status().as_u16(),
        End::Denied { answer, .. } => answer.status.as_u16(),
        _ => 200,
    }
}

fn because(verdict: &Verdict<'_>) -> String {
    let (reason, detail) = match &verdict.end {
        End::Refused(reason) => ("request_refused", Some(reason.as_str())),
        End::Denied { denial, .. } => (denial.reason.as_str(), denial.detail.as_deref()),
        _ => return String::new(),
    };
    let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
    let unanswered: Vec<String> = verdict
        .unanswered()
        .map(|call| format!("; `services` has no answer to {} {}", call.method, call.url))
        .collect();
    format!(" ({reason}{detail}{})", unanswered.concat())
}

fn subject(verdict: &Verdict<'_>) -> String {
    let passed = verdict.steps.iter().rev().find_map(|step| match &step.came_to {
        CameTo::Passed { caller, .. } => Some(caller.subject().to_owned()),
        _ => None,
    });
    passed
        .or_else(|| match &verdict.end {
            End::Denied { denial, .. } => denial.caller.as_ref().map(|caller| caller.subject().to_owned()),
            _ => None,
        })
        .unwrap_or_default()
}

fn upstream(expected: &ExpectedUpstream, outgoing: &Outgoing, found: &mut Mismatches) {
    if let Some(wanted) = expected.method.as_deref().filter(|wanted| *wanted != outgoing.method.as_str()) {
        found.push("upstream.method", wanted, outgoing.method.as_str());
    }
    let url = upstream_url(outgoing);
    if let Some(wanted) = expected.url.as_deref().filter(|wanted| *wanted != url) {
        found.push("upstream.url", wanted, &url);
    }
    let all = &outgoing.headers;
    headers("upstream.headers", &expected.headers, all, found);
    for name in expected.present.iter().filter(|name| !all.contains_key(name.as_str())) {
        found.push("upstream.present", name, "it is not sent");
    }
    for name in expected.absent.iter().filter(|name| all.contains_key(name.as_str())) {
        found.push("upstream.absent", name, "it is sent");
    }
}

/// Where a request goes, as one URL.
pub fn upstream_url(outgoing: &Outgoing) -> String {
    let scheme = match outgoing.origin.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    format!("{scheme}://{}{}", outgoing.origin.authority(), outgoing.target)
}

/// A value that came out of the environment may be a secret, and is not shown.
fn headers(key: &str, expected: &std::collections::BTreeMap<String, String>, sent: &HeaderMap, found: &mut Mismatches) {
    for (name, wanted) in expected {
        let values: Vec<_> = sent.get_all(name.as_str()).iter().collect();
        if matches!(values[..], [only] if only.as_bytes() == wanted.as_bytes()) {
            continue;
        }
        let shown = |value: &&http::HeaderValue| match value.is_sensitive() {
            true => "[redacted: it holds a secret]".to_owned(),
            false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        let is = match values.is_empty() {
            true => "it is not there".to_owned(),
            false => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        };
        found.push(&format!("{key}.{name}"), wanted, &is);
    }
}
