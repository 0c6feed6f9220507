//! Values while a template runs: borrowed from the session wherever possible.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::Value as Json;

use super::TemplateData;
use super::error::RenderError;
use super::session_json::canonical;

/// A value.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A JSON array or object of the claims.
    Json(&'a Json),
    List(Vec<Value<'a>>),
    Map(Vec<(String, Value<'a>)>),
    Strings(&'a [String]),
    Session(&'a TemplateData<'a>),
    Extra(&'a TemplateData<'a>),
    MatchContext(&'a TemplateData<'a>),
    Url(&'a TemplateData<'a>),
    Header(&'a HeaderMap),
    Query(&'a str),
}

impl<'a> Value<'a> {
    /// A JSON value as Go decodes it: every number is a float.
    pub(super) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Value::Nil,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Value::Text(Cow::Borrowed(text)),
            composite => Value::Json(composite),
        }
    }

    /// Text that this value owns.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Value::Text(Cow::Owned(text.into()))
    }

    /// Go's truth: not zero, not empty, not nil.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Header(map) => !map.is_empty(),
            Value::Query(_) | Value::Session(_) | Value::MatchContext(_) | Value::Url(_) => true,
            composite => composite.len().unwrap_or(0) > 0,
        }
    }

    /// The number of elements, of what has elements.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Value::Text(text) => Some(text.len()),
            Value::Json(Json::Array(list)) => Some(list.len()),
            Value::Json(Json::Object(map)) => Some(map.len()),
            Value::List(list) => Some(list.len()),
            Value::Map(map) => Some(map.len()),
            Value::Strings(list) => Some(list.len()),
            Value::Extra(data) => Some(data.extra.map_or(0, serde_json::Map::len)),
            Value::Header(map) => Some(map.keys_len()),
            _ => None,
        }
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> Option<Vec<Value<'a>>> {
        match self {
            Value::Json(Json::Array(list)) => Some(list.iter().map(Value::of).collect()),
            Value::List(list) => Some(list.clone()),
            Value::Strings(list) => Some(list.iter().map(|text| Value::Text(Cow::Borrowed(text))).collect()),
            _ => None,
        }
    }

    /// The members of a map, sorted by key as Go iterates them.
    pub(super) fn members(&self) -> Option<Vec<(String, Value<'a>)>> {
        let mut members: Vec<(String, Value<'a>)> = match self {
            Value::Json(Json::Object(map)) => map.iter().map(|(key, value)| (key.clone(), Value::of(value))).collect(),
            Value::Extra(data) => {
                data.extra.into_iter().flatten().map(|(key, value)| (key.clone(), Value::of(value))).collect()
            }
            Value::Map(map) => map.clone(),
            Value::Header(map) => {
                let names = map.keys().filter(|name| *name != http::header::HOST);
                names.map(|name| (canonical(name), Value::List(header_values(map, name.as_str())))).collect()
            }
            _ => return None,
        };
        members.sort_by(|one, other| one.0.cmp(&other.0));
        Some(members)
    }

    /// The member of a map, when it is a map.
    pub(super) fn member(&self, key: &str) -> Option<Value<'a>> {
        match self {
            Value::Json(Json::Object(map)) => Some(map.get(key).map_or(Value::Nil, Value::of)),
            Value::Extra(data) => Some(data.extra.and_then(|extra| extra.get(key)).map_or(Value::Nil, Value::of)),
            Value::Map(map) => {
                Some(map.iter().find(|(known, _)| known == key).map_or(Value::Nil, |(_, value)| value.clone()))
            }
            _ => None,
        }
    }

    /// A field, by the rules of Go: struct fields must exist, map keys need not.
    pub(super) fn field(&self, name: &str) -> Result<Value<'a>, RenderError> {
        let unknown = |kind: &str| Err(RenderError::new(format!("can't evaluate field {name} in type {kind}")));
        match self {
            Value::Session(data) => Ok(match name {
                "Subject" => Value::Text(Cow::Borrowed(data.subject)),
                "Extra" => Value::Extra(data),
                "Header" => Value::Header(data.header),
                "MatchContext" => Value::MatchContext(data),
                _ => return unknown("*authn.AuthenticationSession"),
            }),
            Value::MatchContext(data) => Ok(match name {
                "RegexpCaptureGroups" => Value::Strings(data.captures),
                "URL" if data.has_no_url() => Value::Nil,
                "URL" => Value::Url(data),
                "Method" => Value::Text(Cow::Borrowed(data.method)),
                "Header" => Value::Header(data.request_header),
                _ => return unknown("authn.MatchContext"),
            }),
            Value::Url(data) => url_field(data, name).map_or_else(|| unknown("*url.URL"), Ok),
            Value::Header(map) => Ok(Value::List(header_values(map, name))),
            Value::Query(query) if name == "Encode" => {
                let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
                pairs.sort_by(|one, other| one.0.cmp(&other.0));
                Ok(Value::text(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()))
            }
            Value::Nil => Err(RenderError::new(format!("nil pointer evaluating interface {{}}.{name}"))),
            other => other.member(name).map_or_else(|| unknown(other.type_name()), Ok),
        }
    }

    /// `Get` and `Values` of headers and queries.
    pub(super) fn method(&self, name: &str, argument: &Value<'_>) -> Result<Value<'a>, RenderError> {
        let Value::Text(key) = argument else {
            return Err(RenderError::new(format!("wrong type for argument of {name}: want string")));
        };
        let values = match self {
            Value::Header(map) => header_values(map, key),
            Value::Query(query) => form_urlencoded::parse(query.as_bytes())
                .filter(|(known, _)| known == key)
                .map(|(_, value)| Value::Text(Cow::Owned(value.into_owned())))
                .collect(),
            other => {
                return Err(RenderError::new(format!("can't evaluate field {name} in type {}", other.type_name())));
            }
        };
        Ok(if name == "Get" {
            values.into_iter().next().unwrap_or_else(|| Value::text(""))
        } else {
            Value::List(values)
        })
    }

    /// Go's name for the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Json(Json::Array(_)) | Value::List(_) => "[]interface {}",
            Value::Strings(_) => "[]string",
            Value::Json(_) | Value::Extra(_) | Value::Map(_) => "map[string]interface {}",
            Value::Session(_) => "*authn.AuthenticationSession",
            Value::MatchContext(_) => "authn.MatchContext",
            Value::Url(_) => "*url.URL",
            Value::Header(_) => "http.Header",
            Value::Query(_) => "url.Values",
        }
    }
}

