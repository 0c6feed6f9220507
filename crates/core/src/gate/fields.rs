//! Header fields: what is refused, what stays behind, what goes on (RFC 9110 sections 5, 7.6.1, 7.8).

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, TE,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::GatePolicy;
use super::refusal::RefusalReason;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the fields say, besides what is left of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) accepts_trailers: bool,
    /// Forwarding headers may be believed.
    pub(super) trusts_forwarded: bool,
    pub(super) upgrade: Option<String>,
    /// From `X-Forwarded-Proto`, when forwarding headers are trusted.
    pub(super) forwarded_https: Option<bool>,
    /// Fields with `_` in their names went on.
    pub(super) has_underscores: bool,
    /// So many did not.
    pub(super) underscores_dropped: usize,
}

/// Checks every field and removes those that end at this hop.
pub(super) fn filter(headers: &mut HeaderMap, version: Version, policy: &GatePolicy) -> Result<Facts, RefusalReason> {
    if headers.len() > policy.max_fields {
        return Err(RefusalReason::FieldCount);
    }
    let mut size = 0;
    let mut dropped: Vec<HeaderName> = Vec::new();
    let mut seen = Seen::default();
    let (mut has_underscores, mut underscores_dropped) = (false, 0);
    for (name, value) in headers.iter() {
        let text = name.as_str();
        let length = text.len() + value.len() + 4;
        size += length;
        if length > policy.max_field_bytes || size > policy.max_head_bytes {
            return Err(RefusalReason::FieldSize);
        }
        if version == Version::HTTP_2 && !is_well_formed(text, value) {
            return Err(RefusalReason::Syntax);
        }
        if is_usual(name) {
            continue;
        }
        seen.note(name);
        match classify(text, policy) {
            Class::Keep => {}
            Class::Drop => dropped.push(name.clone()),
            Class::Underscored if policy.passes_underscores => has_underscores = true,
            Class::Underscored => {
                underscores_dropped += 1;
                dropped.push(name.clone());
            }
            Class::Refuse(reason) => return Err(reason),
        }
    }
    if seen.framing {
        check_framing(headers, version)?;
    }
    if seen.expectation {
        check_expectation(headers)?;
        if version == Version::HTTP_2 {
            // Nothing is left to wait for, as in the reference.
            dropped.push(EXPECT);
        }
    }
    let facts = Facts {
        accepts_trailers: seen.te && has_token(headers, &TE, "trailers"),
        trusts_forwarded: policy.trust_forwarded_headers,
        upgrade: if seen.upgrade { upgrade(headers, version)? } else { None },
        forwarded_https: policy.trust_forwarded_headers.then(|| forwarded_proto(headers)).flatten(),
        has_underscores,
        underscores_dropped,
    };
    if !dropped.is_empty() {
        named_by_connection(headers, &mut dropped)?;
        for name in dropped {
            headers.remove(name);
        }
    }
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if policy.trust_forwarded_headers {
        for name in [FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO] {
            keep_first_or_none(headers, &name);
        }
    }
    Ok(facts)
}

/// What nearly every request has, and nothing is to be done about. To know these at once is cheaper than to compare them
/// with all the others.
fn is_usual(name: &HeaderName) -> bool {
    *name == HOST
        || *name == AUTHORIZATION
        || *name == ACCEPT
        || *name == USER_AGENT
        || *name == ACCEPT_ENCODING
        || *name == CONTENT_TYPE
}

/// What HTTP/1.1's parser sees to, and nobody does for HTTP/2 (RFC 9113 section 8.2.1): no quote in a name, which the
/// `http` crate takes for a character of a token, and no space around a value.
fn is_well_formed(name: &str, value: &HeaderValue) -> bool {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !name.contains('"') && !is_space(value.as_bytes().first()) && !is_space(value.as_bytes().last())
}

/// Which fields are there, so that those that are not need no look.
#[derive(Default)]
struct Seen {
    framing: bool,
    expectation: bool,
    te: bool,
    upgrade: bool,
}

impl Seen {
    fn note(&mut self, name: &HeaderName) {
        self.framing |= *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING;
        self.expectation |= *name == EXPECT;
        self.te |= *name == TE;
        self.upgrade |= *name == UPGRADE;
    }
}

enum Class {
    Keep,
    Drop,
    Underscored,
    Refuse(RefusalReason),
}

fn classify(name: &str, policy: &GatePolicy) -> Class {
    match name.as_bytes() {
        b"connection"
        | b"keep-alive"
        | b"proxy-authenticate"
        | b"proxy-authorization"
        | b"proxy-connection"
        | b"te"
        | b"trailer"
        | b"transfer-encoding"
        | b"upgrade"
        | b"forwarded"
        | b"http2-settings" => Class::Drop,
        b if b.contains(&b'_') => {
            // Software behind this proxy may fold `_` to `-` (CVE-2025-64484, CVE-2026-39858).
            let folded = name.replace('_', "-");
            if is_protected(&folded) {
                Class::Refuse(RefusalReason::LookAlike)
            } else if is_method_override(folded.as_bytes()) && !policy.passes_method_overrides {
                Class::Refuse(RefusalReason::MethodOverride)
            } else {
                Class::Underscored
            }
        }
        b if is_method_override(b) && !policy.passes_method_overrides => Class::Refuse(RefusalReason::MethodOverride),
        b if b.starts_with(b"x-forwarded") => {
            if policy.trust_forwarded_headers {
                Class::Keep
            } else {
                Class::Drop
            }
        }
        _ => Class::Keep,
    }
}

