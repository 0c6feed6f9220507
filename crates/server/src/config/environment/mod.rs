//! Environment variables over files (serving spec 2.3): a variable names a path of the configuration, in
//! upper case, with `_` for `.`.
//!
//! Differences from the reference: a list replaces the file's list as a whole, a value that cannot be read is
//! an error that names the variable, not a silent zero, and variables that are likely somebody else's
//! (`VERSION`, `LOG`, `ISSUER_URL`) do not stop the start.

mod paths;
mod value;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Entry, Node, Value};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;

use self::paths::Settings;
use self::value::{Shape, read};

/// A generator whose schemas stand alone, without references.
pub fn generator() -> SchemaGenerator {
    SchemaGenerator::new(SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true))
}

/// Sets every path that a variable names. Variables that name none are left alone; one that nearly does is
/// warned of. Warnings do not stop anything.
pub fn apply(root: &mut Node, variables: &[(String, String)]) -> Vec<Diagnostic> {
    let settings = Settings::all();
    let mut named: Vec<_> = variables
        .iter()
        .filter_map(|(name, text)| settings.named(name).map(|(setting, index)| (setting, index, name, text)))
        .collect();
    // Objects before their members, lists before their elements, elements in order; what makes an issuer
    // before what it has.
    named.sort_by_key(|(setting, index, ..)| {
        (setting.path.matches('.').count(), is_of_no_issuer(&setting.path, false), *index)
    });
    let mut findings: Vec<Diagnostic> = variables
        .iter()
        .filter(|(name, _)| settings.named(name).is_none())
        .filter_map(|(name, _)| {
            let hint = format!("did you mean `{}`?", settings.missed_by(name)?);
            let origin = Origin::whole(format!("environment variable `{name}`"));
            Some(Diagnostic::warning("it names no setting").at(&origin).hint(hint))
        })
        .collect();
    for (setting, index, name, text) in named {
        let origin = Origin::whole(format!("environment variable `{name}`"));
        if is_of_no_issuer(&setting.path, root.get("issuer").is_some_and(|node| node.value != Value::Null)) {
            let message = format!("there is no issuer, so it is not taken for `{}`", setting.path);
            findings.push(Diagnostic::warning(message).at(&origin));
            continue;
        }
        let shape = match (&setting.shape, index) {
            (Shape::List(item), Some(_)) => item,
            (shape, _) => shape,
        };
        let is_a_whole_block = !setting.path.contains('.') && setting.shape == Shape::Map;
        match read(text, shape, &origin) {
            Ok(value) => {
                let value = Node { value, origin: origin.clone() };
                if let Err(problem) = set(root, &setting.path, index, value) {
                    findings.push(Diagnostic::error(format!("`{}`: {problem}", setting.path)).at(&origin));
                }
            }
            Err(_) if is_a_whole_block => {
                findings.push(
                    Diagnostic::warning(format!("it is not a JSON object, so it is not taken for `{}`", setting.path))
                        .at(&origin),
                );
            }
            Err(expected) => findings.push(
                Diagnostic::error(format!("expected {expected} for `{}`", setting.path))
                    .at(&origin)
                    .hint("unset it or correct it"),
            ),
        }
    }
    findings
}

/// `ISSUER_URL` and `ISSUER_PORT` are common names (a cluster makes the latter for a service `issuer`): they
/// count only where there is an issuer otherwise.
fn is_of_no_issuer(path: &str, issuer_exists: bool) -> bool {
    const MAKE_ONE: [&str; 3] = ["issuer", "issuer.clients", "issuer.insecure_open"];
    path.starts_with("issuer") && !issuer_exists && !MAKE_ONE.contains(&path)
}

/// Sets the value under a dotted path, making maps on the way. Maps merge, everything else replaces.
fn set(node: &mut Node, path: &str, index: Option<usize>, value: Node) -> Result<(), String> {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    if !matches!(node.value, Value::Map(_)) {
        *node = Node { value: Value::Map(Vec::new()), origin: value.origin.clone() };
    }
    let Value::Map(entries) = &mut node.value else { return Ok(()) };
    let position = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        let empty = Node { value: Value::Null, origin: value.origin.clone() };
        entries.push(Entry { key: key.to_owned(), key_origin: value.origin.clone(), value: empty });
        entries.len() - 1
    });
    let member = &mut entries[position].value;
    match (rest, index) {
        (Some(rest), _) => return set(member, rest, index, value),
        (None, Some(index)) => return set_element(member, index, value),
        (None, None) if matches!((&member.value, &value.value), (Value::Map(_), Value::Map(_))) => {
            *member = keyward_core::document::merge(member, &value);
        }
        (None, None) => *member = value,
    }
    Ok(())
}

/// Replaces an element, or adds the next one.
fn set_element(list: &mut Node, index: usize, value: Node) -> Result<(), String> {
    if !matches!(list.value, Value::List(_)) {
        *list = Node { value: Value::List(Vec::new()), origin: value.origin.clone() };
    }
    let Value::List(items) = &mut list.value else { return Ok(()) };
    match items.len() {
        length if index < length => items[index] = value,
        length if index == length => items.push(value),
        length => return Err(format!("there is no element before number {index}: the list has {length}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
