//! Merging maps as the `mergo` library does.

use super::defaults::is_empty;
use super::dicts::insert;
use super::{Outcome, Value};
use crate::template::value::Entries;

/// How deep maps may nest.
const MAX_DEPTH: usize = 200;

/// Merges every further map into the first. What the first has wins, unless `overwrite`.
pub(super) fn merge<'a>(args: &[Value<'a>], overwrite: bool) -> Outcome<'a> {
    // A nil map cannot be written: the result is a new one.
    let target = match &args[0] {
        Value::Map(map) if map.nil => Value::map(Entries::new()),
        given => given.clone(),
    };
    for source in &args[1..] {
        merge_into(&target, source, overwrite, 0)?;
    }
    Ok(target)
}

fn merge_into<'a>(target: &Value<'a>, source: &Value<'a>, overwrite: bool, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("nested too deeply".to_owned());
    }
    for (key, new) in source.members().into_iter().flatten() {
        let old = target.member(key.as_bytes());
        if new.is_nil() {
            // A nil value overwrites, and does not even fill a gap otherwise.
            if overwrite {
                insert(target, key, new)?;
            }
            continue;
        }
        if let (Some(old), Some(_)) = (&old, new.map_kind())
            && old.map_kind().is_some()
        {
            merge_into(old, &new, overwrite, depth + 1)?;
            if !is_gap(old) {
                continue;
            }
        }
        if new.elements().is_some() && old.as_ref().is_some_and(|old| !is_gap(old)) && !overwrite {
            continue;
        }
        if overwrite || old.as_ref().is_none_or(is_gap) {
            insert(target, key, new)?;
        }
    }
    Ok(())
}

/// What is filled: whatever is empty, except for a complex zero, which the library does not know.
fn is_gap(value: &Value<'_>) -> bool {
    is_empty(value) && !matches!(value, Value::Complex(_))
}
