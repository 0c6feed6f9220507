//! Asking a token endpoint for a token with the client credentials grant (RFC 6749 sections 4.4, 5), and
//! reading what it answers.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use keyward_core::ports::{SideAnswer, SideRequest};
use keyward_core::secret::Secret;
use serde_json::{Map, Value};

use super::basic::ClientCredentials;
use super::service::Service;
use crate::decoder_text;
use crate::form;

/// How a client identifies itself (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientStyle {
    /// In the `Authorization` header.
    Header,
    /// In the form.
    Form,
}

/// One grant to ask for.
pub(crate) struct TokenEndpoint {
    pub(crate) service: Service,
    /// Joined by spaces; `None` when there are none to ask for.
    pub(crate) scope: Option<String>,
    /// Empty for none.
    pub(crate) audience: String,
}

/// A token, as far as anybody here needs it.
pub(crate) struct IssuedToken {
    pub(crate) access_token: Secret,
    pub(crate) token_type: String,
    /// How long it lives; `None` when the answer does not say.
    pub(crate) lifetime: Option<Duration>,
}

/// Why there is no token in an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The endpoint said no, by its status or by an error code.
    Refused {
        /// The status.
        status: StatusCode,
        /// RFC 6749 section 5.2, when it is one.
        code: Option<String>,
    },
    /// A success without `access_token`.
    NoToken,
    /// A success that cannot be read; what the reference says of it.
    Unreadable(String),
}

impl Refusal {
    /// The reference's words, without what the endpoint wrote besides a code.
    pub(crate) fn told(&self) -> String {
        match self {
            Refusal::Refused { code: Some(code), .. } => format!("oauth2: \"{code}\""),
            Refusal::Refused { status, code: None } => format!("oauth2: cannot fetch token: {status}\nResponse: "),
            Refusal::NoToken => "oauth2: server response missing access_token".to_owned(),
            Refusal::Unreadable(text) => format!("oauth2: {text}"),
        }
    }
}

impl TokenEndpoint {
    /// The scope that a list of scopes asks for.
    pub(crate) fn scope_of(scopes: &[String]) -> Option<String> {
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }

    /// The call.
    pub(crate) fn request(&self, client: &ClientCredentials, style: ClientStyle) -> SideRequest {
        let mut headers = HeaderMap::new();
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        if !self.audience.is_empty() {
            fields.push(("audience", &self.audience));
        }
        match style {
            ClientStyle::Header => {
                headers.insert(AUTHORIZATION, client.header());
            }
            ClientStyle::Form => {
                fields.push(("client_id", &client.id));
                // As the reference: an empty secret is left out.
                if !client.secret.expose().is_empty() {
                    fields.push(("client_secret", client.secret.expose()));
                }
            }
        }
        self.service.post(headers, form::encode(&mut fields))
    }
}

/// Reads an answer of a token endpoint.
pub(crate) fn read(answer: &SideAnswer) -> Result<IssuedToken, Refusal> {
    let members = if is_form(&answer.headers) { Ok(form_members(&answer.body)) } else { json_members(&answer.body) };
    let text = |name: &str| match members.as_ref().ok().and_then(|members| members.get(name)) {
        Some(Value::String(text)) => text.as_str(),
        _ => "",
    };
    let code = text("error");
    if !answer.status.is_success() || !code.is_empty() {
        return Err(Refusal::Refused { status: answer.status, code: presentable(code) });
    }
    let members = members.as_ref().map_err(|text| Refusal::Unreadable(format!("cannot parse json: {text}")))?;
    if text("access_token").is_empty() {
        return Err(Refusal::NoToken);
    }
    Ok(IssuedToken {
        access_token: Secret::new(text("access_token")),
        token_type: text("token_type").to_owned(),
        lifetime: lifetime(members.get("expires_in")),
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/x-www-form-urlencoded" || kind == "text/plain"
}

/// Some endpoints answer with a form; the first value of a name counts.
fn form_members(body: &[u8]) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        members.entry(name).or_insert_with(|| value.into());
    }
    members
}

fn json_members(body: &[u8]) -> Result<Map<String, Value>, String> {
    const OWNER: &str = "tokenJSON";
    const TEXTS: [&str; 6] = ["access_token", "token_type", "refresh_token", "error", "error_description", "error_uri"];
    let members = match decoder_text::read_text(body)? {
        Value::Object(written) => decoder_text::members(written, &[&TEXTS[..], &["expires_in"]].concat())?,
        // As the reference, which then misses the token.
        Value::Null => Map::new(),
        other => return Err(decoder_text::of_value(&other, "internal.tokenJSON")),
    };
    for (name, value) in &members {
        let (fits, wanted) = match name.as_str() {
            "expires_in" => (value.is_null() || seconds(value).is_some(), "json.Number"),
            name if TEXTS.contains(&name) => (matches!(value, Value::String(_) | Value::Null), "string"),
            _ => (true, ""),
        };
        if !fits {
            return Err(decoder_text::of_member(OWNER, name, value, wanted));
        }
    }
    Ok(members)
}

