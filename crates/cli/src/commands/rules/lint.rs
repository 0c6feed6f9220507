//! `keyward rules lint`: what each rule of a configuration will do, and which will deny.

use std::path::PathBuf;
use std::process::ExitCode;

use keyward_core::diagnostic::Severity;
use keyward_core::rule::Rule;
use keyward_server::check::{self, Linted};
use keyward_server::config::notes::Note;
use serde_json::{Value, json};

use crate::EXIT_USAGE;
use crate::output::{Format, count, environment, findings_json, print, print_json, report};
use crate::progress::Progress;

pub(super) fn lint(files: &[PathBuf], format: Format) -> ExitCode {
    let progress = Progress::of("compiling the rules");
    let checked = check::rules(files, &environment());
    drop(progress);
    let Linted { loaded, built, notes } = match checked {
        Ok(checked) => checked,
        Err(findings) => {
            match format {
                Format::Json => print_json(&json!({"usable": false, "findings": findings_json(&findings)})),
                Format::Text => report(&findings),
            }
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let errors = built.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let (rules, unread) = (built.snapshot.rules.rules(), built.unread.len());
    let notes = notes.into_iter().map(|Note { row, mut finding }| {
        finding.message.push_str(&format!(" [{row}]"));
        finding
    });
    let findings = [loaded.warnings, built.unread, built.findings, notes.collect()].concat();
    match format {
        Format::Json => {
            let rules: Vec<Value> = rules.iter().map(|rule| rule_json(rule)).collect();
            print_json(&json!({"usable": errors + unread == 0, "findings": findings_json(&findings), "rules": rules}));
        }
        Format::Text => {
            report(&findings);
            for rule in rules {
                let id = if rule.id().is_empty() { "(no id)" } else { &**rule.id() };
                print(&format!("{id}: {}\n", what_it_does(rule)));
            }
            let warnings = findings.len() - errors - unread;
            let counts = [
                count(rules.len(), "rule", "rules"),
                count(errors, "error", "errors"),
                count(warnings, "warning", "warnings"),
                count(unread, "repository unread", "repositories unread"),
            ];
            print(&format!("{}\n", counts.join(", ")));
        }
    }
    if errors + unread == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn what_it_does(rule: &Rule) -> String {
    match (rule.broken(), rule.upstream()) {
        (Some(problem), _) if rule.pattern().is_none() || rule.methods().is_empty() => {
            format!("takes no request: {}", problem.message)
        }
        (Some(problem), _) => format!("denies every request: {}", problem.message),
        (None, _) if rule.is_rpc() => "takes no HTTP request: it is an RPC rule".to_owned(),
        (None, _) if rule.methods().is_empty() => "takes no request: it has no method".to_owned(),
        (None, Some(upstream)) => {
            let origin = upstream.origin();
            let headers = written_headers(rule);
            let sets = if headers.is_empty() { String::new() } else { format!(", sets {}", headers.join(", ")) };
            format!("forwards to {}://{}{sets}", origin.scheme.as_str(), origin.authority())
        }
        (None, None) => "decides only: it has no upstream".to_owned(),
    }
}

fn written_headers(rule: &Rule) -> Vec<&str> {
    rule.written_headers().iter().map(|name| name.as_str()).collect()
}

fn rule_json(rule: &Rule) -> Value {
    let upstream = rule.upstream().map(|upstream| {
        let origin = upstream.origin();
        format!("{}://{}", origin.scheme.as_str(), origin.authority())
    });
    json!({
        "id": &**rule.id(),
        "usable": rule.broken().is_none(),
        "upstream": upstream,
        "sets_headers": written_headers(rule),
    })
}