/// Fields whose look-alikes are refused, and that `Connection` must not name.
fn is_protected(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "connection"
            | "content-length"
            | "content-type"
            | "cookie"
            | "expect"
            | "forwarded"
            | "host"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "x-request-id"
    ) || name.starts_with("x-forwarded")
}

/// Fields that many frameworks take for the request's method. Rules are matched by the method that a request has, and to
/// take the field away would do something else than was asked for.
fn is_method_override(name: &[u8]) -> bool {
    matches!(name, b"x-http-method-override" | b"x-http-method" | b"x-method-override")
}

/// hyper has framed the body; what it tolerated and others may read differently is refused here.
fn check_framing(headers: &mut HeaderMap, version: Version) -> Result<(), RefusalReason> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let digits = length.as_bytes();
        let valid = (1..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        if !valid || lengths.next().is_some() {
            return Err(RefusalReason::Framing);
        }
    }
    // Software that takes a leading zero for the mark of an octal number would see another length.
    if let Some(plain) = headers.get(CONTENT_LENGTH).and_then(without_zeros) {
        headers.insert(CONTENT_LENGTH, plain);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let sound = version == Version::HTTP_11
            && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
            && codings.next().is_none()
            && !headers.contains_key(CONTENT_LENGTH);
        if !sound {
            return Err(RefusalReason::Framing);
        }
    }
    Ok(())
}

/// A length without the zeros before it, if there are any.
fn without_zeros(length: &HeaderValue) -> Option<HeaderValue> {
    let digits = length.as_bytes();
    let zeros = digits.iter().take(digits.len().saturating_sub(1)).take_while(|digit| **digit == b'0').count();
    if zeros == 0 { None } else { HeaderValue::from_bytes(&digits[zeros..]).ok() }
}

fn check_expectation(headers: &HeaderMap) -> Result<(), RefusalReason> {
    let mut expectations = headers.get_all(EXPECT).iter();
    let continues = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if expectations.next().is_some_and(continues) && expectations.next().is_none() {
        Ok(())
    } else {
        Err(RefusalReason::Expectation)
    }
}

/// The protocol of a well-formed upgrade. `h2c` is not offered, so asking for it is ignored.
fn upgrade(headers: &HeaderMap, version: Version) -> Result<Option<String>, RefusalReason> {
    if version != Version::HTTP_11 || !has_token(headers, &CONNECTION, "upgrade") {
        return Ok(None);
    }
    let mut lines = headers.get_all(UPGRADE).iter();
    let protocol = lines.next().and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./_".contains(&byte))
    };
    if protocol == "h2c" {
        return Ok(None);
    }
    // A body before the switch would be read as the new protocol by one side only.
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if lines.next().is_some() || !is_token(&protocol) || has_body {
        return Err(RefusalReason::Upgrade);
    }
    Ok(Some(protocol))
}

/// Adds the fields that `Connection` names, in any case (CVE-2024-45410, CVE-2026-29054).
fn named_by_connection(headers: &HeaderMap, dropped: &mut Vec<HeaderName>) -> Result<(), RefusalReason> {
    for token in headers.get_all(CONNECTION).iter().flat_map(tokens) {
        if matches!(token.as_str(), "close" | "keep-alive" | "upgrade" | "te" | "http2-settings" | "") {
            continue;
        }
        if is_protected(&token) {
            return Err(RefusalReason::ConnectionNames);
        }
        let name = HeaderName::from_bytes(token.as_bytes()).map_err(|_| RefusalReason::ConnectionNames)?;
        dropped.push(name);
    }
    Ok(())
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = String> {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(|token| String::from_utf8_lossy(token.trim_ascii()).to_ascii_lowercase())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().flat_map(tokens).any(|one| one == token)
}

/// HTTP/2 lets a caller split its cookies over several fields; elsewhere there is one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

fn forwarded_proto(headers: &HeaderMap) -> Option<bool> {
    let proto = headers.get("x-forwarded-proto")?.as_bytes();
    if proto.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else if proto.eq_ignore_ascii_case(b"http") {
        Some(false)
    } else {
        None
    }
}

/// As in the reference: the first line counts, and an empty one counts as none.
pub(crate) fn keep_first_or_none(headers: &mut HeaderMap, name: &HeaderName) {
    let mut lines = headers.get_all(name).iter();
    let (first, more) = (lines.next().cloned(), lines.next().is_some());
    match first {
        Some(first) if first.is_empty() => drop(headers.remove(name)),
        Some(first) if more => drop(headers.insert(name, first)),
        _ => {}
    }
}
