//! sprig's functions on dictionaries.

use super::super::format;
use super::{Function, MANY, Outcome, Value, row, string};

pub(super) const ALL: &[Function] = &[
    row("deepCopy", 1, 1, |args| Ok(args[0].clone())),
    row("deepEqual", 2, 2, |args| Ok(Value::Bool(same(&args[0], &args[1])))),
    row("dig", 3, MANY, dig),
    row("merge", 1, MANY, |args| merged(args, false)),
    row("mergeOverwrite", 1, MANY, |args| merged(args, true)),
    row("mustDeepCopy", 1, 1, |args| Ok(args[0].clone())),
    row("mustMerge", 1, MANY, |args| merged(args, false)),
    row("mustMergeOverwrite", 1, MANY, |args| merged(args, true)),
    row("omit", 1, MANY, |args| select(args, false)),
    row("pick", 1, MANY, |args| select(args, true)),
    row("pluck", 1, MANY, |args| {
        let key = string(&args[0])?;
        let mut found = Vec::new();
        for map in &args[1..] {
            found.extend(members(map)?.into_iter().filter(|(known, _)| known == key).map(|(_, value)| value));
        }
        Ok(Value::List(found))
    }),
    row("values", 1, 1, |args| Ok(Value::List(members(&args[0])?.into_iter().map(|(_, value)| value).collect()))),
];

fn members<'a>(value: &Value<'a>) -> Result<Vec<(String, Value<'a>)>, String> {
    value.members().ok_or_else(|| format!("wrong type for value; expected map; got {}", value.type_name()))
}

/// Whether two values are of one type and hold the same.
pub(super) fn same(one: &Value<'_>, other: &Value<'_>) -> bool {
    one.type_name() == other.type_name() && format::json(one, false) == format::json(other, false)
}

/// `dig KEY... DEFAULT DICT`
fn dig<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let (keys, rest) = args.split_at(args.len() - 2);
    let mut value = rest[1].clone();
    for key in keys {
        let key = string(key)?;
        let found = members(&value)?.into_iter().find(|(known, _)| known == key);
        match found {
            Some((_, found)) => value = found,
            None => return Ok(rest[0].clone()),
        }
    }
    Ok(value)
}

fn merged<'a>(args: &[Value<'a>], overwrites: bool) -> Outcome<'a> {
    let mut target = members(&args[0])?;
    for source in &args[1..] {
        for (key, value) in members(source)? {
            match target.iter_mut().find(|(known, _)| *known == key) {
                None => target.push((key, value)),
                Some((_, held)) if matches!((held.members(), value.members()), (Some(_), Some(_))) => {
                    *held = merged(&[held.clone(), value], overwrites)?;
                }
                Some((_, held)) if overwrites && value.is_true() || !held.is_true() => *held = value,
                Some(_) => {}
            }
        }
    }
    Ok(Value::Map(target))
}

fn select<'a>(args: &[Value<'a>], keeps: bool) -> Outcome<'a> {
    let names = args[1..].iter().map(string).collect::<Result<Vec<_>, _>>()?;
    let mut map = members(&args[0])?;
    map.retain(|(key, _)| names.contains(&key.as_str()) == keeps);
    Ok(Value::Map(map))
}
