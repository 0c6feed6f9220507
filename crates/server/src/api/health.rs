//! `/health/ready`: whether every source of what is served has delivered, and in detail how each is doing.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use super::{Api, error};
use crate::http_server::typed;
use crate::redaction;
use crate::snapshot::Snapshot;
use crate::sources::{SourceReport, SourceState};

/// Whether it is ready, and what that was judged by.
pub(super) struct Readiness {
    /// What is missing, by kind; empty when it is ready.
    pub(super) errors: Map<String, Value>,
    /// How each source is doing.
    pub(super) reports: Vec<SourceReport>,
}

impl Api {
    /// Ready: a usable rule is loaded, and every source has delivered one complete set, or a copy of one was
    /// there.
    ///
    /// Once it was ready, only a set without a usable rule makes it unready: a source that fails later, or a new one
    /// that a reload brings, concerns the rules that use it. Were all servers of a fleet to leave at once for
    /// that, the others would be lost as well.
    pub(super) fn readiness(&self) -> Readiness {
        let live = self.live.load();
        let reports: Vec<SourceReport> = self.sources.iter().flat_map(|reports| reports()).collect();
        let mut errors = Map::new();
        // Rules that were never fetched are named below.
        if !live.snapshot.is_unfetched
            && let Some(problem) = unusable(&live.snapshot)
        {
            errors.insert("rules_loaded".into(), problem.into());
        }
        if !self.was_ready.get() {
            errors.extend(missing(&reports));
        }
        if errors.is_empty() {
            self.was_ready.set(true);
        }
        Readiness { errors, reports }
    }

    /// What keeps it from being ready, on one line, if it is not.
    pub fn unready(&self) -> Option<String> {
        let errors = self.readiness().errors;
        let each: Vec<String> =
            errors.iter().map(|(kind, text)| format!("{kind}: {}", text.as_str().unwrap_or_default())).collect();
        (!each.is_empty()).then(|| each.join("; "))
    }

    /// The body names what is missing and what to do; with `verbose` in the query, it names every source.
    pub(super) fn ready(&self, query: &str) -> Response<Full<Bytes>> {
        let Readiness { errors, reports } = self.readiness();
        let is_ready = errors.is_empty();
        let mut body = if is_ready { json!({"status": "ok"}) } else { unready(errors) };
        if is_verbose(query) {
            body["rules"] = rules(&self.live.load().snapshot);
            body["sources"] = reports.iter().map(shown).collect();
        }
        if is_ready {
            return answer(StatusCode::OK, &body);
        }
        let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, &body);
        let headers = error(StatusCode::SERVICE_UNAVAILABLE, "").headers().clone();
        *answer.headers_mut() = headers;
        answer
    }
}

/// Why no rule can let anybody in, with the first that is broken, and what to do about it.
fn unusable(snapshot: &Snapshot) -> Option<String> {
    let rules = snapshot.rules.rules();
    if rules.iter().any(|rule| rule.broken().is_none()) {
        return None;
    }
    let mut broken = rules.iter().filter_map(|rule| Some((rule.id(), rule.broken()?)));
    let why = match broken.next() {
        None => "name files of rules in `access_rules.repositories`, or put rules into those".to_owned(),
        Some((id, problem)) => {
            let more = match broken.count() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            format!("rule `{id}` is broken: {}{more}", with_remedy(&problem.message, problem.hint.as_deref()))
        }
    };
    Some(format!("no usable rule is loaded: {why}"))
}

fn with_remedy(problem: &str, remedy: Option<&str>) -> String {
    remedy.map_or_else(|| problem.to_owned(), |remedy| format!("{problem} ({remedy})"))
}

fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let shown = redaction::known().json(format!("{body}\n").as_bytes()).into_owned();
    typed(status, "application/json; charset=utf-8", shown)
}

/// What has never been had, by kind: `key_sets`, `secrets`; and why, with what to do, as soon as that is known.
fn missing(reports: &[SourceReport]) -> Map<String, Value> {
    let mut names: Vec<(&str, Vec<String>)> = Vec::new();
    for report in reports.iter().filter(|report| report.state == SourceState::Missing) {
        let name = match &report.problem {
            None => report.name.clone(),
            Some(problem) => format!("{}: {}", report.name, with_remedy(problem, report.remedy.as_deref())),
        };
        match names.iter_mut().find(|(kind, _)| *kind == report.kind) {
            Some((_, names)) => names.push(name),
            None => names.push((report.kind, vec![name])),
        }
    }
    let row = |(kind, names): (&str, Vec<String>)| {
        let text = format!("not fetched yet: {}", names.join(", "));
        (format!("{}s", kind.trim_end_matches('s')), text.into())
    };
    names.into_iter().map(row).collect()
}

/// As the reference words it.
fn unready(errors: Map<String, Value>) -> Value {
    json!({
        "error": {
            "code": 500,
            "status": "Internal Server Error",
            "message": "The requested resource could not be found",
        },
        "errors": errors,
    })
}

/// `?verbose`, `?verbose=true`.
fn is_verbose(query: &str) -> bool {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.any(|(key, value)| key == "verbose" && matches!(&*value, "" | "true" | "1"))
}

fn rules(snapshot: &Snapshot) -> Value {
    json!({
        "version": snapshot.rules.version(),
        "loaded": snapshot.rules.rules().len(),
        "broken": snapshot.broken_rules(),
    })
}

fn shown(report: &SourceReport) -> Value {
    json!({
        "kind": report.kind,
        "name": report.name,
        "state": report.state.as_str(),
        "age_seconds": report.age.map(|age| age.as_secs()),
        "problem": report.problem,
        "remedy": report.remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_decides_how_much_is_said() {
        let rows = [
            ("", false),
            ("verbose", true),
            ("verbose=", true),
            ("verbose=true", true),
            ("a=b&verbose=1", true),
            ("verbose=false", false),
            ("verbose=0", false),
            ("quiet&verbosely", false),
        ];
        for (query, expected) in rows {
            assert_eq!(is_verbose(query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_missing_is_named_by_kind() {
        let report = |kind, name: &str, state| SourceReport {
            kind,
            name: name.to_owned(),
            state,
            age: None,
            problem: None,
            remedy: None,
        };
        let told = SourceReport {
            problem: Some("status 403".into()),
            remedy: Some("allow it".into()),
            ..report("secret", "aws `main`", SourceState::Missing)
        };
        let reports = [
            told,
            report("key_set", "one", SourceState::Missing),
            report("rules", "file:///rules", SourceState::Missing),
            report("key_set", "two", SourceState::Stale),
            report("key_set", "three", SourceState::Missing),
            report("secret", "jira", SourceState::Fresh),
        ];
        let expected = json!({
            "key_sets": "not fetched yet: one, three",
            "rules": "not fetched yet: file:///rules",
            "secrets": "not fetched yet: aws `main`: status 403 (allow it)",
        });
        assert_eq!(Value::Object(missing(&reports)), expected);
    }
}
