//! The answer to a denied request, in the reference's JSON shape (serving spec 7.10).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// A complete answer: small, already in memory.
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    /// The status.
    pub status: StatusCode,
    /// Its headers, without framing.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Builds the reference's error body and headers. Empty members are left out.
pub fn json(status: StatusCode, message: &str, reason: Option<&str>, request_id: Option<&str>) -> ErrorResponse {
    let mut error = Map::new();
    error.insert("code".into(), Value::from(status.as_u16()));
    if let Some(text) = status.canonical_reason() {
        error.insert("status".into(), text.into());
    }
    if let Some(id) = request_id.filter(|id| !id.is_empty()) {
        error.insert("request".into(), id.into());
    }
    if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
        error.insert("reason".into(), reason.into());
    }
    error.insert("message".into(), message.into());
    let mut body = escape_html(&Value::from(Map::from_iter([("error".to_owned(), Value::Object(error))])).to_string());
    body.push('\n');

    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("ory-error-id", HeaderValue::from_static(""));
    ErrorResponse { status, headers, body: Bytes::from(body) }
}

/// Go's JSON encoder escapes these so that a body is safe inside HTML; error bodies echo the caller's
/// request id, so ours does too.
pub fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_members_are_left_out() {
        let rows = [
            (Some("why"), Some("id"), r#""request":"id","reason":"why","#),
            (Some(""), Some(""), ""),
            (None, None, ""),
            (Some("<&>"), None, r#""reason":"\u003c\u0026\u003e","#),
        ];
        for (reason, id, members) in rows {
            let answer = json(StatusCode::FORBIDDEN, "no", reason, id);
            let expected =
                format!("{{\"error\":{{\"code\":403,\"status\":\"Forbidden\",{members}\"message\":\"no\"}}}}\n");
            assert_eq!(answer.body, expected, "{reason:?} {id:?}");
        }
    }
}
