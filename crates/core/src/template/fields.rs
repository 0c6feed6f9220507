//! Fields and methods, by the rules of Go: struct fields must exist, map keys need not.

use std::borrow::Cow;

use super::TemplateData;
use super::error::RenderError;
use super::function::Param;
use super::header;
use super::url::{URL, Url, query};
use super::value::{Complex, Element, Integer, MapKind, Text, Value};

type Found<'a> = Result<Value<'a>, RenderError>;

/// A field, a key, or a method without parameters. `extra` stands for `.Extra` where it was copied.
pub(super) fn field<'a>(value: &Value<'a>, name: &str, extra: Option<&Value<'a>>) -> Found<'a> {
    let unknown = |kind: &str| Err(RenderError::new(format!("can't evaluate field {name} in type {kind}")));
    let text = |text: &'a str| Value::Text(Text::borrowed(text));
    match value {
        Value::Session(data) => Ok(match name {
            "Subject" => text(data.subject),
            "Extra" => match extra {
                Some(copy) => copy.clone(),
                None => data.extra.map_or_else(Value::nil_map, |extra| Value::JsonMap(extra)),
            },
            "Header" => Value::Headers(data.header),
            "MatchContext" => Value::MatchContext(data),
            // Nobody writes into a copy of the claims to throw it away, so the session is as good as its copy.
            "Copy" => value.clone(),
            _ => return unknown("*authn.AuthenticationSession"),
        }),
        Value::MatchContext(data) => Ok(match name {
            "RegexpCaptureGroups" => Value::Strings(data.captures),
            "URL" if data.has_no_url() => Value::Null,
            "URL" => Value::Url(data),
            "Method" => text(data.method),
            "Header" => Value::Headers(data.request_header),
            _ => return unknown("authn.MatchContext"),
        }),
        Value::Url(data) => match url_field(data, name) {
            Some(found) => Ok(found),
            None => field(&Value::object(Url::of(data)), name, extra),
        },
        // Go tells nothing at all from a nil that was read.
        Value::Nil => Ok(Value::Nil),
        Value::Null => Err(RenderError::new(format!("nil pointer evaluating interface {{}}.{name}"))),
        Value::Object(object) => match object.field(name) {
            Some(field) => Ok(field),
            None => call(value, name, &[]),
        },
        Value::Integer(integer) if name == "String" => match integer.of.show {
            Some(show) => Ok(Value::text(show(integer.bits))),
            None => unknown(integer.of.name),
        },
        Value::Integer(_) => call(value, name, &[]),
        map => match map.map_kind() {
            // Methods go before keys, also those that templates cannot call, since they give nothing back.
            Some(MapKind::Query) if matches!(name, "Add" | "Del" | "Encode" | "Get" | "Has" | "Set") => {
                call(map, name, &[])
            }
            Some(MapKind::Header)
                if matches!(name, "Add" | "Clone" | "Del" | "Get" | "Set" | "Values" | "Write" | "WriteSubset") =>
            {
                call(map, name, &[])
            }
            // Nil just read is a nil `interface {}`, which is no map yet.
            Some(kind) => Ok(match map.member(name.as_bytes()).unwrap_or_else(|| kind.missing()) {
                Value::Nil => Value::Null,
                found => found,
            }),
            None => unknown(map.type_name()),
        },
    }
}

