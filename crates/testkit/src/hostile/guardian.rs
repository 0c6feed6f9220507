//! `vectors/http-desync-guardian`: requests of four tiers, from compliant to severe.

use serde_json::Value;

use super::{Attempt, Expected};
use crate::wire;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../vectors/http-desync-guardian/", $name, ".yaml")))),*]
    };
}

/// Name and text of each file.
pub const FILES: [(&str, &str); 10] = files![
    "acceptable",
    "ambiguous",
    "bad-header-characters",
    "edge-cases",
    "more-compliant-tests",
    "real-life-test-cases",
    "rfc-compliant",
    "severe",
    "single-case",
    "uri-specific-test-cases",
];

/// The cases of a file, read as YAML. What is compliant may be refused all the same.
pub fn attempts(cases: &Value) -> Vec<Attempt> {
    let attempt = |case: &Value| Attempt {
        name: case["name"].as_str().unwrap_or_default().to_owned(),
        bytes: request(case),
        expected: if case["expected"]["tier"] == "Severe" { Expected::Refused } else { Expected::Either },
    };
    cases.as_array().unwrap().iter().map(attempt).collect()
}

/// The bytes of a case: `Host` where none is given, and the body that its framing announces.
pub fn request(case: &Value) -> Vec<u8> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let version = text(&case["version"]);
    let mut head = format!("{} {} {version}\r\n", text(&case["method"]), text(&case["uri"]));
    let headers: Vec<(String, String)> = case["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|header| {
            (text(&header["name"]), if header["value"].is_null() { String::new() } else { text(&header["value"]) })
        })
        .collect();
    let value_of = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    if value_of("host").is_none() {
        head.push_str("Host: h\r\n");
    }
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut bytes = wire::latin1_bytes(&head);
    match (value_of("transfer-encoding"), value_of("content-length").and_then(|length| length.parse::<usize>().ok())) {
        (Some(_), _) => bytes.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n"),
        (None, Some(length)) if length < 100_000 => bytes.resize(bytes.len() + length, b'x'),
        _ => {}
    }
    bytes
}
