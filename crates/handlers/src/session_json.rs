//! A session as a side service gives it back: JSON in the reference's own shape (pipeline spec 1.6).

use std::sync::Arc;

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use keyward_core::session::{Extra, MatchContext, MatchUrl, Session};
use serde_json::{Map, Value};

use crate::decoder_text;
use crate::framing::is_framing;
use crate::rendered::trimmed;

/// A session as a side service gave it back.
pub(crate) struct Hydrated {
    pub(crate) subject: String,
    extra: Extra,
    /// `None` when the answer does not say.
    header: Option<HeaderMap>,
    captures: Vec<String>,
    match_context: Arc<MatchContext>,
}

/// What the reference calls the type in its messages.
const SESSION: &str = "AuthenticationSession";

impl Hydrated {
    /// Reads an answer's body. What is missing is empty. The error is what the reference tells callers.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let members = object(Some(decoder_text::read_stream(body)?), || "authn.AuthenticationSession".to_owned())?;
        let mut members =
            decoder_text::members(members.unwrap_or_default(), &["subject", "extra", "header", "match_context"])?;
        let subject = text(&mut members, SESSION, "subject")?;
        let extra = match members.remove("extra") {
            None | Some(Value::Null) => Extra::Null,
            Some(Value::Object(extra)) => extra.into(),
            Some(other) => return Err(decoder_text::of_member(SESSION, "extra", &other, "map[string]interface {}")),
        };
        let header = match members.remove("header") {
            None | Some(Value::Null) => None,
            given => Some(header_map(given, "header")?),
        };
        let context = match members.remove("match_context") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(context)) => context,
            Some(other) => {
                return Err(decoder_text::of_member(SESSION, "match_context", &other, "authn.MatchContext"));
            }
        };
        let (captures, match_context) = match_context(context)?;
        Ok(Self { subject, extra, header, captures, match_context: Arc::new(match_context) })
    }

    /// Puts it in a session's place. Who asked stays known as it was verified.
    ///
    /// An answer without `header` says nothing of headers: what earlier mutators set stays, so that a caller's
    /// own header of that name never passes for theirs. `composed` is what the service was shown of what
    /// `noop` and `cookie` left to be composed.
    pub(crate) fn replace(&self, session: &mut Session, composed: &HeaderMap) {
        if let Some(header) = &self.header {
            replace_headers(session, header, composed);
        }
        session.extra = self.extra.clone();
        session.captures = self.captures.clone();
        session.match_context = Some(self.match_context.clone());
    }
}

/// What is given back of `composed` as it was shown stays to be composed from the request: were it taken for
/// the session's own, the caller's credential in it would reach the upstream.
fn replace_headers(session: &mut Session, given: &HeaderMap, composed: &HeaderMap) {
    let is_given_back = |name: &HeaderName| {
        !session.header.contains_key(name) && composed.get_all(name).iter().eq(given.get_all(name).iter())
    };
    let mut header = given.clone();
    for name in composed.keys().filter(|name| is_given_back(name)) {
        header.remove(name);
    }
    for (name, value) in &mut header {
        let known = session.header.get_all(name).iter().find(|known| **known == *value);
        value.set_sensitive(known.is_some_and(HeaderValue::is_sensitive));
    }
    if session.sets_cookies && !is_given_back(&COOKIE) {
        session.sets_cookies = false;
        session.cookies.clear();
    }
    session.echoes_request &= composed.keys().filter(|name| !is_framing(name)).all(|name| given.contains_key(name));
    session.header = header;
}

fn match_context(written: Map<String, Value>) -> Result<(Vec<String>, MatchContext), String> {
    const CONTEXT: &str = "MatchContext";
    let mut members = decoder_text::members(written, &["regexp_capture_groups", "url", "method", "header"])?;
    let wrong = |name: &str, value: &Value, wanted: &str| {
        decoder_text::of_member(CONTEXT, &format!("match_context.{name}"), value, wanted)
    };
    let captures = match members.remove("regexp_capture_groups") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list
            .iter()
            .map(|one| match one {
                Value::String(text) => Ok(text.clone()),
                Value::Null => Ok(String::new()),
                other => Err(wrong("regexp_capture_groups", other, "string")),
            })
            .collect::<Result<_, _>>()?,
        Some(other) => return Err(wrong("regexp_capture_groups", &other, "[]string")),
    };
    let url = match members.remove("url") {
        None | Some(Value::Null) => None,
        Some(Value::Object(url)) => {
            let mut url = decoder_text::members(url, &["Scheme", "Host", "Path", "RawPath", "RawQuery", "ForceQuery"])?;
            let force_query = match url.remove("ForceQuery") {
                None | Some(Value::Null) => false,
                Some(Value::Bool(is_forced)) => is_forced,
                Some(other) => {
                    return Err(decoder_text::of_member("URL", "match_context.url.ForceQuery", &other, "bool"));
                }
            };
            let mut part = |name: &str| match url.remove(name) {
                None | Some(Value::Null) => Ok(String::new()),
                Some(Value::String(text)) => Ok(text),
                Some(other) => {
                    Err(decoder_text::of_member("URL", &format!("match_context.url.{name}"), &other, "string"))
                }
            };
            Some(MatchUrl {
                scheme: part("Scheme")?,
                host: part("Host")?,
                path: MatchUrl::written_path(&part("Path")?, &part("RawPath")?),
                raw_query: part("RawQuery")?,
                force_query,
            })
        }
        Some(other) => return Err(wrong("url", &other, "url.URL")),
    };
    let method = match members.remove("method") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(method)) => method,
        Some(other) => return Err(wrong("method", &other, "string")),
    };
    let header = header_map(members.remove("header"), "match_context.header")?;
    Ok((captures, MatchContext { method, url, header }))
}

