//! Copies that share nothing with the original.

use super::super::value::Element;
use super::{Outcome, Value};

/// How many values are copied; what is shared is copied each time it is met.
const MAX_VALUES: usize = 10_000;
/// How deep.
const MAX_DEPTH: usize = 200;

/// A copy of maps and lists, all the way down.
pub(super) fn deep_copy<'a>(value: &Value<'a>) -> Outcome<'a> {
    if value.is_nil() {
        return Err("nil cannot be copied".to_owned());
    }
    copy(value, &mut 0, 0)
}

fn copy<'a>(value: &Value<'a>, seen: &mut usize, depth: usize) -> Outcome<'a> {
    *seen += 1;
    if *seen > MAX_VALUES || depth > MAX_DEPTH {
        return Err("the value is too large to be copied".to_owned());
    }
    Ok(match value {
        Value::List(list) if list.nil => value.clone(),
        Value::Map(map) if map.nil => value.clone(),
        _ => {
            if let Some(elements) = value.elements() {
                let copies = elements.iter().map(|value| copy(value, seen, depth + 1)).collect::<Result<_, _>>()?;
                Value::typed_list(value.element_kind().unwrap_or(Element::Any), copies)
            } else if let (Some(members), Some(kind)) = (value.members(), value.map_kind()) {
                let copies = members
                    .into_iter()
                    .map(|(key, value)| Ok((key, copy(&value, seen, depth + 1)?)))
                    .collect::<Result<_, String>>()?;
                Value::typed_map(kind, copies)
            } else {
                value.clone()
            }
        }
    })
}
