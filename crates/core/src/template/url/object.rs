//! `*url.URL` and `*url.Userinfo` as templates see them.

use std::any::Any;

use serde_json::{Value as Json, json};

use super::super::TemplateData;
use super::super::format::quote;
use super::super::function::Method;
use super::super::value::{MapKind, Object, Value};
use super::{Parts, User, methods, query};

/// A URL.
pub(in crate::template) struct Url(pub(super) Parts);

/// What stands before `@` in a URL; nothing at all is a nil pointer.
pub(super) struct UserInfo(pub(super) Option<User>);

pub(in crate::template) const URL: &str = "*url.URL";

impl Url {
    /// The URL of a request.
    pub(in crate::template) fn of(data: &TemplateData<'_>) -> Self {
        let mut parts = Parts {
            scheme: data.scheme.into(),
            host: data.host.into(),
            raw_query: data.raw_query.into(),
            force_query: data.force_query,
            ..Parts::default()
        };
        parts.set_path(data.path.as_bytes());
        Self(parts)
    }
}

impl Object for Url {
    fn type_name(&self) -> &'static str {
        URL
    }

    fn kind_name(&self) -> &'static str {
        "ptr"
    }

    fn show(&self) -> String {
        lossy(&self.0.written())
    }

    /// Where there is a user, Go shows where it lies in memory.
    fn source(&self) -> String {
        let url = &self.0;
        let Parts { user: None, force_query, omit_host, .. } = url else { return self.show() };
        let texts = [&url.scheme, &url.opaque, &url.host, &url.path, &url.fragment];
        let [scheme, opaque, host, path, fragment] = texts.map(|text| quote(text));
        let [query, raw_path, raw_fragment] =
            [&url.raw_query, &url.raw_path, &url.raw_fragment].map(|text| quote(text));
        format!(
            "&url.URL{{Scheme:{scheme}, Opaque:{opaque}, User:(*url.Userinfo)(nil), Host:{host}, Path:{path}, \
             Fragment:{fragment}, RawQuery:{query}, RawPath:{raw_path}, RawFragment:{raw_fragment}, \
             ForceQuery:{force_query}, OmitHost:{omit_host}}}"
        )
    }

    fn json(&self) -> Option<Json> {
        let url = &self.0;
        Some(json!({
            "Scheme": lossy(&url.scheme),
            "Opaque": lossy(&url.opaque),
            "User": url.user.as_ref().map(|_| json!({})),
            "Host": lossy(&url.host),
            "Path": lossy(&url.path),
            "Fragment": lossy(&url.fragment),
            "RawQuery": lossy(&url.raw_query),
            "RawPath": lossy(&url.raw_path),
            "RawFragment": lossy(&url.raw_fragment),
            "ForceQuery": url.force_query,
            "OmitHost": url.omit_host,
        }))
    }

    fn field<'a>(&self, name: &str) -> Option<Value<'a>> {
        let url = &self.0;
        let text = |text: &[u8]| Value::bytes(text);
        Some(match name {
            "Scheme" => text(&url.scheme),
            "Opaque" => text(&url.opaque),
            "User" => Value::object(UserInfo(url.user.clone())),
            "Host" => text(&url.host),
            "Path" => text(&url.path),
            "RawPath" => text(&url.raw_path),
            "ForceQuery" => Value::Bool(url.force_query),
            "RawQuery" => text(&url.raw_query),
            "Fragment" => text(&url.fragment),
            "RawFragment" => text(&url.raw_fragment),
            "OmitHost" => Value::Bool(url.omit_host),
            "Query" => Value::typed_map(MapKind::Query, query::parse(&url.raw_query)),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [Method] {
        methods::URL_METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for UserInfo {
    fn type_name(&self) -> &'static str {
        "*url.Userinfo"
    }

    fn kind_name(&self) -> &'static str {
        "ptr"
    }

    fn is_nil(&self) -> bool {
        self.0.is_none()
    }

    fn show(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |user| lossy(&user.written()))
    }

    fn json(&self) -> Option<Json> {
        Some(self.0.as_ref().map_or(Json::Null, |_| json!({})))
    }

    fn field<'a>(&self, _: &str) -> Option<Value<'a>> {
        None
    }

    fn methods(&self) -> &'static [Method] {
        methods::USER_METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
