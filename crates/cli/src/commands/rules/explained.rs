//! A verdict in words.

use std::fmt::Write;

use http::HeaderMap;
use keyward_core::pipeline::grant::Outgoing;
use keyward_core::rule::Rule;
use keyward_core::rule::pattern::Strategy;
use keyward_server::explain::nearest::{Misfit, Near, UrlPart, nearest, pattern_of};
use keyward_server::explain::side::Call;
use keyward_server::explain::table::upstream_url;
use keyward_server::explain::verdict::{CameTo, End, Taken, Verdict};
use keyward_server::snapshot::Snapshot;

/// How many rules are shown when none fits.
pub(super) const NEAREST: usize = 3;

pub(super) fn text(verdict: &Verdict<'_>, snapshot: &Snapshot, strategy: Strategy) -> String {
    let mut out = String::new();
    if let Some(request) = &verdict.request {
        let query = if request.query().is_some() { "?…" } else { "" };
        let _ = writeln!(out, "{} {}{query}", request.method(), request.url());
    }
    match verdict.rule {
        Some(rule) => matched(rule, verdict, &mut out),
        None => unmatched(verdict, snapshot, strategy, &mut out),
    }
    end(verdict, &mut out);
    out
}

fn matched(rule: &Rule, verdict: &Verdict<'_>, out: &mut String) {
    let methods: Vec<&str> = rule.methods().iter().map(http::Method::as_str).collect();
    let _ = writeln!(out, "\nrule {} takes it", name(rule));
    let _ = writeln!(out, "  methods  {}", methods.join(", "));
    let _ = writeln!(out, "  url      {}", pattern_of(rule));
    if let (Some(request), Some(pattern)) = (&verdict.request, rule.pattern())
        && !pattern.is_match(request.url()).unwrap_or(false)
    {
        let _ = writeln!(out, "           under another name of this proxy (`access_rules.match_authority`)");
    }
    if rule.steps().next().is_some() {
        let _ = writeln!(out, "\nwhat it does");
    }
    for (index, (kind, id)) in rule.steps().enumerate() {
        let came_to = match taken(verdict, rule, index) {
            Some(step) => words(step),
            None => "not reached".to_owned(),
        };
        let _ = writeln!(out, "  {:<13} {id:<26} {came_to}", kind.as_str());
    }
}

/// The step that was taken at this place. Authenticators after the responsible one were passed over.
fn taken<'v>(verdict: &'v Verdict<'_>, rule: &Rule, index: usize) -> Option<&'v Taken> {
    let steps: Vec<_> = rule.steps().collect();
    let (kind, _) = steps[index];
    let first = steps.iter().position(|(one, _)| *one == kind).unwrap_or(0);
    verdict.steps.iter().filter(|step| step.kind == kind).nth(index - first)
}

fn words(step: &Taken) -> String {
    let mut text = match &step.came_to {
        CameTo::NotResponsible => "leaves it to the next one".to_owned(),
        CameTo::Passed { caller, sets } => {
            let mut text = match step.kind.as_str() {
                "authenticator" => format!("establishes `{}`", caller.subject()),
                "authorizer" => "allows".to_owned(),
                _ => "done".to_owned(),
            };
            if !sets.is_empty() {
                let _ = write!(text, ", sets {}", sets.join(", "));
            }
            text
        }
        CameTo::Denied { reason, detail } => {
            let detail = detail.as_deref().map_or_else(String::new, |detail| format!(": {detail}"));
            format!("denies: {}{detail}", reason.as_str())
        }
    };
    for Call { method, url, answered } in &step.calls {
        let how = if *answered { "asked" } else { "would ask" };
        let _ = write!(text, " ({how} {method} {url})");
    }
    text
}

fn unmatched(verdict: &Verdict<'_>, snapshot: &Snapshot, strategy: Strategy, out: &mut String) {
    let Some(request) = &verdict.request else { return };
    let several = matches!(&verdict.end, End::Denied { denial, .. } if denial.reason.as_str() == "several_rules");
    if several || snapshot.rules.rules().is_empty() {
        let _ = writeln!(out, "\n{}", if several { "several rules take it" } else { "there are no rules" });
        return;
    }
    let near = nearest(snapshot, strategy, request, NEAREST);
    let _ = writeln!(out, "\nno rule takes it{}", if near.is_empty() { "" } else { "; the nearest" });
    for near in near {
        let Some(rule) = snapshot.rules.rule(near.number) else { continue };
        let _ = writeln!(out, "  rule {}", name(rule));
        misfit(rule, &near, request.method().as_str(), out);
    }
}

