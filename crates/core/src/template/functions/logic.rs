//! Go's built-ins for logic, comparison and printing, and Oathkeeper's own two.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::format;
use super::super::function::Body;
use super::super::function::Param::{Any, Int, Text};
use super::arguments::{bytes, int, text};
use super::{Function, Outcome, Value};

pub(super) const ALL: &[Function] = &[
    Function {
        name: "and",
        params: &[Any],
        rest: Some(Any),
        body: Body::Decides(false),
        mutates: false,
        at_load: false,
    },
    Function { name: "or", params: &[Any], rest: Some(Any), body: Body::Decides(true), mutates: false, at_load: false },
    // No value of a template is a function.
    Function::variadic("call", &[Any], Any, |args| Err(format!("non-function of type {}", args[0].type_name()))),
    Function::pure("not", &[Any], |args| Ok(Value::Bool(!args[0].is_true()))),
    Function::variadic("eq", &[Any, Any], Any, |args| {
        for other in &args[1..] {
            if equal(&args[0], other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    Function::pure("ne", &[Any, Any], |args| Ok(Value::Bool(!equal(&args[0], &args[1])?))),
    Function::pure("lt", &[Any, Any], |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_lt()))),
    Function::pure("le", &[Any, Any], |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_le()))),
    Function::pure("gt", &[Any, Any], |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_gt()))),
    Function::pure("ge", &[Any, Any], |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_ge()))),
    Function::pure("len", &[Any], |args| match args[0].len() {
        Some(length) => Ok(Value::Int(length as i64)),
        None => Err(format!("len of type {}", args[0].type_name())),
    }),
    Function::variadic("index", &[Any], Any, |args| {
        if args[0].is_nil() {
            return Err("index of untyped nil".to_owned());
        }
        args[1..].iter().try_fold(args[0].clone(), |value, key| index(&value, key))
    }),
    Function::pure("print", &[Any], |args| printed(&args[0])),
    Function::pure("printIndex", &[Any, Int], |args| {
        let at = int(&args[1])?;
        if args[0].element_kind().is_none() {
            return text("");
        }
        let at = usize::try_from(at).map_err(|_| format!("index out of range: {at}"))?;
        match args[0].element(at) {
            None => text(""),
            Some(Value::Text(found)) => Ok(Value::Text(found)),
            Some(other) => text(format::text(&other)),
        }
    }),
    Function::variadic("printf", &[Text], Any, |args| text(format::printf(bytes(&args[0])?, &args[1..]))),
    Function::variadic("println", &[], Any, |args| {
        let words: Vec<Vec<u8>> = args.iter().map(format::text).collect();
        text([words.join(&b' '), b"\n".to_vec()].concat())
    }),
];

/// Oathkeeper's `print`: nil is nothing.
fn printed<'a>(value: &Value<'a>) -> Outcome<'a> {
    match value {
        Value::Nil | Value::Null => text(""),
        Value::Text(_) => Ok(value.clone()),
        other => text(format::text(other)),
    }
}

/// Go compares only values of one basic kind; nil equals only nil.
fn equal(one: &Value<'_>, other: &Value<'_>) -> Result<bool, String> {
    match (one.is_nil(), other.is_nil()) {
        (true, true) => return Ok(true),
        (false, false) => {}
        _ => return Ok(false),
    }
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        (Value::Complex(one), Value::Complex(other)) => Ok(one == other),
        (Value::Session(_), Value::Session(_)) | (Value::Url(_), Value::Url(_)) => Ok(true),
        // Pointers are equal where they point to the same, structs where they hold the same.
        (Value::Object(one), Value::Object(other)) if one.type_name() == other.type_name() => {
            Ok(match one.kind_name() {
                "ptr" => Rc::ptr_eq(one, other) || one.is_same(&**other),
                _ => one.source() == other.source(),
            })
        }
        _ => order(one, other).map(Ordering::is_eq),
    }
}

fn order(one: &Value<'_>, other: &Value<'_>) -> Result<Ordering, String> {
    if let (Some(one), Some(other)) = (one.integer(), other.integer()) {
        return Ok(one.cmp(&other));
    }
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other).ok_or_else(|| "NaN has no order".to_owned()),
        (Value::Text(one), Value::Text(other)) => Ok(one.cmp(other)),
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(_), Value::Complex(_)) => {
            Err("invalid type for comparison".to_owned())
        }
        (
            Value::Bool(_) | Value::Int(_) | Value::Int64(_) | Value::Float(_) | Value::Complex(_) | Value::Text(_),
            _,
        ) => Err("incompatible types for comparison".to_owned()),
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn index<'a>(value: &Value<'a>, key: &Value<'a>) -> Outcome<'a> {
    let length = match value {
        Value::Text(text) => Some(text.len()),
        list => list.element_kind().and_then(|_| list.len()),
    };
    if let Some(length) = length {
        let at = key.integer().ok_or_else(|| format!("cannot index slice/array with type {}", key.type_name()))?;
        let at = usize::try_from(at).ok().filter(|at| *at < length);
        let at = at.ok_or_else(|| "index out of range".to_owned())?;
        return Ok(match value {
            Value::Text(text) => Value::Integer(crate::template::value::Integer {
                of: &crate::template::value::UINT8,
                bits: i64::from(text.as_bytes()[at]),
            }),
            list => list.element(at).unwrap_or(Value::Nil),
        });
    }
    match value.map_kind() {
        _ if value.is_nil() => Err("index of untyped nil".to_owned()),
        Some(kind) => Ok(value.member(bytes(key)?).unwrap_or_else(|| kind.missing())),
        None => Err(format!("can't index item of type {}", value.type_name())),
    }
}
