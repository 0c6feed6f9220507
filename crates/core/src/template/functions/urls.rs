//! URLs taken apart into maps and put together again.

use super::super::function::Function;
use super::super::function::Param::{Map, Text};
use super::super::url::{Parts, User};
use super::arguments::{bytes, text};
use super::{Outcome, Value};

pub(super) const ALL: &[Function] =
    &[Function::pure("urlParse", &[Text], |args| parse(bytes(&args[0])?)), Function::pure("urlJoin", &[Map], join)];

fn parse<'a>(written: &[u8]) -> Outcome<'a> {
    let url = Parts::parse(written).ok_or_else(|| "unable to parse url".to_owned())?;
    let entries = [
        ("scheme", url.scheme.clone()),
        ("host", url.host.clone()),
        ("hostname", url.hostname().to_vec()),
        ("path", url.path.clone()),
        ("query", url.raw_query.clone()),
        ("opaque", url.opaque.clone()),
        ("fragment", url.fragment.clone()),
        ("userinfo", url.user.as_ref().map(User::written).unwrap_or_default()),
    ];
    Ok(Value::map(entries.into_iter().map(|(name, part)| (name.into(), Value::bytes(part))).collect()))
}

fn join<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let part = |name: &str| match args[0].member(name.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value::Text(text)) => Ok(text.as_bytes().to_vec()),
        Some(other) => {
            Err(format!("unable to parse {name} key, must be of type string, but {} found", other.kind_name()))
        }
    };
    let mut url = Parts::default();
    url.scheme = part("scheme")?;
    url.host = part("host")?;
    url.path = part("path")?;
    url.raw_query = part("query")?;
    url.opaque = part("opaque")?;
    url.fragment = part("fragment")?;
    let user = part("userinfo")?;
    if !user.is_empty() {
        let written = [b"proto://", user.as_slice(), b"@host"].concat();
        url.user = Parts::parse(&written).ok_or_else(|| "unable to parse userinfo in dict".to_owned())?.user;
    }
    text(url.written())
}
