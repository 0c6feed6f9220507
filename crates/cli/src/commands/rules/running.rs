//! `keyward rules list|get`: the rules of a running server, as the reference's client shows them.

use std::process::ExitCode;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::EXIT_USAGE;
use crate::endpoint::Endpoint;
use crate::output::{complain, print, tab_indented};

pub(super) fn list(endpoint: &Endpoint, limit: u32, page: u32) -> ExitCode {
    let offset = i64::from(limit) * (i64::from(page) - 1);
    let answer = endpoint.server().and_then(|server| server.get(&format!("/rules?limit={limit}&offset={offset}")));
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

pub(super) fn get(endpoint: &Endpoint, id: &str) -> ExitCode {
    // They would ask for another address: that of the list.
    if matches!(id, "" | "." | "..") {
        complain(&format!(
            "Could not get rule: `{id}` cannot be asked for by its id; `keyward rules list` shows every rule\n"
        ));
        return ExitCode::from(EXIT_USAGE);
    }
    let server = match endpoint.server() {
        Ok(server) => server,
        Err(problem) => {
            complain(&format!("{problem}\n"));
            return ExitCode::FAILURE;
        }
    };
    let answer = server.get(&format!("/rules/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)));
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