fn misfit(rule: &Rule, near: &Near, method: &str, out: &mut String) {
    match &near.misfit {
        Misfit::Method if rule.methods().is_empty() => {
            let _ = writeln!(out, "    the URL fits, but the rule takes no method{}", without_method(rule));
        }
        Misfit::Method => {
            let methods: Vec<&str> = rule.methods().iter().map(http::Method::as_str).collect();
            let _ =
                writeln!(out, "    the URL fits, but not the method: {method} is not one of {}", methods.join(", "));
        }
        Misfit::Pattern => {
            let _ = writeln!(out, "    its pattern cannot be used; see `keyward rules lint`");
        }
        Misfit::Url { part, at, wanted } => {
            let part = match part {
                UrlPart::Scheme => "scheme",
                UrlPart::Authority => "host or port",
                UrlPart::Path => "path",
            };
            let _ = writeln!(out, "    pattern  {}", pattern_of(rule));
            let _ = writeln!(out, "    request  {}", near.url);
            let caret = " ".repeat(near.url[..*at].chars().count());
            let wanted = match wanted.as_str() {
                "" => "the pattern ends here".to_owned(),
                wanted => format!("the pattern wants `{wanted}`"),
            };
            let _ = writeln!(out, "             {caret}^ {part}: {wanted}");
        }
    }
}

/// Why a rule takes no method, where that is more than an empty list.
fn without_method(rule: &Rule) -> String {
    let Some(problem) = rule.broken() else { return ": it has none in `match.methods`".to_owned() };
    let hint = problem.hint.as_deref().map_or_else(String::new, |hint| format!(" ({hint})"));
    format!(": {}{hint}", problem.message)
}

fn end(verdict: &Verdict<'_>, out: &mut String) {
    match &verdict.end {
        End::Refused(reason) => {
            let _ = writeln!(out, "refused at the gate: {} {}", reason.status().as_u16(), reason.as_str());
        }
        End::Denied { .. } if !verdict.is_known() => unknown(verdict, out),
        End::Denied { denial, handler, answer } => {
            let _ = writeln!(out, "\ndenied: {}", denial.reason.as_str());
            if let Some(detail) = &denial.detail {
                let _ = writeln!(out, "  {detail}");
            }
            let by = handler.map_or_else(|| "no error handler".to_owned(), |id| format!("error handler `{id}`"));
            let _ = writeln!(out, "\nanswered by {by}\n  {}", answer.status);
            headers(&answer.headers, &[], out);
        }
        End::Forwarded(outgoing, _) => sent(outgoing, verdict.rule, out),
        End::Decided(granted, _) => {
            let _ = writeln!(out, "\npermitted; the rule has no upstream, so only the decision API can serve it: 200");
            headers(granted, verdict.rule.map_or(&[], Rule::written_headers), out);
        }
    }
}

/// Without its side services, what a rule would say cannot be known.
fn unknown(verdict: &Verdict<'_>, out: &mut String) {
    let _ = writeln!(out, "\nnot known offline");
    for call in verdict.unanswered() {
        let _ = writeln!(out, "  it depends on what {} {} answers", call.method, call.url);
    }
    for location in &verdict.missing_keys {
        let _ = writeln!(out, "  the key set {location} is not at hand; give one with `--jwks FILE`");
    }
}

fn sent(outgoing: &Outgoing, rule: Option<&Rule>, out: &mut String) {
    let url = upstream_url(outgoing);
    let shown = url.split_once('?').map_or_else(|| url.clone(), |(address, _)| format!("{address}?…"));
    let _ = writeln!(out, "\nsent upstream\n  {} {shown}", outgoing.method);
    headers(&outgoing.headers, rule.map_or(&[], Rule::written_headers), out);
}

fn headers(headers: &HeaderMap, written: &[http::HeaderName], out: &mut String) {
    for (name, value) in headers {
        let _ = writeln!(out, "  {name}: {}", shown(name, value, written));
    }
}

/// What a mutator writes, and what may be a credential, is not shown.
pub(super) fn shown(name: &http::HeaderName, value: &http::HeaderValue, written: &[http::HeaderName]) -> String {
    let hidden = [http::header::AUTHORIZATION, http::header::COOKIE, http::header::PROXY_AUTHORIZATION];
    if value.is_sensitive() || written.contains(name) || hidden.contains(name) {
        "[redacted]".to_owned()
    } else {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    }
}

pub(super) fn name(rule: &Rule) -> String {
    if rule.id().is_empty() { format!("number {} (no id)", rule.number() + 1) } else { format!("`{}`", rule.id()) }
}
