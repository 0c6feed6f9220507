//! The audit record: what is in it, in which order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyward_core::caller::Caller;
use keyward_core::rule::upstream::UpstreamUrl;

use super::line::{Key, Line};

/// What is recorded about one request. Queries, headers and credentials' values have no place here.
#[derive(Debug, Default)]
pub struct AuditRecord<'a> {
    /// When the request arrived.
    pub ts: Option<SystemTime>,
    /// The caller's `X-Request-Id`, or one of ours.
    pub request_id: &'a [u8],
    /// The trace that the request is part of.
    pub trace_id: Option<&'a str>,
    /// Who asked, who vouched for them, and what they were granted, when verified.
    pub caller: Option<&'a Caller>,
    /// The rule that matched.
    pub rule_id: Option<&'a str>,
    /// Which rule set that was.
    pub rules_version: &'a str,
    /// allowed, denied or error.
    pub outcome: &'a str,
    /// Why, unless allowed.
    pub reason: Option<&'a str>,
    /// The request method.
    pub method: &'a str,
    /// The canonical path, without query.
    pub path: &'a str,
    /// The host the caller named.
    pub host: &'a str,
    /// Where it was sent, without query.
    pub upstream_url: Option<UpstreamUrl<'a>>,
    /// The status the caller got.
    pub status: u16,
    /// The status the upstream gave.
    pub upstream_status: Option<u16>,
    /// Payload bytes from the caller.
    pub bytes_in: u64,
    /// Payload bytes to the caller.
    pub bytes_out: u64,
    /// From arrival to the last byte.
    pub duration: Duration,
    /// Until the head of the upstream's answer.
    pub upstream_duration: Option<Duration>,
    /// The connection's peer.
    pub client_ip: Option<&'a str>,
    /// The injected credentials, by name and version, or by header where they have no name.
    pub credential: Option<&'a str>,
}

/// A member's name with the punctuation around it.
macro_rules! key {
    ($name:literal) => {
        Key {
            string: concat!(",\"", $name, "\":\""),
            other: concat!(",\"", $name, "\":"),
            null: concat!(",\"", $name, "\":null"),
        }
    };
}

impl AuditRecord<'_> {
    /// Whether the request was forwarded, or permitted to be.
    pub fn was_let_through(&self) -> bool {
        self.upstream_url.is_some() || self.outcome == "allowed"
    }

    /// Appends the record as one line of JSON.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut line = Line::plain(out);
        self.write(&mut line);
        if !line.is_sound(start) {
            out.truncate(start);
            self.write(&mut Line::escaping(out));
        }
        out.push(b'\n');
    }

    fn write(&self, line: &mut Line<'_>) {
        line.time("{\"ts\":\"", self.ts.unwrap_or(UNIX_EPOCH));
        line.pieces(key!("request_id"), Some([self.request_id]));
        line.text(key!("trace_id"), self.trace_id);
        line.text(key!("subject"), self.caller.map(Caller::subject).filter(|subject| !subject.is_empty()));
        line.text(key!("issuer"), self.caller.and_then(Caller::issuer));
        line.strings(key!("scopes"), self.caller.into_iter().flat_map(Caller::scopes));
        line.text(key!("rule_id"), self.rule_id);
        line.text(key!("rules_version"), Some(self.rules_version));
        line.text(key!("outcome"), Some(self.outcome));
        line.text(key!("reason"), self.reason);
        // Of a head that could not be read nothing is known.
        let read = |text| Some(text).filter(|_| !self.method.is_empty());
        line.text(key!("method"), read(self.method));
        line.text(key!("path"), read(self.path));
        line.text(key!("host"), read(self.host));
        line.pieces(key!("upstream_url"), self.upstream_url.map(|url| url.pieces()));
        line.number(key!("status"), Some(self.status.into()));
        line.number(key!("upstream_status"), self.upstream_status.map(u64::from));
        line.number(key!("bytes_in"), Some(self.bytes_in));
        line.number(key!("bytes_out"), Some(self.bytes_out));
        line.milliseconds(key!("duration_ms"), Some(self.duration));
        line.milliseconds(key!("upstream_ms"), self.upstream_duration);
        line.text(key!("client_ip"), self.client_ip);
        line.text(key!("credential"), self.credential);
        line.punctuation("}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_has_the_documented_fields() {
        let caller = Caller::new("alice", None, &["jira:read"], &[]);
        let record = AuditRecord {
            ts: Some(UNIX_EPOCH + Duration::from_millis(1_795_523_696_007)),
            request_id: b"r1",
            caller: Some(&caller),
            rule_id: Some("jira"),
            outcome: "allowed",
            method: "GET",
            path: "/jira/x",
            status: 200,
            duration: Duration::from_micros(1_234),
            ..AuditRecord::default()
        };
        let mut line = Vec::new();
        record.encode(&mut line);
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["ts"], "2026-11-24T12:34:56.007Z");
        assert_eq!(
            (&json["subject"], &json["scopes"][0], &json["duration_ms"]),
            (&"alice".into(), &"jira:read".into(), &1.234.into())
        );
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys.join(" "),
            "ts request_id trace_id subject issuer scopes rule_id rules_version outcome reason method path host \
             upstream_url status upstream_status bytes_in bytes_out duration_ms upstream_ms client_ip credential"
        );
    }

    proptest::proptest! {
        /// RUSTSEC-2025-0055, Envoy CVE-2024-45808: nothing in a request can forge a line.
        #[test]
        fn a_record_is_one_line_of_json_whatever_it_holds(subject in "\\PC{1,20}|[\\x00-\\x1f\"\\\\]{1,20}", path in ".{0,20}") {
            let mut line = Vec::new();
            let caller = Caller::new(&subject, None, &[&subject], &[]);
            AuditRecord { caller: Some(&caller), path: &path, ..AuditRecord::default() }.encode(&mut line);
            proptest::prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
            proptest::prop_assert_eq!(json["subject"].as_str(), Some(subject.as_str()));
            proptest::prop_assert_eq!(json["scopes"][0].as_str(), Some(subject.as_str()));
        }
    }
}
