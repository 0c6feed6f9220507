//! What the reference tells callers about JSON that it cannot read: the words of its decoder, which name
//! types and at most one character, never a value.

use serde_json::Value;

/// For a stream that holds no JSON value.
pub(crate) fn of_stream(body: &[u8], error: &serde_json::Error) -> String {
    match (first(body), error.is_eof()) {
        (None, _) => "EOF".to_owned(),
        (Some(_), true) => "unexpected EOF".to_owned(),
        (Some(first), false) => syntax(first, error),
    }
}

/// For a whole text that is no JSON value.
pub(crate) fn of_text(body: &[u8], error: &serde_json::Error) -> String {
    match (first(body), error.is_eof()) {
        (Some(first), false) => syntax(first, error),
        _ => "unexpected end of JSON input".to_owned(),
    }
}

/// For a member of the wrong type.
pub(crate) fn of_member(owner: &str, member: &str, value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field {owner}.{member} of type {wanted}", kind(value))
}

/// For a whole value of the wrong type.
pub(crate) fn of_value(value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {wanted}", kind(value))
}

fn syntax(first: char, error: &serde_json::Error) -> String {
    let begins_a_value = matches!(first, '{' | '[' | '"' | '-' | '0'..='9' | 't' | 'f' | 'n');
    if begins_a_value || !error.is_syntax() {
        return "invalid JSON".to_owned();
    }
    format!("invalid character '{first}' looking for beginning of value")
}

/// The first character that is not white space; one outside ASCII is not shown.
fn first(body: &[u8]) -> Option<char> {
    let byte = body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))?;
    Some(if byte.is_ascii_graphic() { char::from(*byte) } else { '?' })
}

/// What the reference's decoder calls a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_of_the_reference() {
        let rows: [(&[u8], &str, &str); 7] = [
            (
                b"<p>",
                "invalid character '<' looking for beginning of value",
                "invalid character '<' looking for beginning of value",
            ),
            (b"", "EOF", "unexpected end of JSON input"),
            (b" \n", "EOF", "unexpected end of JSON input"),
            (b"{\"active\":", "unexpected EOF", "unexpected end of JSON input"),
            (b"{\"active\" true}", "invalid JSON", "invalid JSON"),
            (b"nul!", "invalid JSON", "invalid JSON"),
            (
                b"\x1f\x8b\x08",
                "invalid character '?' looking for beginning of value",
                "invalid character '?' looking for beginning of value",
            ),
        ];
        for (body, stream, text) in rows {
            let error = serde_json::from_slice::<Value>(body).unwrap_err();
            assert_eq!(of_stream(body, &error), stream, "{body:?}");
            assert_eq!(of_text(body, &error), text, "{body:?}");
        }
    }
}
