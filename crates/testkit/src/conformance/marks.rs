//! Marks for what is different every time: tokens are shown decoded, their times and ids as `<time>` and
//! `<id>`, the time of day as `<now>`, as in the recordings.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Below this a time is a clock's; recorded tokens end in 2100.
const FAR_AWAY: f64 = 4_000_000_000.0;

/// Replaces what varies.
pub(super) fn mark(text: &str) -> String {
    tokens(&times(text))
}

fn tokens(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("eyJ") {
        out.push_str(&rest[..start]);
        let from = &rest[start..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        match shown(&from[..end]) {
            Some(shown) => out.push_str(&shown),
            None => out.push_str(&from[..end]),
        }
        rest = &from[end..];
    }
    out + rest
}

fn shown(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let mut part = || -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next()?.trim_end_matches('=')).ok()?).ok()
    };
    let (header, mut claims) = (part()?, part()?);
    let members = claims.as_object_mut()?;
    for name in ["iat", "nbf", "exp"] {
        if let Some(time) = members.get_mut(name).filter(|time| time.as_f64().is_some_and(|time| time < FAR_AWAY)) {
            *time = "<time>".into();
        }
    }
    if members.get("iat").is_some_and(|time| time == "<time>") && members.contains_key("jti") {
        members.insert("jti".to_owned(), "<id>".into());
    }
    Some(format!("<jwt {{\"claims\": {}, \"header\": {}}}>", spaced(&claims), spaced(&header)))
}

/// JSON with sorted keys and a space after `:` and `,`.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            let members =
                members.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// `20yy-mm-ddThh:mm:ss.` with at least six digits and `Z`.
fn times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("20") {
        match time_at(&rest[start..]) {
            Some(length) => {
                out.push_str(&rest[..start]);
                out.push_str("<now>");
                rest = &rest[start + length..];
            }
            None => {
                out.push_str(&rest[..start + 2]);
                rest = &rest[start + 2..];
            }
        }
    }
    out + rest
}

fn time_at(text: &str) -> Option<usize> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.";
    let fits = |(shape, byte): (&u8, u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    if text.len() < SHAPE.len() || !SHAPE.iter().zip(text.bytes()).all(fits) {
        return None;
    }
    let digits = text[SHAPE.len()..].bytes().take_while(u8::is_ascii_digit).count();
    (digits >= 6 && text[SHAPE.len() + digits..].starts_with('Z')).then_some(SHAPE.len() + digits + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_tokens_are_marked_and_nothing_else() {
        assert_eq!(mark("at 2026-11-25T12:22:30.123456789Z, 2026-11-25T12:22:30Z"), "at <now>, 2026-11-25T12:22:30Z");
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let token =
            format!("{}.{}.sig", part("{\"alg\":\"RS256\"}"), part("{\"iat\":5,\"jti\":\"x\",\"exp\":4102444800}"));
        assert_eq!(
            mark(&format!("Bearer {token} eyJx")),
            "Bearer <jwt {\"claims\": {\"exp\": 4102444800, \"iat\": \"<time>\", \"jti\": \"<id>\"}, \"header\": {\"alg\": \"RS256\"}}> eyJx"
        );
    }
}