/// A method with arguments.
pub(super) fn call<'a>(receiver: &Value<'a>, name: &str, arguments: &[(Value<'a>, bool)]) -> Found<'a> {
    let unknown = || RenderError::new(format!("can't evaluate field {name} in type {}", receiver.type_name()));
    if let Some(kind @ (MapKind::Header | MapKind::Query)) = receiver.map_kind() {
        return lookup(receiver, kind, name, arguments);
    }
    if let Value::Url(data) = receiver {
        return call(&Value::object(Url::of(data)), name, arguments);
    }
    let methods = match receiver {
        Value::Object(object) => object.methods(),
        Value::Integer(integer) => integer.of.methods,
        _ => return Err(unknown()),
    };
    let method = methods.iter().find(|method| method.name == name).ok_or_else(unknown)?;
    let (want, got) = (method.params.len(), arguments.len());
    if got < want || got > want && method.rest.is_none() {
        let at_least = if method.rest.is_some() { "at least " } else { "" };
        return Err(RenderError::new(format!("wrong number of args for {name}: want {at_least}{want} got {got}")));
    }
    let params = method.params.iter().copied().chain(method.rest.into_iter().cycle());
    let mut all = vec![receiver.clone()];
    for (param, (value, literal)) in params.zip(arguments) {
        all.push(converted(value.clone(), param, *literal)?);
    }
    (method.body)(&all).map_err(|message| RenderError::new(format!("error calling {name}: {message}")))
}

/// The methods of headers and queries.
fn lookup<'a>(map: &Value<'a>, kind: MapKind, name: &str, arguments: &[(Value<'a>, bool)]) -> Found<'a> {
    match (kind, name, arguments) {
        (MapKind::Query, "Encode", []) => return Ok(query::encoded(map)),
        (MapKind::Header, "Clone", []) => return Ok(map.clone()),
        _ => {}
    }
    let [(Value::Text(key), _)] = arguments else {
        return Err(RenderError::new(format!("wrong arguments for {name}: want one string")));
    };
    if let (Value::Headers(map), "Get") = (map, name) {
        return Ok(header::first(map, &key.to_str()));
    }
    let key = match kind {
        MapKind::Header => Cow::Owned(header::canonical(&key.to_str())),
        _ => key.to_str(),
    };
    let found = map.member(key.as_bytes());
    match name {
        "Get" => {
            let first = found.and_then(|values| values.element(0));
            Ok(first.unwrap_or_else(|| Value::text("")))
        }
        "Values" if kind == MapKind::Header => Ok(found.unwrap_or_else(|| kind.missing())),
        "Has" if kind == MapKind::Query => Ok(Value::Bool(found.is_some())),
        _ => Err(RenderError::new(format!("can't evaluate field {name} in type {}", kind.type_name()))),
    }
}

/// An argument as its parameter wants it. Literals take the type that is wanted.
pub(super) fn converted<'a>(value: Value<'a>, param: Param, literal: bool) -> Found<'a> {
    let was_read = matches!(value, Value::Null);
    let value = match value.settled() {
        // Without an imaginary part, a literal is as good as its real part.
        Value::Complex(Complex { real, imaginary: 0.0 }) if literal && !matches!(param, Param::Any) => {
            Value::Float(real)
        }
        settled => settled,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let fitting = match (param, &value) {
        (Param::Any, _)
        | (Param::Text, Value::Text(_))
        | (Param::Bool, Value::Bool(_))
        | (Param::Int, Value::Int(_))
        | (Param::Float, Value::Float(_)) => value,
        (Param::Int, Value::Float(float)) if literal && float.fract() == 0.0 && float.abs() < 9e18 => {
            Value::Int(*float as i64)
        }
        (Param::Float, Value::Int(int)) if literal => Value::Float(*int as f64),
        (Param::Integer(of), Value::Int(int)) if literal && (of.signed || *int >= 0) => {
            Value::Integer(Integer { of, bits: *int })
        }
        (Param::Integer(of), Value::Float(float))
            if literal && float.fract() == 0.0 && float.abs() < 9e18 && (of.signed || *float >= 0.0) =>
        {
            Value::Integer(Integer { of, bits: *float as i64 })
        }
        (Param::Integer(of), Value::Integer(integer)) if integer.of.name == of.name => value,
        (Param::Map, Value::Nil) if !was_read => Value::nil_map(),
        (Param::Bytes, Value::Nil) if !was_read => Value::octets(b""),
        (Param::Bytes, list) if list.element_kind() == Some(Element::Byte) => value,
        (Param::Map, map) if map.map_kind() == Some(MapKind::Any) => value,
        (Param::Object(name), Value::Object(object)) if object.type_name() == name => value,
        (Param::Object(URL), Value::Url(data)) => Value::object(Url::of(data)),
        _ => {
            let wanted = match param {
                Param::Any => "any value",
                Param::Text => "string",
                Param::Bool => "bool",
                Param::Int => "int",
                Param::Integer(of) => of.name,
                Param::Float => "float64",
                Param::Bytes => "[]uint8",
                Param::Map => "map[string]interface {}",
                Param::Object(name) => name,
            };
            let got = value.type_name();
            return Err(RenderError::new(format!("wrong type for value; expected {wanted}; got {got}")));
        }
    };
    Ok(fitting)
}

/// What templates read most often, without taking the URL apart.
fn url_field<'a>(data: &'a TemplateData<'a>, name: &str) -> Option<Value<'a>> {
    let text = |text: &'a str| Value::Text(Text::borrowed(text));
    Some(match name {
        "Scheme" => text(data.scheme),
        "Host" => text(data.host),
        "Path" if !data.path.contains('%') => text(data.path),
        "Path" => Value::bytes(percent_encoding::percent_decode_str(data.path).collect::<Vec<u8>>()),
        "RawQuery" => text(data.raw_query),
        _ => return None,
    })
}
