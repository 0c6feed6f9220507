//! The audit record and its encoding: by hand, into a buffer, one line whatever the input.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::Offset;

/// What is recorded about one request. Queries, headers and credentials' values have no place here.
#[derive(Debug, Default)]
pub struct AuditRecord<'a> {
    /// When the request arrived.
    pub ts: Option<SystemTime>,
    /// The caller's `X-Request-Id`, or one of ours.
    pub request_id: &'a str,
    /// From `traceparent`.
    pub trace_id: Option<&'a str>,
    /// Who asked, when verified.
    pub subject: Option<&'a str>,
    /// Who vouched for them.
    pub issuer: Option<&'a str>,
    /// What they were granted.
    pub scopes: &'a [String],
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
    pub upstream_url: Option<&'a str>,
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
    /// Names of the headers that carried the injected credential.
    pub credential: Option<&'a str>,
}

/// A member's name with the punctuation around it, in one piece.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

impl AuditRecord<'_> {
    /// Whether the request was forwarded, or permitted to be.
    pub fn was_let_through(&self) -> bool {
        self.upstream_url.is_some() || self.outcome == "allowed"
    }

    /// Appends the record as one line of JSON.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ts\":\"");
        timestamp(self.ts.unwrap_or(UNIX_EPOCH), out);
        out.push(b'"');
        text(out, key!("request_id"), Some(self.request_id));
        text(out, key!("trace_id"), self.trace_id);
        text(out, key!("subject"), self.subject);
        text(out, key!("issuer"), self.issuer);
        out.extend_from_slice(b",\"scopes\":[");
        for (index, scope) in self.scopes.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            string(out, scope);
        }
        out.push(b']');
        text(out, key!("rule_id"), self.rule_id);
        plain(out, key!("rules_version"), Some(self.rules_version));
        plain(out, key!("outcome"), Some(self.outcome));
        plain(out, key!("reason"), self.reason);
        text(out, key!("method"), Some(self.method));
        text(out, key!("path"), Some(self.path));
        text(out, key!("host"), Some(self.host));
        text(out, key!("upstream_url"), self.upstream_url);
        number(out, key!("status"), Some(u64::from(self.status)));
        number(out, key!("upstream_status"), self.upstream_status.map(u64::from));
        number(out, key!("bytes_in"), Some(self.bytes_in));
        number(out, key!("bytes_out"), Some(self.bytes_out));
        milliseconds(out, key!("duration_ms"), Some(self.duration));
        milliseconds(out, key!("upstream_ms"), self.upstream_duration);
        plain(out, key!("client_ip"), self.client_ip);
        plain(out, key!("credential"), self.credential);
        out.extend_from_slice(b"}\n");
    }
}

