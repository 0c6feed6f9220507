//! sprig's lists, dictionaries and defaults.

use super::super::format;
use super::{Function, MANY, Outcome, Value, int, row, string};

pub(super) const ALL: &[Function] = &[
    row("default", 1, 2, |args| match args {
        [given, value] if !value.is_true() => Ok(given.clone()),
        [_, value] => Ok(value.clone()),
        _ => Ok(args[0].clone()),
    }),
    row("empty", 1, 1, |args| Ok(Value::Bool(!args[0].is_true()))),
    row("coalesce", 0, MANY, |args| Ok(args.iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil))),
    row("ternary", 3, 3, |args| match args[2] {
        Value::Bool(condition) => Ok(args[if condition { 0 } else { 1 }].clone()),
        _ => Err("wrong type for value; expected bool".to_owned()),
    }),
    row("list", 0, MANY, |args| Ok(Value::List(args.to_vec()))),
    row("tuple", 0, MANY, |args| Ok(Value::List(args.to_vec()))),
    row("dict", 0, MANY, |args| {
        let pairs =
            args.chunks(2).map(|pair| (format::text(&pair[0]), pair.get(1).cloned().unwrap_or(Value::text(""))));
        Ok(Value::Map(pairs.collect()))
    }),
    row("get", 2, 2, |args| match member(&args[0], string(&args[1])?)? {
        Value::Nil => Ok(Value::text("")),
        value => Ok(value),
    }),
    row("hasKey", 2, 2, |args| {
        let key = string(&args[1])?;
        let members = args[0].members().ok_or("wrong type for value; expected map")?;
        Ok(Value::Bool(members.iter().any(|(known, _)| known == key)))
    }),
    row("keys", 1, MANY, |args| {
        let members = args.iter().filter_map(Value::members).flatten();
        Ok(Value::List(members.map(|(key, _)| Value::text(key)).collect()))
    }),
    row("join", 2, 2, |args| {
        let separator = string(&args[0])?;
        let words = strings(&args[1]);
        Ok(Value::text(words.join(separator)))
    }),
    row("toStrings", 1, 1, |args| Ok(Value::List(strings(&args[0]).into_iter().map(Value::text).collect()))),
    row("split", 2, 2, |args| {
        let (separator, text) = (string(&args[0])?, string(&args[1])?);
        let parts = pieces(text, separator);
        Ok(Value::Map(parts.enumerate().map(|(index, part)| (format!("_{index}"), Value::text(part))).collect()))
    }),
    row("splitList", 2, 2, |args| {
        let (separator, text) = (string(&args[0])?, string(&args[1])?);
        Ok(Value::List(pieces(text, separator).map(Value::text).collect()))
    }),
    row("sortAlpha", 1, 1, |args| {
        let mut words = strings(&args[0]);
        words.sort();
        Ok(Value::List(words.into_iter().map(Value::text).collect()))
    }),
    row("first", 1, 1, |args| Ok(elements(&args[0])?.first().cloned().unwrap_or(Value::Nil))),
    row("last", 1, 1, |args| Ok(elements(&args[0])?.last().cloned().unwrap_or(Value::Nil))),
    row("rest", 1, 1, |args| Ok(Value::List(elements(&args[0])?.into_iter().skip(1).collect()))),
    row("initial", 1, 1, |args| {
        let mut list = elements(&args[0])?;
        list.pop();
        Ok(Value::List(list))
    }),
    row("reverse", 1, 1, |args| Ok(Value::List(elements(&args[0])?.into_iter().rev().collect()))),
    row("append", 2, 2, |args| {
        let mut list = elements(&args[0])?;
        list.push(args[1].clone());
        Ok(Value::List(list))
    }),
    row("has", 2, 2, |args| {
        let needle = format::json(&args[0], false);
        Ok(Value::Bool(elements(&args[1])?.iter().any(|value| format::json(value, false) == needle)))
    }),
    row("without", 1, MANY, without),
    row("mustWithout", 1, MANY, without),
    row("uniq", 1, 1, uniq),
    row("mustUniq", 1, 1, uniq),
    row("until", 1, 1, |args| {
        let count = int(&args[0])?;
        if count.unsigned_abs() > 10_000 {
            return Err("the list is too long".to_owned());
        }
        Ok(Value::List((0..count).map(Value::Int).collect()))
    }),
];

fn without<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let hidden: Vec<String> = args[1..].iter().map(|value| format::json(value, false)).collect();
    let mut list = elements(&args[0])?;
    list.retain(|value| !hidden.contains(&format::json(value, false)));
    Ok(Value::List(list))
}

fn uniq<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut seen = std::collections::HashSet::new();
    let mut list = elements(&args[0])?;
    list.retain(|value| seen.insert(format::json(value, false)));
    Ok(Value::List(list))
}

fn member<'a>(map: &Value<'a>, key: &str) -> Result<Value<'a>, String> {
    map.member(key).ok_or_else(|| format!("wrong type for value; expected map; got {}", map.type_name()))
}

pub(super) fn elements<'a>(value: &Value<'a>) -> Result<Vec<Value<'a>>, String> {
    value.elements().ok_or_else(|| format!("cannot use type {} as a list", value.type_name()))
}

/// sprig's `strslice`: a list without its nils, a scalar alone, nil as nothing.
fn strings(value: &Value<'_>) -> Vec<String> {
    match (value.elements(), value) {
        (Some(list), _) => list.iter().filter(|value| !matches!(value, Value::Nil)).map(format::text).collect(),
        (None, Value::Nil) => Vec::new(),
        (None, scalar) => vec![format::text(scalar)],
    }
}

pub(super) fn pieces<'t>(text: &'t str, separator: &'t str) -> Box<dyn Iterator<Item = String> + 't> {
    if separator.is_empty() {
        Box::new(text.chars().map(String::from))
    } else {
        Box::new(text.split(separator).map(str::to_owned))
    }
}