/// A whole number, or one written as text.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Zero and what is no number say nothing, as in the reference; a negative life is over.
fn lifetime(expires_in: Option<&Value>) -> Option<Duration> {
    let seconds = expires_in.and_then(seconds).filter(|seconds| *seconds != 0)?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(i32::MAX.unsigned_abs().into())))
}

/// An error code that can be told on: short, and of the characters that codes are made of.
fn presentable(code: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(plain)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use keyward_core::side_url::SideUrl;

    fn endpoint(scope: Option<&str>, audience: &str) -> TokenEndpoint {
        let service = Service::at(SideUrl::parse("https://issuer/token").unwrap());
        TokenEndpoint { service, scope: scope.map(str::to_owned), audience: audience.into() }
    }

    #[test]
    fn requests_of_the_grant() {
        let client = ClientCredentials { id: "i d".into(), secret: Secret::new("s:e") };
        let rows = [
            (None, "", ClientStyle::Header, "grant_type=client_credentials"),
            (Some(""), "", ClientStyle::Header, "grant_type=client_credentials&scope="),
            (Some("a b"), "", ClientStyle::Header, "grant_type=client_credentials&scope=a+b"),
            (Some("foo"), "aud", ClientStyle::Header, "audience=aud&grant_type=client_credentials&scope=foo"),
            (None, "", ClientStyle::Form, "client_id=i+d&client_secret=s%3Ae&grant_type=client_credentials"),
        ];
        for (scope, audience, style, body) in rows {
            let request = endpoint(scope, audience).request(&client, style);
            assert_eq!(request.body, body);
            assert_eq!(request.headers.contains_key(AUTHORIZATION), style == ClientStyle::Header);
            assert_eq!(request.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
        }
    }

    fn outcome(status: u16, kind: &str, body: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        match read(&SideAnswer { status, headers, body: body.to_owned().into() }) {
            Ok(token) => format!("{} {} {:?}", token.access_token.expose(), token.token_type, token.lifetime),
            Err(refusal) => refusal.told(),
        }
    }

    #[test]
    fn answers() {
        const JSON: &str = "application/json";
        const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
        let rows = [
            (200, JSON, r#"{"access_token":"at","token_type":"bearer","expires_in":60}"#, "at bearer Some(60s)"),
            (201, JSON, r#"{"access_token":"at","expires_in":"60"}"#, "at  Some(60s)"),
            (200, JSON, r#"{"access_token":"at","expires_in":0}"#, "at  None"),
            (200, JSON, r#"{"access_token":"at","expires_in":-5}"#, "at  Some(0ns)"),
            (200, JSON, r#"{"access_token":"at","expires_in":null}"#, "at  None"),
            (200, FORM, "access_token=a+t&expires_in=5&token_type=b", "a t b Some(5s)"),
            (200, "text/plain", "access_token=at", "at  None"),
            (200, JSON, "{}", "oauth2: server response missing access_token"),
            (200, JSON, "null", "oauth2: server response missing access_token"),
            (200, JSON, r#"{"access_token":""}"#, "oauth2: server response missing access_token"),
            (200, JSON, r#"{"access_token":"at","error":"invalid_scope"}"#, "oauth2: \"invalid_scope\""),
            (401, JSON, r#"{"error":"invalid_client","error_description":"s3cr3t"}"#, "oauth2: \"invalid_client\""),
            (401, JSON, r#"{"error":"<script> s3cr3t"}"#, "oauth2: cannot fetch token: 401 Unauthorized\nResponse: "),
            (500, JSON, "s3cr3t", "oauth2: cannot fetch token: 500 Internal Server Error\nResponse: "),
            (302, JSON, r#"{"access_token":"at"}"#, "oauth2: cannot fetch token: 302 Found\nResponse: "),
            (200, JSON, "<p>", "oauth2: cannot parse json: invalid character '<' looking for beginning of value"),
            (200, JSON, "", "oauth2: cannot parse json: unexpected end of JSON input"),
            (
                200,
                JSON,
                r#"{"access_token":7}"#,
                "oauth2: cannot parse json: json: cannot unmarshal number into Go struct field tokenJSON.access_token of type string",
            ),
            (
                200,
                JSON,
                "[]",
                "oauth2: cannot parse json: json: cannot unmarshal array into Go value of type internal.tokenJSON",
            ),
        ];
        for (status, kind, body, expected) in rows {
            assert_eq!(outcome(status, kind, body), expected, "{status} {body}");
        }
    }
}
