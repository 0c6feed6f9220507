//! A trace that a caller names is one that the standard can write, and is named again as it was; a state that is passed on
//! is within what everybody has to take. Whatever else stands there is as good as nothing.

use http::{HeaderMap, HeaderValue};
use keyward_server::traces::context::{Parent, has_sound_state, traceparent};

/// The first line is `traceparent`, each further one a line of `tracestate`.
pub(crate) fn check(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(HeaderValue::from_bytes);
    if let Some(Ok(said)) = lines.next() {
        let parsed = Parent::parse(&said);
        assert_eq!(parsed.is_some(), is_written_well(said.as_bytes()), "{said:?}");
        if let Some(parent) = parsed {
            let again = traceparent(&parent.trace_id, &parent.span_id, parent.is_sampled).unwrap();
            assert_eq!(again.as_bytes()[2..53], said.as_bytes()[2..53]);
            assert_eq!(Parent::parse(&again), Some(parent));
        }
    }
    let mut headers = HeaderMap::new();
    for line in lines.take(64).flatten() {
        headers.append("tracestate", line);
    }
    if has_sound_state(&headers) {
        let lines: Vec<&str> = headers.get_all("tracestate").iter().map(|line| line.to_str().unwrap()).collect();
        let whole = lines.join(",");
        assert!(whole.len() <= 512, "{whole}");
        let members: Vec<&str> = whole.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
        assert!(members.len() <= 32, "{whole}");
        for (number, member) in members.iter().enumerate() {
            let (key, value) = member.split_once('=').unwrap();
            assert!(!key.is_empty() && !value.is_empty() && !value.contains('='), "{whole}");
            let is_another = |other: &&str| other.split('=').next() == Some(key);
            assert!(!members[..number].iter().any(is_another), "{whole}");
        }
    }
}

/// `version "-" trace-id "-" parent-id "-" flags`, with whatever it may be after a further dash in versions to come only.
fn is_written_well(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.splitn(5, '-');
    let [version, trace, span, flags] = [(); 4].map(|()| parts.next().unwrap_or_default());
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit))
    };
    let is_id = |part: &str, length: usize| is_hex(part, length) && part.chars().any(|digit| digit != '0');
    let is_known = is_hex(version, 2) && version != "ff" && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2);
    is_known && (parts.next().is_none() || version != "00")
}
