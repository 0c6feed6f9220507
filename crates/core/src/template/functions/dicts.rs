//! Maps. `set`, `unset` and the merging functions write into the map they are given.

use super::super::function::Function;
use super::super::function::Param::{Any, Map, Text};
use super::super::value::{Entries, Text as Key};
use super::arguments::{bytes, holds, shown};
use super::{Outcome, Value, copy, merge};

pub(super) const ALL: &[Function] = &[
    Function::variadic("dict", &[], Any, |args| {
        let pairs =
            args.chunks(2).map(|pair| (shown(&pair[0]).into(), pair.get(1).cloned().unwrap_or(Value::text(""))));
        Ok(Value::map(pairs.collect()))
    }),
    Function::pure("get", &[Map, Text], |args| Ok(args[0].member(bytes(&args[1])?).unwrap_or_else(|| Value::text("")))),
    Function::pure("set", &[Map, Text, Any], |args| {
        insert(&args[0], key(&args[1])?, args[2].clone())?;
        Ok(args[0].clone())
    })
    .that_mutates(),
    Function::pure("unset", &[Map, Text], |args| {
        if let Value::Map(map) = &args[0] {
            map.remove(bytes(&args[1])?);
        }
        Ok(args[0].clone())
    })
    .that_mutates(),
    Function::pure("hasKey", &[Map, Text], |args| Ok(Value::Bool(args[0].member(bytes(&args[1])?).is_some()))),
    Function::variadic("pluck", &[Text], Map, |args| {
        let key = bytes(&args[0])?;
        Ok(Value::list(args[1..].iter().filter_map(|map| map.member(key)).collect()))
    }),
    // Go's order of keys is random; ours is sorted.
    Function::variadic("keys", &[], Map, |args| {
        Ok(Value::strings(args.iter().filter_map(Value::members).flatten().map(|(key, _)| key)))
    }),
    Function::pure("values", &[Map], |args| {
        Ok(Value::list(args[0].members().into_iter().flatten().map(|(_, value)| value).collect()))
    }),
    Function::variadic("pick", &[Map], Text, |args| {
        let mut picked = Entries::new();
        for name in &args[1..] {
            if let Some(value) = args[0].member(bytes(name)?) {
                picked.insert(key(name)?, value);
            }
        }
        Ok(Value::map(picked))
    }),
    Function::variadic("omit", &[Map], Text, |args| {
        let mut kept: Entries<'_> = args[0].members().into_iter().flatten().collect();
        for name in &args[1..] {
            kept.remove(bytes(name)?);
        }
        Ok(Value::map(kept))
    }),
    Function::variadic("merge", &[Map], Map, |args| merge::merge(args, false)).that_mutates(),
    Function::variadic("mustMerge", &[Map], Map, |args| merge::merge(args, false)).that_mutates(),
    Function::variadic("mergeOverwrite", &[Map], Map, |args| merge::merge(args, true)).that_mutates(),
    Function::variadic("mustMergeOverwrite", &[Map], Map, |args| merge::merge(args, true)).that_mutates(),
    Function::variadic("dig", &[], Any, dig),
    Function::pure("deepCopy", &[Any], |args| copy::deep_copy(&args[0])),
    Function::pure("mustDeepCopy", &[Any], |args| copy::deep_copy(&args[0])),
];

/// Writes an entry; only maps of the template can be written.
pub(super) fn insert<'a>(map: &Value<'a>, key: Key<'a>, value: Value<'a>) -> Result<(), String> {
    match map {
        Value::Map(map) => {
            holds(map.entries().len())?;
            map.insert(key, value)
        }
        other => Err(format!("type {} cannot be written", other.type_name())),
    }
}

fn key<'a>(value: &Value<'a>) -> Result<Key<'a>, String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err("expected string".to_owned()),
    }
}

/// Follows keys down; the default stands for whatever is missing.
fn dig<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let [keys @ .., default, map] = args else { return Err("needs at least three arguments".to_owned()) };
    if keys.is_empty() {
        return Err("needs at least three arguments".to_owned());
    }
    if let Some(other) = keys.iter().find(|key| !matches!(key, Value::Text(_))) {
        return Err(format!("a key is of type {}, not string", other.type_name()));
    }
    let mut value = map.clone();
    for key in keys {
        let is_object = value.type_name() == "map[string]interface {}";
        if !is_object {
            return Err(format!("type {} has no keys to follow", value.type_name()));
        }
        match value.member(bytes(key)?) {
            Some(found) => value = found,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}