fn header_values<'a>(map: &'a HeaderMap, name: &str) -> Vec<Value<'a>> {
    map.get_all(name).iter().map(|value| Value::Text(String::from_utf8_lossy(value.as_bytes()))).collect()
}

fn url_field<'a>(data: &'a TemplateData<'a>, name: &str) -> Option<Value<'a>> {
    let host_and_port = || match data.host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (data.host, ""),
    };
    Some(match name {
        "Scheme" => Value::Text(Cow::Borrowed(data.scheme)),
        "Host" => Value::Text(Cow::Borrowed(data.host)),
        "Path" => Value::Text(percent_encoding::percent_decode_str(data.path).decode_utf8_lossy()),
        "EscapedPath" => Value::Text(Cow::Borrowed(data.path)),
        "RawQuery" => Value::Text(Cow::Borrowed(data.raw_query)),
        "RawPath" | "Fragment" | "Opaque" | "RawFragment" | "User" | "EscapedFragment" => Value::text(""),
        "IsAbs" => Value::Bool(!data.scheme.is_empty()),
        "ForceQuery" | "OmitHost" => Value::Bool(false),
        "Query" => Value::Query(data.raw_query),
        "Hostname" => Value::text(host_and_port().0.trim_matches(['[', ']'])),
        "Port" => Value::text(host_and_port().1),
        "RequestURI" => Value::text(with_query(data.path.to_owned(), data.raw_query)),
        "String" => Value::text(url(data)),
        _ => return None,
    })
}

/// The whole URL.
pub(super) fn url(data: &TemplateData<'_>) -> String {
    with_query(format!("{}://{}{}", data.scheme, data.host, data.path), data.raw_query)
}

fn with_query(mut url: String, query: &str) -> String {
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url
}
