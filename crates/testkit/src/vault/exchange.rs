//! What was asked of a Vault and what it answered, as it is written down and compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::wire::Message;

/// A request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) answer: Answer,
}

/// What of a request matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// With the query.
    pub(super) path: String,
    /// Those that Vault reads, names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    /// `null` where there is none.
    pub(super) body: Value,
}

/// What of an answer matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Those that say something about the body, names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    /// `null` where there is none.
    pub(super) body: Value,
}

impl Exchange {
    pub(super) fn to_json(&self) -> Value {
        let (request, answer) = (&self.request, &self.answer);
        json!({
            "request": {"method": request.method, "path": request.path, "headers": request.headers, "body": request.body},
            "answer": {"status": answer.status, "headers": answer.headers, "body": answer.body},
        })
    }

    pub(super) fn from_json(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers = |value: &Value| {
            let pairs = value["headers"].as_object().unwrap().iter();
            pairs.map(|(name, value)| (name.clone(), text(value))).collect()
        };
        let (request, answer) = (&value["request"], &value["answer"]);
        Self {
            request: Request {
                method: text(&request["method"]),
                path: text(&request["path"]),
                headers: headers(request),
                body: request["body"].clone(),
            },
            answer: Answer {
                status: answer["status"].as_u64().unwrap().try_into().unwrap(),
                headers: headers(answer),
                body: answer["body"].clone(),
            },
        }
    }
}

impl Request {
    pub(super) fn read(message: &Message) -> Self {
        let (method, path) = message.method_and_target();
        let matters = |name: &str| name.starts_with("x-vault-") || name == "content-type";
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers(message, matters),
            body: body(message),
        }
    }
}

impl Answer {
    /// One with a body of JSON, as Vault writes its head.
    pub(super) fn new(status: u16, body: Value) -> Self {
        let headers = [("cache-control", "no-store"), ("content-type", "application/json")];
        Self { status, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), body }
    }

    pub(super) fn read(message: &Message) -> Self {
        let matters = |name: &str| matches!(name, "content-type" | "cache-control");
        Self { status: message.status(), headers: headers(message, matters), body: body(message) }
    }

    /// As it goes over the connection, which ends with it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = if self.body.is_null() { String::new() } else { format!("{}\n", self.body) };
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head =
            format!("HTTP/1.1 {} X\r\n{headers}content-length: {}\r\nconnection: close\r\n", self.status, body.len());
        format!("{head}\r\n{body}").into_bytes()
    }

    /// How this differs from a real answer: in the status, the head, the names and types of members, and what is said of
    /// an error. Other values may be others.
    pub(super) fn differs(&self, real: &Self) -> Option<String> {
        if (self.status, &self.headers) != (real.status, &real.headers) {
            return Some(format!("{} {:?}, and not {} {:?}", self.status, self.headers, real.status, real.headers));
        }
        shape(&self.body, &real.body, "body")
    }
}

fn shape(ours: &Value, real: &Value, at: &str) -> Option<String> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let names = |object: &Map<String, Value>| {
        let names: BTreeSet<&str> = object.keys().map(String::as_str).collect();
        Vec::from_iter(names).join(", ")
    };
    match (ours, real) {
        (Value::Object(ours), Value::Object(real)) if names(ours) != names(real) => {
            Some(format!("{at} has {}, and not {}", names(ours), names(real)))
        }
        (Value::Object(ours), Value::Object(real)) => {
            ours.iter().find_map(|(name, value)| shape(value, &real[name], &format!("{at}.{name}")))
        }
        (Value::Array(_), Value::Array(_)) if at.ends_with(".errors") && ours != real => {
            Some(format!("{at} is {ours}, and not {real}"))
        }
        (Value::Array(ours), Value::Array(real)) => {
            ours.iter().zip(real).find_map(|(ours, real)| shape(ours, real, &format!("{at}[]")))
        }
        _ if kind(ours) != kind(real) => Some(format!("{at} is {}, and not {}", kind(ours), kind(real))),
        _ => None,
    }
}

fn headers(message: &Message, matters: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let named = message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    named.filter(|(name, _)| matters(name)).collect()
}

/// A body that is no JSON is a text.
fn body(message: &Message) -> Value {
    match message.body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&message.body).unwrap_or_else(|_| Value::String(message.text())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_differ_in_status_members_types_and_errors_alone() {
        let real = Answer::new(200, json!({"a": 1, "list": [{"b": "x"}], "errors": ["no"]}));
        let rows = [
            (200, json!({"a": 2, "list": [{"b": "y"}, {"b": "z"}], "errors": ["no"]}), None),
            (200, json!({"a": 2, "list": [], "errors": ["no"]}), None),
            (404, real.body.clone(), Some("404")),
            (200, json!({"a": 1, "list": []}), Some("body has a, list, and not a, errors, list")),
            (200, json!({"a": "1", "list": [], "errors": ["no"]}), Some("body.a is a text, and not a number")),
            (
                200,
                json!({"a": 1, "list": [{"b": null}], "errors": ["no"]}),
                Some("body.list[].b is null, and not a text"),
            ),
            (200, json!({"a": 1, "list": [], "errors": []}), Some("body.errors is [], and not [\"no\"]")),
        ];
        for (status, body, expected) in rows {
            let said = Answer::new(status, body.clone()).differs(&real);
            assert_eq!(said.is_some(), expected.is_some(), "{body}: {said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{body}");
        }
    }
}
