//! `vectors/own`: spoiled lines of framing, and targets that different readers resolve differently.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::stage::HIDDEN;
use super::{Attempt, Expected};

fn cases(text: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// `framing-lines.json`: each line in the head of a POST with a body, and a request hidden behind that.
pub fn framing() -> Vec<Attempt> {
    let attempt = |case: &Value| {
        let line = STANDARD.decode(case["line_b64"].as_str().unwrap()).unwrap();
        let is_length = line.to_ascii_lowercase().windows(6).any(|part| part == b"length");
        let body: &[u8] = if is_length { b"hello" } else { b"5\r\nhello\r\n0\r\n\r\n" };
        let hidden = format!("GET {HIDDEN} HTTP/1.1\r\nHost: h\r\n\r\n");
        let head = b"POST /v1/echo HTTP/1.1\r\nHost: h\r\n";
        let expected = match case["expect"].as_str().unwrap() {
            "reject" => Expected::Refused,
            "chunked" => Expected::Forwarded,
            _ => Expected::Either,
        };
        Attempt {
            name: case["name"].as_str().unwrap().to_owned(),
            bytes: [head, &line[..], b"\r\n\r\n", body, hidden.as_bytes()].concat(),
            expected,
        }
    };
    cases(include_str!("../../../../vectors/own/framing-lines.json")).iter().map(attempt).collect()
}

/// `paths.json`: what is resolved must be resolved before it goes out.
pub fn paths() -> Vec<Attempt> {
    let attempt = |case: &Value| {
        let target = case["target"].as_str().unwrap();
        Attempt {
            name: target.to_owned(),
            bytes: format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(),
            expected: Expected::Either,
        }
    };
    cases(include_str!("../../../../vectors/own/paths.json")).iter().map(attempt).collect()
}
