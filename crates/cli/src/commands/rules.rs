//! `keyward rules list|get|lint`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use keyward_core::diagnostic::Severity;
use keyward_server::check;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::EXIT_USAGE;
use crate::endpoint::Endpoint;
use crate::output::{complain, environment, print, report, tab_indented};

/// Options of `rules`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the rules that a server uses
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Which page of that many, from 1
        #[arg(long, default_value_t = 1)]
        page: u32,
    },
    /// Show one rule that a server uses
    Get {
        /// The rule's id
        id: String,
    },
    /// Check the rules of a configuration (-c FILE), offline: what each will do, and which will deny
    Lint,
}

pub(crate) fn run(arguments: &Arguments, files: &[PathBuf]) -> ExitCode {
    match &arguments.command {
        Command::List { limit, page } => list(&arguments.endpoint, *limit, *page),
        Command::Get { id } => get(&arguments.endpoint, id),
        Command::Lint => lint(files),
    }
}

fn list(endpoint: &Endpoint, limit: u32, page: u32) -> ExitCode {
    let offset = i64::from(limit) * (i64::from(page) - 1);
    let answer = endpoint.get(&format!("/rules?limit={limit}&offset={offset}"));
    let rules = answer.and_then(|answer| match answer.status {
        200 => serde_json::from_slice::<Vec<Value>>(&answer.body).map_err(|error| error.to_string()),
        status => Err(format!("[GET /rules][{status}] {}", String::from_utf8_lossy(&answer.body).trim())),
    });
    match rules {
        Ok(rules) => {
            print(&tab_indented(&rules.into_iter().map(client_model).collect()));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            complain(&format!("{problem}\n"));
            ExitCode::FAILURE
        }
    }
}

fn get(endpoint: &Endpoint, id: &str) -> ExitCode {
    let answer = endpoint.get(&format!("/rules/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)));
    let rule = answer.and_then(|answer| match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|error| error.to_string()),
        404 => Err("[GET /rules/{id}][404] getRuleNotFound {\"details\":null}".to_owned()),
        status => Err(format!("[GET /rules/{{id}}][{status}] {}", String::from_utf8_lossy(&answer.body).trim())),
    });
    match rule {
        Ok(rule) => {
            print(&tab_indented(&client_model(rule)));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            complain(&format!("Could not get rule: {problem}"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The reference's client knows fewer fields than its server, sorts them, and leaves empty ones out
/// (serving spec 1.2).
fn client_model(rule: Value) -> Value {
    let Value::Object(mut rule) = rule else { return rule };
    let mut shown = Map::new();
    for key in ["authenticators", "authorizer", "description", "id", "match", "mutators", "upstream"] {
        if let Some(value) = rule.remove(key).map(without_empty).filter(|value| !is_empty(value)) {
            shown.insert(key.to_owned(), value);
        }
    }
    Value::Object(shown)
}

fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map
                .into_iter()
                .map(|(key, value)| (key, without_empty(value)))
                .filter(|(_, value)| !is_empty(value))
                .collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(list) => list.into_iter().map(without_empty).collect(),
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_str() == Some("")
}

fn lint(files: &[PathBuf]) -> ExitCode {
    let (loaded, built) = match check::rules(files, &environment()) {
        Ok(checked) => checked,
        Err(findings) => {
            report(&findings);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    report(&loaded.warnings);
    report(&built.unread);
    report(&built.findings);
    for rule in built.snapshot.rules.rules() {
        let does = match (rule.broken(), rule.upstream()) {
            (Some(_), _) => "denies every request (see above)".to_owned(),
            (None, Some(upstream)) => {
                let origin = upstream.origin();
                let headers: Vec<&str> = rule.written_headers().iter().map(|name| name.as_str()).collect();
                let sets = if headers.is_empty() { String::new() } else { format!(", sets {}", headers.join(", ")) };
                format!("forwards to {}://{}{sets}", origin.scheme.as_str(), origin.authority())
            }
            (None, None) => "decides only: it has no upstream".to_owned(),
        };
        let id = if rule.id().is_empty() { "(no id)" } else { &**rule.id() };
        print(&format!("{id}: {does}\n"));
    }
    let errors = built.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = built.findings.len() - errors + loaded.warnings.len();
    let (rules, unread) = (built.snapshot.rules.rules().len(), built.unread.len());
    print(&format!("{rules} rules, {errors} errors, {warnings} warnings, {unread} repositories unread\n"));
    if errors + unread == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
