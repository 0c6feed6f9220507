//! Values while a template runs: Go's kinds, borrowed from the session wherever possible.
//!
//! Cloning is cheap. Lists never change; maps do (`set`, `unset`), and every holder of a map sees it, as in
//! Go. The maps of the session are borrowed and cannot change: a template with a function that writes into
//! maps gets a copy of the claims, made once per rendering ([`Value::of_owned`]).

mod complex;
mod integer;
mod list;
mod map;
mod object;
mod text;

use std::rc::Rc;

use http::HeaderMap;
use serde_json::{Map as JsonMap, Value as Json};

pub(super) use complex::Complex;
pub(super) use integer::{Integer, IntegerType, UINT8};
pub(super) use list::{Element, List};
pub(super) use map::{Entries, Map, MapKind};
pub(super) use object::Object;
pub(super) use text::Text;

use super::TemplateData;
use super::header;

/// A value.
#[derive(Clone)]
pub(super) enum Value<'a> {
    /// Nothing at all: `nil`, what a pipeline makes of a missing key.
    Nil,
    /// A missing key or JSON null just read from a map or list: in Go a nil `interface {}`, whose fields
    /// cannot be asked for. Functions never get it; pipelines and arguments make it [`Value::Nil`].
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `int64`, what sprig's arithmetic gives.
    Int64(i64),
    /// Any other integer.
    Integer(Integer),
    /// `float64`, what every JSON number is.
    Float(f64),
    /// `complex128`
    Complex(Complex),
    /// `string`
    Text(Text<'a>),
    /// An array of the claims: `[]interface {}`.
    JsonList(&'a [Json]),
    /// An object of the claims: `map[string]interface {}`.
    JsonMap(&'a JsonMap<String, Json>),
    /// A list of the session: `[]string`.
    Strings(&'a [String]),
    /// A list made while rendering.
    List(Rc<List<'a>>),
    /// A map made while rendering.
    Map(Rc<Map<'a>>),
    /// Headers of the session: `http.Header`.
    Headers(&'a HeaderMap),
    /// A struct made by a function.
    Object(Rc<dyn Object>),
    /// `$` at the beginning.
    Session(&'a TemplateData<'a>),
    /// `.MatchContext`
    MatchContext(&'a TemplateData<'a>),
    /// `.MatchContext.URL`
    Url(&'a TemplateData<'a>),
}

impl<'a> Value<'a> {
    /// A JSON value as Go decodes it: every number is a float.
    pub(super) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Value::Nil,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Value::Text(Text::borrowed(text)),
            Json::Array(list) => Value::JsonList(list),
            Json::Object(map) => Value::JsonMap(map),
        }
    }

    /// The same with maps that can be written.
    pub(super) fn of_owned(json: &Json) -> Self {
        match json {
            Json::String(text) => Value::text(text.as_str()),
            Json::Array(list) => Value::list(list.iter().map(Value::of_owned).collect()),
            Json::Object(map) => Value::of_owned_map(map),
            Json::Null => Value::Nil,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// A JSON object as a map that can be written.
    pub(super) fn of_owned_map(map: &JsonMap<String, Json>) -> Self {
        Value::map(map.iter().map(|(key, value)| (key.clone().into(), Value::of_owned(value))).collect())
    }

    /// Text that this value owns.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into().into())
    }

    /// Text that need not be UTF-8.
    pub(super) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Value::Text(bytes.into().into())
    }

    /// A struct.
    pub(super) fn object(object: impl Object + 'static) -> Self {
        Value::Object(Rc::new(object))
    }

    /// [`Value::Null`] as pipelines and functions see it.
    pub(super) fn settled(self) -> Self {
        if matches!(self, Value::Null) { Value::Nil } else { self }
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Value::Nil | Value::Null)
    }

    /// Go's truth: not zero, not empty, not nil. Structs are true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil | Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(value) | Value::Int64(value) | Value::Integer(Integer { bits: value, .. }) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Complex(value) => *value != Complex::ZERO,
            Value::Object(object) => !object.is_nil(),
            Value::Session(_) | Value::MatchContext(_) | Value::Url(_) => true,
            _ => self.len() != Some(0),
        }
    }

    /// The number of bytes, elements or entries, of what has any.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Value::Text(text) => Some(text.len()),
            Value::JsonList(list) => Some(list.len()),
            Value::JsonMap(map) => Some(map.len()),
            Value::Strings(list) => Some(list.len()),
            Value::List(list) => Some(list.items.len()),
            Value::Map(map) => Some(map.entries().len()),
            Value::Headers(map) => Some(header::entries(map).len()),
            _ => None,
        }
    }

    /// The integer of any integer type.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Value::Int(value) | Value::Int64(value) | Value::Integer(Integer { bits: value, .. }) => Some(*value),
            _ => None,
        }
    }

    /// Another integer of the same type.
    pub(super) fn with_integer(&self, number: i64) -> Self {
        match self {
            Value::Int64(_) => Value::Int64(number),
            Value::Integer(integer) => Value::Integer(Integer { of: integer.of, bits: number }),
            _ => Value::Int(number),
        }
    }

    /// The element of a list; nil elements as [`Value::Nil`].
    pub(super) fn element(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Value::JsonList(list) => list.get(index).map(Value::of),
            Value::Strings(list) => list.get(index).map(|text| Value::Text(Text::borrowed(text))),
            Value::List(list) => list.items.get(index).cloned(),
            _ => None,
        }
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> Option<Vec<Value<'a>>> {
        match self {
            Value::JsonList(list) => Some(list.iter().map(Value::of).collect()),
            Value::Strings(list) => Some(list.iter().map(|text| Value::Text(Text::borrowed(text))).collect()),
            Value::List(list) => Some(list.items.clone()),
            _ => None,
        }
    }

    /// The entries of a map, sorted by key as Go iterates and prints them.
    pub(super) fn members(&self) -> Option<Vec<(Text<'a>, Value<'a>)>> {
        match self {
            Value::JsonMap(map) => {
                let mut members: Vec<_> =
                    map.iter().map(|(key, value)| (Text::borrowed(key), Value::of(value))).collect();
                members.sort_by(|one, other| one.0.cmp(&other.0));
                Some(members)
            }
            Value::Map(map) => Some(map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
            Value::Headers(map) => Some(header::entries(map).into_iter().collect()),
            _ => None,
        }
    }

    /// The value of a key, when this is a map that has it.
    pub(super) fn member(&self, key: &[u8]) -> Option<Value<'a>> {
        match self {
            Value::JsonMap(map) => std::str::from_utf8(key).ok().and_then(|key| map.get(key)).map(Value::of),
            Value::Map(map) => map.get(key),
            Value::Headers(map) => header::exact(map, key),
            _ => None,
        }
    }

    /// Which map this is, when it is one.
    pub(super) fn map_kind(&self) -> Option<MapKind> {
        match self {
            Value::JsonMap(_) => Some(MapKind::Any),
            Value::Map(map) => Some(map.kind),
            Value::Headers(_) => Some(MapKind::Header),
            _ => None,
        }
    }

    /// What kind of elements this list has, when it is one.
    pub(super) fn element_kind(&self) -> Option<Element> {
        match self {
            Value::JsonList(_) => Some(Element::Any),
            Value::Strings(_) => Some(Element::Text),
            Value::List(list) => Some(list.element),
            _ => None,
        }
    }

    /// Go's name for the type, as `%T` prints it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil | Value::Null => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Int64(_) => "int64",
            Value::Integer(integer) => integer.of.name,
            Value::Float(_) => "float64",
            Value::Complex(_) => "complex128",
            Value::Text(_) => "string",
            Value::Object(object) => object.type_name(),
            Value::Session(_) => "*authn.AuthenticationSession",
            Value::MatchContext(_) => "authn.MatchContext",
            Value::Url(_) => "*url.URL",
            Value::JsonList(_) | Value::Strings(_) | Value::List(_) => {
                self.element_kind().unwrap_or(Element::Any).list_type()
            }
            Value::JsonMap(_) | Value::Map(_) | Value::Headers(_) => {
                self.map_kind().unwrap_or(MapKind::Any).type_name()
            }
        }
    }

    /// Go's name for the kind, as sprig's `kindOf` gives it.
    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Value::Nil | Value::Null => "invalid",
            Value::Integer(integer) => integer.of.kind,
            Value::Object(object) => object.kind_name(),
            Value::Session(_) | Value::Url(_) => "ptr",
            Value::MatchContext(_) => "struct",
            Value::JsonList(_) | Value::Strings(_) | Value::List(_) => "slice",
            Value::JsonMap(_) | Value::Map(_) | Value::Headers(_) => "map",
            basic => basic.type_name(),
        }
    }

    /// Whether it can hold maps and lists that were made while rendering.
    fn is_container(&self) -> bool {
        matches!(self, Value::List(_) | Value::Map(_))
    }
}

/// Drops values one after the other, however deep they nest.
fn dismantle(mut pending: Vec<Value<'_>>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut list) = Rc::into_inner(list) {
                    pending.append(&mut list.items);
                }
            }
            Value::Map(map) => {
                if let Some(map) = Rc::into_inner(map) {
                    pending.extend(map.take());
                }
            }
            _ => {}
        }
    }
}