fn object(value: Option<Value>, wanted: impl Fn() -> String) -> Result<Option<Map<String, Value>>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(other) => Err(decoder_text::of_value(&other, &wanted())),
    }
}

fn text(members: &mut Map<String, Value>, owner: &str, name: &str) -> Result<String, String> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(decoder_text::of_member(owner, name, &other, "string")),
    }
}

fn header_map(value: Option<Value>, name: &str) -> Result<HeaderMap, String> {
    let Some(members) = object(value, || "http.Header".to_owned())? else { return Ok(HeaderMap::new()) };
    let mut map = HeaderMap::new();
    // A header without a value is set, to nothing: a caller's own of that name must not take its place.
    let nothing = [Value::String(String::new())];
    for (key, values) in &members {
        let list = match values {
            Value::Null => &nothing[..],
            Value::Array(list) if list.is_empty() => &nothing,
            Value::Array(list) => list,
            other => return Err(decoder_text::of_member(SESSION, name, other, "[]string")),
        };
        // What is no header cannot be sent; the reference fails later, when it sends it.
        let unusable = || "the answer names a header that is none".to_owned();
        let key = HeaderName::from_bytes(key.as_bytes()).map_err(|_| unusable())?;
        // Two spellings of one name would be two opinions about one header.
        if map.contains_key(&key) {
            return Err("the answer names a header twice".to_owned());
        }
        for one in list {
            let text = match one {
                Value::String(text) => trimmed(text),
                Value::Null => "",
                other => return Err(decoder_text::of_member(SESSION, name, other, "string")),
            };
            let value = HeaderValue::from_str(text).map_err(|_| unusable())?;
            // A service that echoes a caller's headers must not frame the request to the upstream.
            if !is_framing(&key) {
                map.append(key.clone(), value);
            }
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_cannot_frame_the_request_to_the_upstream() {
        let names = ["Content-Length", "transfer-encoding", "Host", "Connection", "Upgrade", "TE", "X-Kept"];
        let header: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!(["1"]))).collect();
        let hydrated = Hydrated::read(json!({"header": header}).to_string().as_bytes()).unwrap();
        let mut session = Session::default();
        hydrated.replace(&mut session, &HeaderMap::new());
        assert_eq!(session.header.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }

    #[test]
    fn a_header_without_a_value_is_set_to_nothing() {
        for nothing in [json!([]), json!(null)] {
            let hydrated = Hydrated::read(json!({"header": {"X-Role": nothing}}).to_string().as_bytes()).unwrap();
            let mut session = Session::default();
            hydrated.replace(&mut session, &HeaderMap::new());
            assert_eq!(session.header.get("x-role"), Some(&HeaderValue::from_static("")));
        }
    }

    #[test]
    fn values_of_headers_have_no_space_around_them_and_null_is_an_empty_one() {
        let body = json!({"header": {"X-A": ["  v\t", null, "w "]}}).to_string();
        let header = Hydrated::read(body.as_bytes()).unwrap().header.unwrap();
        assert_eq!(header.get_all("x-a").iter().collect::<Vec<_>>(), ["v", "", "w"]);
    }

    #[test]
    fn a_header_in_two_spellings_is_refused() {
        let body = json!({"header": {"x-a": ["1"], "X-A": ["1"]}}).to_string();
        assert_eq!(Hydrated::read(body.as_bytes()).err().as_deref(), Some("the answer names a header twice"));
    }

    #[test]
    fn answers_are_read_and_refused_as_by_the_reference() {
        let rows: &[(&str, Result<&str, &str>)] = &[
            ("{\"subject\":\"a\"}", Ok("a")),
            ("{\"Subject\":\"a\"}", Ok("a")),
            ("{}", Ok("")),
            ("null", Ok("")),
            ("", Err("EOF")),
            (
                "{\"subject\":5}",
                Err("json: cannot unmarshal number into Go struct field AuthenticationSession.subject of type string"),
            ),
            ("[]", Err("json: cannot unmarshal array into Go value of type authn.AuthenticationSession")),
            (
                "{\"match_context\":{\"url\":\"x\"}}",
                Err(
                    "json: cannot unmarshal string into Go struct field MatchContext.match_context.url of type url.URL",
                ),
            ),
        ];
        for (body, expected) in rows {
            let read = Hydrated::read(body.as_bytes()).map(|hydrated| hydrated.subject);
            assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{body}");
        }
    }
}
