//! Lists. Each function leaves its argument as it is and gives a new list.

use super::super::function::Function;
use super::super::function::Param::{Any, Int};
use super::super::value::Element;
use super::arguments::{elements, holds, int};
use super::cast::to_int;
use super::defaults::is_empty;
use super::equality::deep_equal;
use super::{Outcome, Value};

pub(super) const ALL: &[Function] = &[
    Function::variadic("list", &[], Any, |args| Ok(Value::list(args.to_vec()))),
    Function::variadic("tuple", &[], Any, |args| Ok(Value::list(args.to_vec()))),
    Function::pure("append", &[Any, Any], push),
    Function::pure("push", &[Any, Any], push),
    Function::pure("mustAppend", &[Any, Any], push),
    Function::pure("mustPush", &[Any, Any], push),
    Function::pure("prepend", &[Any, Any], prepend),
    Function::pure("mustPrepend", &[Any, Any], prepend),
    Function::pure("first", &[Any], first),
    Function::pure("mustFirst", &[Any], first),
    Function::pure("last", &[Any], last),
    Function::pure("mustLast", &[Any], last),
    Function::pure("rest", &[Any], rest),
    Function::pure("mustRest", &[Any], rest),
    Function::pure("initial", &[Any], initial),
    Function::pure("mustInitial", &[Any], initial),
    Function::pure("reverse", &[Any], reverse),
    Function::pure("mustReverse", &[Any], reverse),
    Function::pure("uniq", &[Any], uniq),
    Function::pure("mustUniq", &[Any], uniq),
    Function::pure("compact", &[Any], compact),
    Function::pure("mustCompact", &[Any], compact),
    Function::variadic("without", &[Any], Any, without),
    Function::variadic("mustWithout", &[Any], Any, without),
    Function::pure("has", &[Any, Any], has),
    Function::pure("mustHas", &[Any, Any], has),
    Function::variadic("slice", &[Any], Any, slice),
    Function::variadic("mustSlice", &[Any], Any, slice),
    Function::variadic("concat", &[], Any, concat),
    Function::pure("chunk", &[Int, Any], chunk),
    Function::pure("mustChunk", &[Int, Any], chunk),
];

fn push<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0], "push on")?;
    holds(list.len() + 1)?;
    list.push(args[1].clone());
    Ok(Value::list(list))
}

fn prepend<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0], "prepend on")?;
    holds(list.len() + 1)?;
    list.insert(0, args[1].clone());
    Ok(Value::list(list))
}

fn first<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    Ok(elements(&args[0], "find first on")?.into_iter().next().unwrap_or(Value::Nil))
}

fn last<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    Ok(elements(&args[0], "find last on")?.pop().unwrap_or(Value::Nil))
}

/// An empty list gives Go's nil list, here and below.
fn rest<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let list = elements(&args[0], "find rest on")?;
    Ok(if list.is_empty() { Value::nil_list(Element::Any) } else { Value::list(list[1..].to_vec()) })
}

fn initial<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0], "find initial on")?;
    Ok(if list.pop().is_none() { Value::nil_list(Element::Any) } else { Value::list(list) })
}

fn reverse<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0], "find reverse on")?;
    list.reverse();
    Ok(Value::list(list))
}

fn uniq<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut kept = Vec::new();
    for value in elements(&args[0], "find uniq on")? {
        if !is_in(&value, &kept)? {
            kept.push(value);
        }
    }
    Ok(Value::list(kept))
}

fn compact<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut list = elements(&args[0], "compact on")?;
    list.retain(|value| !is_empty(value));
    Ok(Value::list(list))
}

fn without<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut kept = Vec::new();
    for value in elements(&args[0], "find without on")? {
        if !is_in(&value, &args[1..])? {
            kept.push(value);
        }
    }
    Ok(Value::list(kept))
}

fn has<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    if args[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    is_in(&args[0], &elements(&args[1], "find has on")?).map(Value::Bool)
}

fn is_in(needle: &Value<'_>, list: &[Value<'_>]) -> Result<bool, String> {
    for value in list {
        if deep_equal(needle, value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let list = elements(&args[0], "slice")?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |index: usize, otherwise: usize| match args.get(index) {
        Some(value) => usize::try_from(to_int(value)).ok(),
        None => Some(otherwise),
    };
    let part = bound(1, 0).zip(bound(2, list.len())).and_then(|(start, end)| list.get(start..end));
    let part = part.ok_or_else(|| "slice bounds out of range".to_owned())?;
    Ok(Value::typed_list(args[0].element_kind().unwrap_or(Element::Any), part.to_vec()))
}

fn concat<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let mut all = Vec::new();
    for list in args {
        all.extend(elements(list, "concat as list")?);
        holds(all.len())?;
    }
    Ok(if all.is_empty() { Value::nil_list(Element::Any) } else { Value::list(all) })
}

fn chunk<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let list = elements(&args[1], "chunk")?;
    let size = int(&args[0])?;
    if size < 0 && list.len() > 1 && list.len() as u64 - 1 <= size.unsigned_abs() {
        return Ok(Value::typed_list(Element::Lists, Vec::new()));
    }
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| "the size of a chunk must be positive".to_owned())?;
    Ok(Value::typed_list(Element::Lists, list.chunks(size).map(|part| Value::list(part.to_vec())).collect()))
}
