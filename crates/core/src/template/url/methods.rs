//! The methods of URLs that give one value.

use super::object::{URL, UserInfo};
use super::{Parts, Url, User};
use crate::template::function::{Method, Outcome, Param};
use crate::template::functions::appended;
use crate::template::value::Value;

pub(super) const URL_METHODS: &[Method] = &[
    Method::new("String", &[], |args| text(args, Parts::written)),
    Method::new("MarshalBinary", &[], |args| appended(None, &url(&args[0])?.written())),
    Method::new("AppendBinary", &[Param::Bytes], |args| appended(args.get(1), &url(&args[0])?.written())),
    Method::new("Redacted", &[], |args| text(args, redacted)),
    Method::new("EscapedPath", &[], |args| text(args, Parts::escaped_path)),
    Method::new("EscapedFragment", &[], |args| text(args, Parts::escaped_fragment)),
    Method::new("Hostname", &[], |args| text(args, |url| url.hostname().to_vec())),
    Method::new("Port", &[], |args| text(args, |url| url.port().to_vec())),
    Method::new("RequestURI", &[], |args| text(args, Parts::request_uri)),
    Method::new("IsAbs", &[], |args| Ok(Value::Bool(!url(&args[0])?.scheme.is_empty()))),
    Method::new("Parse", &[Param::Text], |args| {
        let base = url(&args[0])?;
        let reference = Parts::parse(bytes(&args[1])).ok_or_else(|| "the text is no URL".to_owned())?;
        Ok(Value::object(Url(base.resolve(&reference))))
    }),
    Method::new("ResolveReference", &[Param::Object(URL)], |args| {
        Ok(Value::object(Url(url(&args[0])?.resolve(url(&args[1])?))))
    }),
    Method::new("JoinPath", &[], |args| Ok(Value::object(Url(url(&args[0])?.join(args[1..].iter().map(bytes))))))
        .with_rest(Param::Text),
];

pub(super) const USER_METHODS: &[Method] = &[
    Method::new("Username", &[], |args| user(args, |user| user.name.clone())),
    Method::new("String", &[], |args| user(args, User::written)),
];

fn url<'v>(value: &'v Value<'_>) -> Result<&'v Parts, String> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Url>().map(|url| &url.0),
        _ => None,
    }
    .ok_or_else(|| format!("wrong type for value; expected {URL}; got {}", value.type_name()))
}

fn text<'a>(args: &[Value<'a>], part: fn(&Parts) -> Vec<u8>) -> Outcome<'a> {
    Ok(Value::bytes(part(url(&args[0])?)))
}

/// Of a nil pointer, nothing.
fn user<'a>(args: &[Value<'a>], part: fn(&User) -> Vec<u8>) -> Outcome<'a> {
    let user = match &args[0] {
        Value::Object(object) => object.as_any().downcast_ref::<UserInfo>().and_then(|user| user.0.as_ref()),
        _ => None,
    };
    Ok(Value::bytes(user.map(part).unwrap_or_default()))
}

fn bytes<'v>(value: &'v Value<'_>) -> &'v [u8] {
    match value {
        Value::Text(text) => text.as_bytes(),
        _ => b"",
    }
}

/// With a mark instead of the password.
fn redacted(url: &Parts) -> Vec<u8> {
    let mut url = url.clone();
    if let Some(password) = url.user.as_mut().and_then(|user| user.password.as_mut()) {
        *password = b"xxxxx".to_vec();
    }
    url.written()
}
