//! What an introspection endpoint says of a token (RFC 7662 section 2.2), in the shape that sessions need.

use std::sync::Arc;

use keyward_core::caller::Caller;
use keyward_core::session::{Extra, Session};
use serde_json::{Map, Value};

use crate::decoder_text;

/// One answer. Shared by reference; nothing changes it.
#[derive(Debug)]
pub(crate) struct Introspected {
    pub(crate) active: bool,
    pub(crate) token_use: String,
    /// Seconds since 1970; zero when the answer does not say.
    pub(crate) expires: i64,
    /// Separated by spaces.
    pub(crate) scope: String,
    pub(crate) caller: Arc<Caller>,
    /// What it takes in memory, roughly.
    pub(crate) bytes: usize,
}

/// The members that are read, and their types in the words of the reference. Of others nothing is asked.
const MEMBERS: &[(&str, &str)] = &[
    ("active", "bool"),
    ("ext", "map[string]interface {}"),
    ("sub", "string"),
    ("username", "string"),
    ("token_type", "string"),
    ("iss", "string"),
    ("client_id", "string"),
    ("scope", "string"),
    ("exp", "int64"),
    ("token_use", "string"),
];

impl Introspected {
    /// Reads an answer's body. The error is for the caller: what the reference says of it.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        const OWNER: &str = "AuthenticatorOAuth2IntrospectionResult";
        let value = decoder_text::read_stream(body)?;
        let Value::Object(written) = value else {
            return Err(decoder_text::of_value(&value, &format!("authn.{OWNER}")));
        };
        let names: Vec<&str> = MEMBERS.iter().map(|(name, _)| *name).chain(["aud"]).collect();
        let mut members = decoder_text::members(written, &names)?;
        for (name, value) in &members {
            let Some((_, kind)) = MEMBERS.iter().find(|(known, _)| known == name) else { continue };
            let fits = match value {
                Value::Null => true,
                Value::Bool(_) => *kind == "bool",
                Value::Number(number) => *kind == "int64" && number.is_i64(),
                Value::String(_) => *kind == "string",
                Value::Object(_) => kind.starts_with("map"),
                Value::Array(_) => false,
            };
            if !fits {
                return Err(decoder_text::of_member(OWNER, name, value, kind));
            }
        }
        let audience = audience(members.remove("aud"))?;
        let mut extra = match members.remove("ext") {
            Some(Value::Object(ext)) => ext,
            _ => Map::new(),
        };
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (subject, issuer, scope) = (text("sub"), text("iss"), text("scope"));
        for name in ["username", "client_id"] {
            extra.insert(name.to_owned(), text(name).into());
        }
        extra.insert("scope".to_owned(), scope.clone().into());
        if !audience.is_empty() {
            extra.insert("aud".to_owned(), audience.clone().into());
        }
        let token_use = text("token_use");
        let scopes: Vec<&str> = scope.split(' ').filter(|scope| !scope.is_empty()).collect();
        let audience: Vec<&str> = audience.iter().map(String::as_str).collect();
        let issuer = (!issuer.is_empty()).then_some(&*issuer);
        let caller = Caller::new(&subject, issuer, &scopes, &audience);
        Ok(Self {
            active: members.get("active").and_then(Value::as_bool).unwrap_or(false),
            token_use,
            expires: members.get("exp").and_then(Value::as_i64).unwrap_or(0),
            caller: Arc::new(caller.saying(extra.into())),
            scope,
            // Decoded members take about as much as the text that held them.
            bytes: body.len() * 2,
        })
    }

    /// The session it establishes.
    pub(crate) fn session(&self) -> Session {
        Session::of_caller(self.caller.clone(), Extra::OfCaller)
    }
}

fn audience(written: Option<Value>) -> Result<Vec<String>, String> {
    let list = match written {
        None => return Ok(Vec::new()),
        Some(Value::String(one)) => return Ok(vec![one]),
        Some(Value::Array(list)) => list,
        Some(_) => Vec::from([Value::Null]),
    };
    let texts = list.into_iter().map(|one| match one {
        Value::String(one) => Some(one),
        _ => None,
    });
    texts.collect::<Option<_>>().ok_or_else(|| "Unsupported aud type, only string or []string are allowed".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// The last two: [T] of pipeline spec 2.8.
    #[test]
    fn sessions() {
        let rows = [
            (
                json!({"active": true, "sub": "ann", "scope": "a b", "iss": "i", "aud": ["x"], "client_id": "c",
                       "username": "u", "exp": 7, "ext": {"team": "t", "scope": "forged"}, "realm": "lost"}),
                ("ann", Some("i"), vec!["a", "b"]),
                json!({"team": "t", "scope": "a b", "username": "u", "client_id": "c", "aud": ["x"]}),
            ),
            (json!({"active": true}), ("", None, vec![]), json!({"username": "", "client_id": "", "scope": ""})),
            (
                json!({"active": true, "aud": "audience", "ext": null, "sub": null}),
                ("", None, vec![]),
                json!({"username": "", "client_id": "", "scope": "", "aud": ["audience"]}),
            ),
            (
                json!({"active": true, "aud": ["audience1", "audience2"]}),
                ("", None, vec![]),
                json!({"username": "", "client_id": "", "scope": "", "aud": ["audience1", "audience2"]}),
            ),
        ];
        for (answer, (subject, issuer, scopes), extra) in rows {
            let session = Introspected::read(answer.to_string().as_bytes()).unwrap().session();
            assert_eq!(session.caller.subject(), subject);
            assert_eq!(session.caller.issuer(), issuer);
            assert_eq!(session.caller.scopes().collect::<Vec<_>>(), scopes);
            assert_eq!(Value::Object((**session.extra().unwrap()).clone()), extra);
        }
    }

    #[test]
    fn members_of_the_wrong_type_are_errors() {
        let aud = "Unsupported aud type, only string or []string are allowed";
        let field = |kind: &str, member: &str, wanted: &str| {
            format!(
                "json: cannot unmarshal {kind} into Go struct field AuthenticatorOAuth2IntrospectionResult.{member} of type {wanted}"
            )
        };
        let rows = [
            ("<p>", "invalid character '<' looking for beginning of value".to_owned()),
            ("", "EOF".to_owned()),
            (r#"{"active":true} trailing"#, "invalid character 't' after top-level value".to_owned()),
            (
                "null",
                "json: cannot unmarshal null into Go value of type authn.AuthenticatorOAuth2IntrospectionResult"
                    .to_owned(),
            ),
            (r#"{"active":"true"}"#, field("string", "active", "bool")),
            (r#"{"scope":["a"]}"#, field("array", "scope", "string")),
            (r#"{"ext":[]}"#, field("array", "ext", "map[string]interface {}")),
            (r#"{"exp":"1"}"#, field("string", "exp", "int64")),
            (r#"{"exp":1.5}"#, field("number", "exp", "int64")),
            (r#"{"sub":1}"#, field("number", "sub", "string")),
            (r#"{"aud":null}"#, aud.to_owned()),
            (r#"{"aud":{}}"#, aud.to_owned()),
            (r#"{"aud":["a",1]}"#, aud.to_owned()),
        ];
        for (body, error) in rows {
            assert_eq!(Introspected::read(body.as_bytes()).unwrap_err(), error, "{body}");
        }
    }
}
