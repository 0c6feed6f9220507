//! sprig's functions that build lists out of lists.

use super::lists::{elements, pieces};
use super::{Function, MANY, Outcome, Value, dicts, int, row, string};

pub(super) const ALL: &[Function] = &[
    row("all", 0, MANY, |args| Ok(Value::Bool(args.iter().all(Value::is_true)))),
    row("any", 0, MANY, |args| Ok(Value::Bool(args.iter().any(Value::is_true)))),
    row("chunk", 2, 2, chunk),
    row("compact", 1, 1, |args| Ok(Value::List(elements(&args[0])?.into_iter().filter(Value::is_true).collect()))),
    row("concat", 0, MANY, |args| {
        let lists = args.iter().map(elements).collect::<Result<Vec<_>, _>>()?;
        Ok(Value::List(lists.into_iter().flatten().collect()))
    }),
    row("mustAppend", 2, 2, push),
    row("mustChunk", 2, 2, chunk),
    row("mustCompact", 1, 1, |args| Ok(Value::List(elements(&args[0])?.into_iter().filter(Value::is_true).collect()))),
    row("mustFirst", 1, 1, |args| Ok(elements(&args[0])?.first().cloned().unwrap_or(Value::Nil))),
    row("mustHas", 2, 2, |args| Ok(Value::Bool(elements(&args[1])?.iter().any(|value| dicts::same(value, &args[0]))))),
    row("mustInitial", 1, 1, |args| {
        let mut list = elements(&args[0])?;
        list.pop();
        Ok(Value::List(list))
    }),
    row("mustLast", 1, 1, |args| Ok(elements(&args[0])?.last().cloned().unwrap_or(Value::Nil))),
    row("mustPrepend", 2, 2, prepend),
    row("mustPush", 2, 2, push),
    row("mustRest", 1, 1, |args| Ok(Value::List(elements(&args[0])?.into_iter().skip(1).collect()))),
    row("mustReverse", 1, 1, |args| Ok(Value::List(elements(&args[0])?.into_iter().rev().collect()))),
    row("mustSlice", 1, 3, slice),
    row("prepend", 2, 2, prepend),
    row("push", 2, 2, push),
    row("slice", 1, 3, slice),
    row("splitn", 3, 3, |args| {
        let (separator, text) = (string(&args[0])?, string(&args[2])?);
        let most = usize::try_from(int(&args[1])?).unwrap_or(usize::MAX);
        let mut parts: Vec<String> = pieces(text, separator).collect();
        if most > 0 && parts.len() > most {
            let rest = parts.split_off(most - 1).join(separator);
            parts.push(rest);
        }
        Ok(Value::Map(parts.into_iter().enumerate().map(|(at, part)| (format!("_{at}"), Value::text(part))).collect()))
    }),
];

fn push<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0])?;
    list.push(args[1].clone());
    Ok(Value::List(list))
}

fn prepend<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0])?;
    list.insert(0, args[1].clone());
    Ok(Value::List(list))
}

fn chunk<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let size = usize::try_from(int(&args[0])?).ok().filter(|size| *size > 0);
    let Some(size) = size else { return Err("the size of chunks must be positive".to_owned()) };
    Ok(Value::List(elements(&args[1])?.chunks(size).map(|chunk| Value::List(chunk.to_vec())).collect()))
}

/// `slice LIST [FROM [TO]]`
fn slice<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let list = elements(&args[0])?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let at = |index: usize, default: usize| match args.get(index) {
        Some(value) => usize::try_from(int(value)?).map_err(|_| "slice bounds out of range".to_owned()),
        None => Ok(default),
    };
    let (from, to) = (at(1, 0)?, at(2, list.len())?);
    list.get(from..to).map(|part| Value::List(part.to_vec())).ok_or_else(|| "slice bounds out of range".to_owned())
}
