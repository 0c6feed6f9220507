//! Splitting and joining.

use super::super::function::Function;
use super::super::function::Param::{Any, Int, Text};
use super::super::runes;
use super::super::value::{Element, MapKind};
use super::Value;
use super::arguments::{bytes, fits, holds, int, shown, strings, text};

pub(super) const ALL: &[Function] = &[
    Function::pure("split", &[Text, Text], |args| numbered(pieces(bytes(&args[1])?, bytes(&args[0])?, None)?)),
    Function::pure("splitn", &[Text, Int, Text], |args| {
        // Go: no pieces for 0, all of them for less.
        let pieces = match usize::try_from(int(&args[1])?) {
            Ok(0) => Vec::new(),
            limit => pieces(bytes(&args[2])?, bytes(&args[0])?, limit.ok())?,
        };
        numbered(pieces)
    }),
    Function::pure("splitList", &[Text, Text], |args| {
        let pieces = pieces(bytes(&args[1])?, bytes(&args[0])?, None)?;
        Ok(Value::strings(pieces.into_iter().map(<[u8]>::to_vec)))
    }),
    Function::pure("join", &[Text, Any], |args| text(joined(bytes(&args[0])?, &args[1])?)),
    Function::pure("toStrings", &[Any], |args| {
        Ok(match args[0].element_kind() {
            Some(Element::Text) => args[0].clone(),
            _ => Value::strings(strings(&args[0])),
        })
    }),
    Function::pure("sortAlpha", &[Any], |args| {
        if args[0].elements().is_none() {
            return Ok(Value::strings([shown(&args[0])]));
        }
        let mut words = strings(&args[0]);
        words.sort();
        Ok(Value::strings(words))
    }),
];

/// The pieces between separators, at most `limit`; without a separator the characters.
fn pieces<'t>(from: &'t [u8], separator: &[u8], limit: Option<usize>) -> Result<Vec<&'t [u8]>, String> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut rest = from;
    let mut found = Vec::new();
    while found.len() + 1 < limit {
        holds(found.len())?;
        let next = match separator {
            [] => runes::first(rest).map(|(_, length)| (length, length)).filter(|(length, _)| *length < rest.len()),
            separator => memchr::memmem::find(rest, separator).map(|at| (at, at + separator.len())),
        };
        let Some((end, after)) = next else { break };
        found.push(&rest[..end]);
        rest = &rest[after..];
    }
    if !separator.is_empty() || !rest.is_empty() {
        found.push(rest);
    }
    Ok(found)
}

/// A map from `_0`, `_1` and so on.
fn numbered<'a>(pieces: Vec<&[u8]>) -> super::Outcome<'a> {
    let entries = pieces.into_iter().enumerate();
    let entries = entries.map(|(index, piece)| (format!("_{index}").into(), Value::bytes(piece)));
    Ok(Value::typed_map(MapKind::Text, entries.collect()))
}

/// The elements of a list without its nils, or a single value alone.
fn joined(separator: &[u8], value: &Value<'_>) -> Result<Vec<u8>, String> {
    let mut made = Vec::new();
    let elements = value.elements().unwrap_or_else(|| vec![value.clone()]);
    for (index, element) in elements.iter().filter(|element| !element.is_nil()).enumerate() {
        if index > 0 {
            made.extend_from_slice(separator);
        }
        match element {
            Value::Text(text) => made.extend_from_slice(text.as_bytes()),
            other => made.extend(shown(other)),
        }
        fits(made.len())?;
    }
    Ok(made)
}
