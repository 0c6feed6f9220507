//! Trimming, searching, replacing, quoting and repeating.

use super::super::format;
use super::super::function::Function;
use super::super::function::Param::{Any, Int, Text};
use super::super::runes;
use super::Value;
use super::arguments::{bytes, fits, int, shown, text, utf8};

pub(super) const ALL: &[Function] = &[
    Function::pure("trim", &[Text], |args| text(trim(bytes(&args[0])?, char::is_whitespace))),
    Function::pure("trimAll", &[Text, Text], trim_all),
    Function::pure("trimall", &[Text, Text], trim_all),
    Function::pure("trimPrefix", &[Text, Text], |args| {
        let (prefix, from) = (bytes(&args[0])?, bytes(&args[1])?);
        text(from.strip_prefix(prefix).unwrap_or(from))
    }),
    Function::pure("trimSuffix", &[Text, Text], |args| {
        let (suffix, from) = (bytes(&args[0])?, bytes(&args[1])?);
        text(from.strip_suffix(suffix).unwrap_or(from))
    }),
    Function::pure("nospace", &[Text], |args| text(without_space(bytes(&args[0])?))),
    Function::pure("contains", &[Text, Text], |args| {
        Ok(Value::Bool(memchr::memmem::find(bytes(&args[1])?, bytes(&args[0])?).is_some()))
    }),
    Function::pure("hasPrefix", &[Text, Text], |args| Ok(Value::Bool(bytes(&args[1])?.starts_with(bytes(&args[0])?)))),
    Function::pure("hasSuffix", &[Text, Text], |args| Ok(Value::Bool(bytes(&args[1])?.ends_with(bytes(&args[0])?)))),
    Function::pure("replace", &[Text, Text, Text], |args| {
        text(replace(bytes(&args[2])?, bytes(&args[0])?, bytes(&args[1])?)?)
    }),
    Function::pure("repeat", &[Int, Text], |args| text(repeat(bytes(&args[1])?, int(&args[0])?)?)),
    Function::pure("plural", &[Text, Text, Int], |args| Ok(args[if int(&args[2])? == 1 { 0 } else { 1 }].clone())),
    Function::pure("indent", &[Int, Text], |args| text(indent(int(&args[0])?, bytes(&args[1])?)?)),
    Function::pure("nindent", &[Int, Text], |args| {
        let mut made = vec![b'\n'];
        made.extend(indent(int(&args[0])?, bytes(&args[1])?)?);
        text(made)
    }),
    Function::variadic("quote", &[], Any, |args| each(args, |value| format::quote(&shown(value)).into())),
    Function::variadic("squote", &[], Any, |args| {
        each(args, |value| [b"'", format::text(value).as_slice(), b"'"].concat())
    }),
    Function::variadic("cat", &[], Any, |args| each(args, format::text)),
    Function::pure("toString", &[Any], |args| match &args[0] {
        Value::Text(_) => Ok(args[0].clone()),
        other => text(shown(other)),
    }),
];

/// Takes away what fits, from both ends.
fn trim(mut from: &[u8], fits: impl Fn(char) -> bool) -> &[u8] {
    while let Some((c, length)) = runes::first(from)
        && fits(c)
    {
        from = &from[length..];
    }
    while let Some((c, length)) = runes::last(from)
        && fits(c)
    {
        from = &from[..from.len() - length];
    }
    from
}

fn trim_all<'a>(args: &[Value<'a>]) -> super::Outcome<'a> {
    let set = utf8(&args[0])?;
    text(trim(bytes(&args[1])?, |c| set.contains(c)))
}

/// The reference looks at bytes as if they were characters, and so garbles what is not ASCII once there is
/// a space to remove.
fn without_space(from: &[u8]) -> Vec<u8> {
    let kept: String = from.iter().map(|byte| char::from(*byte)).filter(|c| !c.is_whitespace()).collect();
    if kept.chars().count() == from.len() { from.to_vec() } else { kept.into_bytes() }
}

/// Replaces every occurrence; the empty text occurs around every character.
pub(super) fn replace(from: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, String> {
    let mut made = Vec::with_capacity(from.len());
    let mut rest = from;
    if old.is_empty() {
        while let Some((_, length)) = runes::first(rest) {
            made.extend_from_slice(new);
            made.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            fits(made.len())?;
        }
        made.extend_from_slice(new);
        return Ok(made);
    }
    while let Some(at) = memchr::memmem::find(rest, old) {
        made.extend_from_slice(&rest[..at]);
        made.extend_from_slice(new);
        rest = &rest[at + old.len()..];
        fits(made.len())?;
    }
    made.extend_from_slice(rest);
    Ok(made)
}

fn repeat(what: &[u8], count: i64) -> Result<Vec<u8>, String> {
    let count = usize::try_from(count).map_err(|_| "negative repeat count".to_owned())?;
    fits(what.len().saturating_mul(count))?;
    Ok(what.repeat(count))
}

fn indent(spaces: i64, what: &[u8]) -> Result<Vec<u8>, String> {
    let pad = repeat(b" ", spaces)?;
    let mut made = pad.clone();
    made.extend(replace(what, b"\n", &[b"\n", pad.as_slice()].concat())?);
    Ok(made)
}

/// Every value that is not nil, with spaces between.
fn each<'a>(args: &[Value<'a>], show: impl Fn(&Value<'_>) -> Vec<u8>) -> super::Outcome<'a> {
    let mut made = Vec::new();
    for (index, value) in args.iter().filter(|value| !value.is_nil()).enumerate() {
        if index > 0 {
            made.push(b' ');
        }
        made.extend(show(value));
        fits(made.len())?;
    }
    text(made)
}
