//! Compares what happened with what was recorded: by value, without what changes with every run.

use serde_json::{Map, Value, json};

/// Headers that say nothing about behaviour: dates, and how a message was framed.
const UNCOMPARED: &[&str] = &["date", "content-length", "transfer-encoding", "connection", "keep-alive", "user-agent"];

/// One place where two outcomes differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, as a path into the outcome.
    pub at: String,
    /// What the reference did.
    pub recorded: Value,
    /// What happened now.
    pub now: Value,
}

/// Every difference between two outcomes, in order.
pub fn compare(recorded: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", &normalize(recorded), &normalize(now), &mut found);
    found
}

/// What is compared: header names without regard to case, JSON bodies by value, free text not at all.
fn normalize(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(normalize).collect(),
        Value::Object(map) => {
            let mut normal = Map::new();
            for (key, value) in map.iter().filter(|(key, _)| *key != "note") {
                normal.insert(key.clone(), normalize_member(key, value));
            }
            Value::Object(normal)
        }
        other => other.clone(),
    }
}

fn normalize_member(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("headers", Value::Array(lines)) => {
            let mut lines: Vec<Value> = lines
                .iter()
                .map(|line| json!([line[0].as_str().unwrap_or_default().to_ascii_lowercase(), line[1]]))
                .map(without_ids)
                .filter(|line| !UNCOMPARED.contains(&line[0].as_str().unwrap_or_default()))
                .collect();
            lines.sort_by_key(Value::to_string);
            lines.into()
        }
        // Which of two side services was called first says nothing; each call is compared.
        ("stub", Value::Array(calls)) => {
            let mut calls: Vec<Value> = calls.iter().map(normalize).collect();
            calls.sort_by_key(|call| format!("{} {}", call["target"], call["method"]));
            calls.into()
        }
        ("reason" | "debug", Value::String(text)) if !text.is_empty() => "<text>".into(),
        ("body", Value::String(text)) => {
            serde_json::from_str::<Value>(text).map_or_else(|_| value.clone(), |body| normalize(&body))
        }
        _ => normalize(value),
    }
}

/// A field without the ids of a trace, which differ each time.
fn without_ids(line: Value) -> Value {
    match line[1].as_str().filter(|_| line[0] == "traceparent").map(|value| value.split('-').collect::<Vec<_>>()) {
        Some(parts) if parts.len() == 4 => json!(["traceparent", format!("{}-<trace>-<span>-{}", parts[0], parts[3])]),
        _ => line,
    }
}

fn walk(at: &str, recorded: &Value, now: &Value, found: &mut Vec<Difference>) {
    match (recorded, now) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let absent = Value::from("<absent>");
                walk(&format!("{at}.{key}"), one.get(key).unwrap_or(&absent), other.get(key).unwrap_or(&absent), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() && !at.ends_with("headers") => {
            for (index, (recorded, now)) in one.iter().zip(other).enumerate() {
                walk(&format!("{at}[{index}]"), recorded, now, found);
            }
        }
        _ if recorded == now => {}
        _ => found.push(Difference { at: at.to_owned(), recorded: recorded.clone(), now: now.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_case_and_free_text_do_not_count_and_everything_else_does() {
        let recorded =
            json!({"status": 401, "headers": [["Date", "x"], ["X-A", "1"]], "body": "{\"reason\":\"a\",\"code\":1}"});
        let same = json!({"status": 401, "headers": [["x-a", "1"]], "body": "{\"code\": 1, \"reason\": \"b\"}"});
        assert_eq!(compare(&recorded, &same), []);
        let other = json!({"status": 403, "headers": [["x-a", "2"]], "body": "{\"code\":1}"});
        let places: Vec<String> = compare(&recorded, &other).into_iter().map(|difference| difference.at).collect();
        assert_eq!(places, [".body.reason", ".headers", ".status"]);
    }
}
