//! JSON of side services, read with the reference's words for what is wrong with it: they name types and at
//! most one character, never a value.

use keyward_core::go_json;
use serde_json::Value;

/// An answer's body. The reference reads the first value of a stream and nothing after it; here nothing may
/// follow, for whoever wrote it meant something else.
pub(crate) fn read_stream(body: &[u8]) -> Result<Value, String> {
    go_json::check_stream(body)?;
    read_text(body)
}

/// A whole text.
pub(crate) fn read_text(body: &[u8]) -> Result<Value, String> {
    go_json::check(body)?;
    // Deeper than is read here, or half of a surrogate pair.
    serde_json::from_slice(body).map_err(|_| "invalid JSON".to_owned())
}

/// For a member of the wrong type.
pub(crate) fn of_member(owner: &str, member: &str, value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field {owner}.{member} of type {wanted}", kind(value))
}

/// For a whole value of the wrong type.
pub(crate) fn of_value(value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {wanted}", kind(value))
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
    use super::*;

    #[test]
    fn texts_of_the_reference() {
        let tail = "invalid character 'x' after top-level value";
        let rows: [(&[u8], &str, &str); 9] = [
            (
                b"<p>",
                "invalid character '<' looking for beginning of value",
                "invalid character '<' looking for beginning of value",
            ),
            (b"", "EOF", "unexpected end of JSON input"),
            (b" \n", "EOF", "unexpected end of JSON input"),
            (b"{\"active\":", "unexpected EOF", "unexpected end of JSON input"),
            (b"{\"active\" true}", "invalid character 't' after object key", "invalid character 't' after object key"),
            (
                b"nul!",
                "invalid character '!' in literal null (expecting 'l')",
                "invalid character '!' in literal null (expecting 'l')",
            ),
            (
                b"\x1f\x8b\x08",
                "invalid character '\\x1f' looking for beginning of value",
                "invalid character '\\x1f' looking for beginning of value",
            ),
            (b"{} x", tail, tail),
            (b"\"\\ud800\"", "invalid JSON", "invalid JSON"),
        ];
        for (body, stream, text) in rows {
            assert_eq!(read_stream(body), Err(stream.to_owned()), "{body:?}");
            assert_eq!(read_text(body), Err(text.to_owned()), "{body:?}");
        }
        assert_eq!(read_stream(b" {}\n"), Ok(Value::Object(serde_json::Map::new())));
    }
}
