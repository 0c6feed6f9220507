//! A record is one line of JSON whatever it holds, and says what was put in.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};
use keyward_core::caller::Caller;
use keyward_server::audit::ids::RequestIds;
use keyward_server::audit::record::AuditRecord;
use serde_json::Value;

pub(crate) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parts: Vec<&str> = text.split('|').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    let scopes: Vec<&str> = part(2).split(' ').collect();
    let caller = Caller::new(part(0), Some(part(1)), &scopes, &[]);
    let mut headers = HeaderMap::new();
    for (name, index) in [("x-request-id", 3), ("traceparent", 4)] {
        headers.extend(
            HeaderValue::from_bytes(part(index).as_bytes())
                .ok()
                .map(|value| (http::HeaderName::from_static(name), value)),
        );
    }
    let name = RequestIds::new().name(&headers);
    let number = data.iter().fold(0_u64, |number, byte| number.wrapping_mul(257).wrapping_add(u64::from(*byte)));
    let record = AuditRecord {
        ts: UNIX_EPOCH.checked_add(Duration::from_millis(number >> 16)),
        request_id: name.id.as_bytes(),
        trace_id: name.trace_id.as_deref(),
        caller: Some(&caller),
        rule_id: Some(part(5)),
        rules_version: part(6),
        outcome: "denied",
        reason: Some(part(7)),
        method: "GET",
        path: part(8),
        host: part(9),
        upstream_url: None,
        status: (number >> 3) as u16,
        upstream_status: Some((number >> 5) as u16),
        bytes_in: number,
        bytes_out: u64::MAX,
        duration: Duration::from_micros(number),
        upstream_duration: None,
        client_ip: Some(part(10)),
        credential: Some(part(11)),
    };
    // It is appended, and nothing that is there already changes how.
    let before = data.to_vec();
    let mut out = before.clone();
    record.encode(&mut out);
    let line = out.strip_prefix(&before[..]).unwrap().strip_suffix(b"\n").unwrap();
    let shown = line.escape_ascii();
    assert!(!line.iter().any(|byte| byte.is_ascii_control()), "{shown}");
    let json: Value = serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(22), "{shown}");
    let said = [("issuer", 1), ("rule_id", 5), ("rules_version", 6), ("reason", 7), ("path", 8), ("host", 9)];
    for (member, index) in said.into_iter().chain([("client_ip", 10), ("credential", 11)]) {
        assert_eq!(json[member].as_str(), Some(part(index)), "{member}: {shown}");
    }
    assert_eq!(json["subject"].as_str().unwrap_or_default(), part(0), "{shown}");
    let listed: Vec<&str> = json["scopes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(listed, scopes, "{shown}");
    assert_eq!(json["request_id"].as_str(), Some(&*name.id), "{shown}");
    assert_eq!((&json["bytes_in"], &json["bytes_out"]), (&number.into(), &u64::MAX.into()), "{shown}");
}