fn text(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    out.extend_from_slice(key.as_bytes());
    match value {
        Some(value) => string(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// Our own words, addresses and header names: nothing in them is ever escaped.
fn plain(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    out.extend_from_slice(key.as_bytes());
    match value {
        Some(value) => {
            debug_assert!(is_plain(value.as_bytes()), "{key} would have to be escaped");
            out.push(b'"');
            out.extend_from_slice(value.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    out.extend_from_slice(key.as_bytes());
    match value {
        Some(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

/// Milliseconds with three decimals.
fn milliseconds(out: &mut Vec<u8>, key: &str, value: Option<Duration>) {
    let Some(value) = value else { return number(out, key, None) };
    let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    number(out, key, Some(micros / 1000));
    let mut decimals = *b".000";
    digits(&mut decimals[1..], micros % 1000);
    out.extend_from_slice(&decimals);
}

/// A JSON string. Control characters are escaped, so a record is always one line.
fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    if is_plain(value.as_bytes()) {
        out.extend_from_slice(value.as_bytes());
    } else {
        escaped(out, value);
    }
    out.push(b'"');
}

/// Whether nothing has to be escaped. Looks at eight bytes at a time; the last eight overlap.
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else { return !bytes.iter().any(|byte| is_escaped(*byte)) };
    let (eights, _) = bytes.as_chunks();
    eights.iter().fold(escapes_in(*last), |found, eight| found | escapes_in(*eight)) == 0
}

/// Not zero when [`is_escaped`] holds for one of eight bytes: a subtraction carries into a byte's high bit
/// where the byte is below what is taken off it, and bytes with that bit set already are above everything
/// that is escaped.
fn escapes_in(eight: [u8; 8]) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    let eight = u64::from_ne_bytes(eight);
    let below = |value: u64, limit: u8| value.wrapping_sub(EACH * u64::from(limit)) & !value;
    let is = |byte: u8| below(eight ^ (EACH * u64::from(byte)), 1);
    (below(eight, 0x20) | is(b'"') | is(b'\\') | is(0x7f)) & (EACH << 7)
}

fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0x7f
}

fn escaped(out: &mut Vec<u8>, value: &str) {
    let mut plain = 0;
    for (index, byte) in value.bytes().enumerate().filter(|(_, byte)| is_escaped(*byte)) {
        out.extend_from_slice(&value.as_bytes()[plain..index]);
        plain = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            byte => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&value.as_bytes()[plain..]);
}

thread_local! {
    /// The last second that was written: a core writes many records in one.
    static SECOND: Cell<(u64, [u8; 20])> = const { Cell::new((0, *b"1970-01-01T00:00:00.")) };
}

/// RFC 3339 in UTC with milliseconds.
fn timestamp(time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut second, mut text) = SECOND.get();
    if second != since.as_secs() {
        (second, text) = (since.as_secs(), until_seconds(since.as_secs()));
        SECOND.set((second, text));
    }
    out.extend_from_slice(&text);
    let mut millis = *b"000Z";
    digits(&mut millis[..3], u64::from(since.subsec_millis()));
    out.extend_from_slice(&millis);
}

fn until_seconds(seconds: u64) -> [u8; 20] {
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = Offset::UTC.to_datetime(at.unwrap_or_default());
    let mut text = *b"0000-00-00T00:00:00.";
    digits(&mut text[0..4], u64::from(at.year().unsigned_abs()));
    let places = [(5, at.month()), (8, at.day()), (11, at.hour()), (14, at.minute()), (17, at.second())];
    for (place, value) in places {
        digits(&mut text[place..place + 2], u64::from(value.unsigned_abs()));
    }
    text
}

/// A number in as many digits as there are places.
fn digits(places: &mut [u8], mut value: u64) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_has_the_documented_fields() {
        let scopes = ["jira:read".to_owned()];
        let record = AuditRecord {
            ts: Some(UNIX_EPOCH + Duration::from_millis(1_795_523_696_007)),
            request_id: "r1",
            subject: Some("alice"),
            scopes: &scopes,
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

    #[test]
    fn every_byte_that_is_escaped_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..21 {
                let mut bytes = [b'a'; 21];
                bytes[place] = byte;
                assert_eq!(is_plain(&bytes), !is_escaped(byte), "{byte:#x} at {place}");
                assert_eq!(is_plain(&bytes[place..]), !is_escaped(byte), "{byte:#x} before {}", 20 - place);
            }
        }
    }

    proptest::proptest! {
        /// RUSTSEC-2025-0055, Envoy CVE-2024-45808: nothing in a request can forge a line.
        #[test]
        fn a_record_is_one_line_of_json_whatever_it_holds(subject in "\\PC{0,20}|[\\x00-\\x1f\"\\\\]{0,20}", path in ".{0,20}") {
            let mut line = Vec::new();
            AuditRecord { subject: Some(&subject), path: &path, ..AuditRecord::default() }.encode(&mut line);
            proptest::prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
            proptest::prop_assert_eq!(json["subject"].as_str(), Some(subject.as_str()));
        }
    }
}
