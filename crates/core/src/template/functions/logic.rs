//! Go's built-ins for logic, comparison and printing, and Oathkeeper's own two.

use std::cmp::Ordering;

use super::super::format;
use super::{Function, MANY, Outcome, Value, int, row, string};

pub(super) const ALL: &[Function] = &[
    row("fail", 1, 1, |_| Err("the template called `fail`".to_owned())),
    Function { name: "and", least: 1, most: MANY, body: last, decides: Some(false) },
    Function { name: "or", least: 1, most: MANY, body: last, decides: Some(true) },
    row("not", 1, 1, |args| Ok(Value::Bool(!args[0].is_true()))),
    row("eq", 2, MANY, |args| {
        for other in &args[1..] {
            if equal(&args[0], other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    row("ne", 2, 2, |args| Ok(Value::Bool(!equal(&args[0], &args[1])?))),
    row("lt", 2, 2, |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_lt()))),
    row("le", 2, 2, |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_le()))),
    row("gt", 2, 2, |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_gt()))),
    row("ge", 2, 2, |args| Ok(Value::Bool(order(&args[0], &args[1])?.is_ge()))),
    row("len", 1, 1, |args| match args[0].len() {
        Some(length) => Ok(Value::Int(length as i64)),
        None => Err(format!("len of type {}", args[0].type_name())),
    }),
    row("index", 1, MANY, |args| args[1..].iter().try_fold(args[0].clone(), |value, key| index(&value, key))),
    row("print", 1, 1, |args| Ok(Value::text(printed(&args[0])))),
    row("printIndex", 2, 2, |args| {
        let at = int(&args[1])?;
        let Some(elements) = args[0].elements() else { return Ok(Value::text("")) };
        let at = usize::try_from(at).map_err(|_| format!("index out of range: {at}"))?;
        Ok(Value::text(elements.get(at).map(printed).unwrap_or_default()))
    }),
    row("printf", 1, MANY, |args| format::printf(string(&args[0])?, &args[1..]).map(Value::text)),
    row("println", 0, MANY, |args| {
        let words: Vec<String> = args.iter().map(format::text).collect();
        Ok(Value::text(words.join(" ") + "\n"))
    }),
    row("urlquery", 1, 1, |args| {
        let text = format::text(&args[0]);
        Ok(Value::text(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()))
    }),
    row("typeOf", 1, 1, |args| Ok(Value::text(args[0].type_name()))),
    row("kindOf", 1, 1, |args| Ok(Value::text(kind(&args[0])))),
    row("kindIs", 2, 2, |args| Ok(Value::Bool(string(&args[0])? == kind(&args[1])))),
    row("typeIsLike", 2, 2, |args| {
        let (wanted, name) = (string(&args[0])?, args[1].type_name());
        Ok(Value::Bool(wanted == name || name.strip_prefix('*') == Some(wanted)))
    }),
    row("typeIs", 2, 2, |args| Ok(Value::Bool(string(&args[0])? == args[1].type_name()))),
];

fn last<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    Ok(args.last().cloned().unwrap_or(Value::Nil))
}

/// Oathkeeper's `print`: nil is nothing.
fn printed(value: &Value<'_>) -> String {
    if matches!(value, Value::Nil) { String::new() } else { format::text(value) }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value.type_name() {
        "<nil>" => "invalid",
        name if name.starts_with("[]") => "slice",
        name if name.starts_with("map") || matches!(value, Value::Header(_) | Value::Query(_)) => "map",
        name if name.starts_with('*') => "ptr",
        name if name.contains('.') => "struct",
        name => name,
    }
}

/// Go compares only values of one basic kind; nil equals only nil.
fn equal(one: &Value<'_>, other: &Value<'_>) -> Result<bool, String> {
    match (one, other) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        _ => order(one, other).map(Ordering::is_eq),
    }
}

fn order(one: &Value<'_>, other: &Value<'_>) -> Result<Ordering, String> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => Ok(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other).ok_or_else(|| "NaN has no order".to_owned()),
        (Value::Text(one), Value::Text(other)) => Ok(one.cmp(other)),
        (Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_), _) => {
            Err("incompatible types for comparison".to_owned())
        }
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn index<'a>(value: &Value<'a>, key: &Value<'a>) -> Outcome<'a> {
    if let Some(elements) = value.elements() {
        let at = int(key)?;
        return usize::try_from(at)
            .ok()
            .and_then(|at| elements.get(at).cloned())
            .ok_or_else(|| format!("index out of range: {at}"));
    }
    match value {
        Value::Nil => Err("index of untyped nil".to_owned()),
        Value::Header(_) => value.method("Values", key).map_err(|error| error.to_string()),
        other => match other.member(string(key)?) {
            Some(member) => Ok(member),
            None => Err(format!("can't index item of type {}", other.type_name())),
        },
    }
}
