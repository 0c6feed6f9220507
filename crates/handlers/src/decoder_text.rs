//! JSON of side services, read with the reference's words for what is wrong with it: they name types and at
//! most one character, never a value.

use keyward_core::{go_json, strict_json};
use serde_json::{Map, Value};

/// An answer's body. The reference reads the first value of a stream and nothing after it; here nothing may
/// follow, for whoever wrote it meant something else.
pub(crate) fn read_stream(body: &[u8]) -> Result<Value, String> {
    go_json::check_stream(body)?;
    read_text(body)
}

/// A whole text.
pub(crate) fn read_text(body: &[u8]) -> Result<Value, String> {
    go_json::check(body)?;
    // Deeper than is read here, a number beyond all bounds, half of a surrogate pair, or a member written twice.
    strict_json::value(body).map_err(|_| "invalid JSON".to_owned())
}

/// The members of an object, those that are asked for under the name that they are asked for by: the reference
/// finds them whatever the case of their letters. One that is there in two cases is none that can be relied on.
pub(crate) fn members(written: Map<String, Value>, names: &[&str]) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    for (key, value) in written {
        let name = names.iter().find(|name| is_called(&key, name)).map_or(key, |name| (*name).to_owned());
        if members.insert(name, value).is_some() {
            return Err("invalid JSON".to_owned());
        }
    }
    Ok(members)
}

/// Whether letters differ in case only; two of other scripts fold to ASCII letters (Unicode's simple folding).
fn is_called(key: &str, name: &str) -> bool {
    let folded = key.chars().map(|char| match char {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(name.chars().map(|char| char.to_ascii_lowercase()))
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
        assert_eq!(read_stream(b" {}\n"), Ok(Value::Object(Map::new())));
    }

    #[test]
    fn members_are_found_in_any_case_and_once() {
        let rows = [
            ("{\"active\":1,\"x\":2}", Some("{\"active\":1,\"x\":2}")),
            ("{\"Active\":1,\"X\":2,\"x\":3}", Some("{\"active\":1,\"X\":2,\"x\":3}")),
            ("{\"\u{17f}ub\":1}", Some("{\"sub\":1}")),
            ("{\"active\":1,\"ACTIVE\":1}", None),
            ("{\"active\":1,\"active\":1}", None),
            ("{\"x\":{\"y\":1,\"y\":1}}", None),
        ];
        for (body, expected) in rows {
            let read = read_stream(body.as_bytes()).and_then(|value| match value {
                Value::Object(written) => members(written, &["active", "sub"]),
                other => Err(kind(&other).to_owned()),
            });
            assert_eq!(read.ok().map(|members| Value::Object(members).to_string()).as_deref(), expected, "{body}");
        }
    }
}
