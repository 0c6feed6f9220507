//! What a request says of the trace that it belongs to, and what is said to its upstream (W3C Trace Context).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::ids::{SpanId, TraceId};

/// Says where in a trace a request belongs.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `traceparent` of version 00, which all that come later begin like.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

/// The most that is passed on of `tracestate` (section 3.3.1.5): its members, and its characters.
const MAX_MEMBERS: usize = 32;
const MAX_STATE: usize = 512;

/// The span that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its trace.
    pub trace_id: TraceId,
    /// Itself.
    pub span_id: SpanId,
    /// Whether whoever made it keeps it.
    pub is_sampled: bool,
}

impl Parent {
    /// Reads the value of `traceparent` (section 3.2.2). What is not written as it has to be is as good as none.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let (known, rest) = value.as_bytes().split_at_checked(LENGTH)?;
        let [a, b, b'-', known @ ..] = known else { return None };
        let version = hex([*a, *b]).filter(|version| *version != 0xff)?;
        if !rest.is_empty() && (version == 0 || rest[0] != b'-') {
            return None;
        }
        let (trace_id, known) = known.split_at_checked(32)?;
        let [b'-', known @ ..] = known else { return None };
        let (span_id, known) = known.split_at_checked(16)?;
        let [b'-', a, b] = known else { return None };
        let flags = hex([*a, *b])?;
        Some(Self {
            trace_id: TraceId::parse(trace_id)?,
            span_id: SpanId::parse(span_id)?,
            is_sampled: flags & SAMPLED != 0,
        })
    }
}

/// The value of `traceparent` for what a span asks for.
pub fn traceparent(trace_id: &TraceId, span_id: &SpanId, is_sampled: bool) -> Option<HeaderValue> {
    let mut value = [b'-'; LENGTH];
    value[..2].copy_from_slice(b"00");
    value[3..35].copy_from_slice(trace_id.as_bytes());
    value[36..52].copy_from_slice(span_id.as_bytes());
    value[53..].copy_from_slice(if is_sampled { b"01" } else { b"00" });
    HeaderValue::from_bytes(&value).ok()
}

/// Whether `tracestate` may be passed on: one that is malformed, or longer than everybody has to take, may not
/// (section 3.3.1).
pub fn has_sound_state(headers: &HeaderMap) -> bool {
    let (mut keys, mut length) = (Vec::new(), 0);
    for line in headers.get_all(TRACESTATE) {
        length += line.len() + 1;
        if length > MAX_STATE + 1 {
            return false;
        }
        for member in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if member.is_empty() {
                continue;
            }
            let Some(end) = member.iter().position(|byte| *byte == b'=') else { return false };
            let (key, value) = (&member[..end], &member[end + 1..]);
            if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MAX_MEMBERS {
                return false;
            }
            keys.push(key);
        }
    }
    true
}

fn is_key(key: &[u8]) -> bool {
    let is_sound = |part: &[u8], most: usize| {
        (1..=most).contains(&part.len())
            && part.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    match key.iter().position(|byte| *byte == b'@') {
        Some(at) => {
            let (tenant, system) = (&key[..at], &key[at + 1..]);
            is_sound(tenant, 241) && is_sound(system, 14) && system[0].is_ascii_lowercase()
        }
        None => is_sound(key, 256) && (key[0].is_ascii_lowercase() || key[0].is_ascii_digit()),
    }
}

fn is_value(value: &[u8]) -> bool {
    (1..=256).contains(&value.len()) && value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=')
}

fn hex(digits: [u8; 2]) -> Option<u8> {
    let value = |digit| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    Some(value(digits[0])? << 4 | value(digits[1])?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_parent_is_one_only_when_it_is_written_as_the_standard_demands() {
        let zeros = "0".repeat(32);
        let rows = [
            (format!("00-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-00"), Some(false)),
            // Other flags mean nothing here.
            (format!("00-{TRACE}-{SPAN}-ff"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-fe"), Some(false)),
            // Later versions begin alike, and may go on.
            (format!("01-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes-later"), Some(true)),
            (format!("cc-{TRACE}-{SPAN}-01."), None),
            (format!("cc-{TRACE}-{SPAN}-01what"), None),
            (format!("00-{TRACE}-{SPAN}-01-more"), None),
            (format!("00-{TRACE}-{SPAN}-01-"), None),
            (format!("ff-{TRACE}-{SPAN}-01"), None),
            (format!("0-{TRACE}-{SPAN}-01"), None),
            (format!("0x-{TRACE}-{SPAN}-01"), None),
            (format!("00-{zeros}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{}-01", &zeros[..16]), None),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), None),
            (format!("00-{TRACE}-{}-01", SPAN.to_uppercase()), None),
            (format!("00-{TRACE}-{SPAN}-0A"), None),
            (format!("00-{TRACE}-{SPAN}-1"), None),
            (format!("00-{TRACE}-{SPAN}"), None),
            (format!("00_{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}_{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}_01"), None),
            (format!("00-{}.-{SPAN}-01", &TRACE[1..]), None),
            (format!("00-{}-{SPAN}-01", &TRACE[1..]), None),
            (format!(" 00-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}-01").repeat(100), None),
            ("x".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in rows {
            let parent = Parent::parse(&HeaderValue::from_str(&text).unwrap());
            assert_eq!(parent.map(|parent| parent.is_sampled), expected, "{text}");
            if let Some(parent) = parent {
                assert_eq!((&*parent.trace_id, &*parent.span_id), (TRACE, SPAN), "{text}");
            }
        }
        assert_eq!(Parent::parse(&HeaderValue::from_bytes(&[0xff; LENGTH]).unwrap()), None);
    }

    #[test]
    fn what_is_said_to_the_upstream_is_read_there_as_it_was_meant() {
        for is_sampled in [true, false] {
            let (trace_id, _) = TraceId::random();
            let parent = Parent { trace_id, span_id: SpanId::random(), is_sampled };
            let written = traceparent(&parent.trace_id, &parent.span_id, is_sampled).unwrap();
            assert_eq!(Parent::parse(&written), Some(parent));
        }
    }

    #[test]
    fn a_state_is_passed_on_whole_or_not_at_all() {
        let many = |count: usize| (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        let long = |length: usize| format!("a={},b={}", "v".repeat(256), "v".repeat(length - 256 - 5));
        let rows: [(&[&str], bool); 28] = [
            (&[], true),
            (&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], true),
            (&["rojo=1", "congo=2"], true),
            (&["rojo=1", "rojo=2"], false),
            (&["a=1,a=2"], false),
            (&["a=1, \t b=2 ,, c=3,"], true),
            (&[""], true),
            (&["tenant@system=1"], true),
            (&["1tenant@system=1"], true),
            (&["tenant@1system=1"], false),
            (&["@system=1"], false),
            (&["tenant@=1"], false),
            (&["a@b@c=1"], false),
            (&["A=1"], false),
            (&["_a=1"], false),
            (&["0a=1"], true),
            (&["a"], false),
            (&["=1"], false),
            (&["a="], false),
            (&["a=1=2"], false),
            (&["a =1"], false),
            (&["a= 1"], true),
            (&["a=\u{e9}"], false),
            (&[&many(32)], true),
            (&[&many(33)], false),
            (&[&many(20), "x=1,y=2"], true),
            (&[&long(512)], true),
            (&[&long(513)], false),
        ];
        for (lines, expected) in rows {
            let lines = lines.iter().map(|line| (TRACESTATE, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, value)| {
                headers.append(name, value);
            });
            assert_eq!(has_sound_state(&headers), expected, "{headers:?}");
        }
    }
}
