//! Which paths of the configuration there are, and what the text of a variable for each is read as. Read off
//! the types, so that a new setting has its variable at once.

use std::collections::BTreeMap;

use keyward_core::document::decode::nearest;
use keyward_core::pipeline::HandlerKind;
use keyward_handlers::TABLES;
use serde_json::Value as Json;

use super::generator;
use super::value::Shape;
use crate::config::file::ConfigFile;

/// A setting that a variable can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its path, with dots.
    pub(super) path: String,
    pub(super) shape: Shape,
}

/// Settings by the name of their variable, in upper case.
pub(super) struct Settings(BTreeMap<String, Setting>);

/// Settings without effect: variables of these names are usually somebody else's.
const IGNORED: [&str; 2] = ["version", "profiling"];

impl Settings {
    pub(super) fn all() -> Self {
        let mut found = BTreeMap::new();
        walk(generator().into_root_schema_for::<ConfigFile>().as_value(), "", &mut found);
        group("authenticators", TABLES.authenticators.all, &mut found);
        group("authorizers", TABLES.authorizers.all, &mut found);
        group("mutators", TABLES.mutators.all, &mut found);
        group("errors.handlers", TABLES.error_handlers.all, &mut found);
        let named = found.into_iter().filter(|(path, _)| !path.is_empty() && !IGNORED.contains(&path.as_str()));
        Self(named.map(|(path, shape)| (name_of(&path), Setting { path, shape })).collect())
    }

    /// The setting that a variable names, with an index when it is an element of a list.
    pub(super) fn named(&self, variable: &str) -> Option<(&Setting, Option<usize>)> {
        let name = variable.to_ascii_uppercase();
        if let Some(setting) = self.0.get(&name) {
            return Some((setting, None));
        }
        let (list, index) = name.rsplit_once('_')?;
        let setting = self.0.get(list).filter(|setting| matches!(setting.shape, Shape::List(_)))?;
        let is_index = (1..4).contains(&index.len()) && index.bytes().all(|byte| byte.is_ascii_digit());
        Some((setting, Some(index.parse().ok().filter(|_| is_index)?)))
    }

    /// The name that a variable misses by a letter or two. Short names are somebody else's too often.
    pub(super) fn missed_by(&self, variable: &str) -> Option<&str> {
        let name = variable.to_ascii_uppercase();
        let beginning = name.get(..SURE_LETTERS).filter(|_| name.len() >= LEAST_LETTERS)?;
        let alike = self.0.range(beginning.to_owned()..).map(|(known, _)| known.as_str());
        nearest(&name, alike.take_while(|known| known.starts_with(beginning)), |_| 2)
    }
}

/// How many letters of a misspelled name are right for sure.
const SURE_LETTERS: usize = 6;
/// How long a name must be to be likely ours.
const LEAST_LETTERS: usize = 12;

fn name_of(path: &str) -> String {
    path.to_ascii_uppercase().replace('.', "_")
}

fn group<K: HandlerKind + ?Sized>(group: &str, all: &[&K], found: &mut BTreeMap<String, Shape>) {
    for kind in all {
        let id = kind.id();
        found.insert(format!("{group}.{id}"), Shape::Map);
        found.insert(format!("{group}.{id}.enabled"), Shape::Bool);
        if let Some(schema) = kind.settings(&mut generator()) {
            walk(schema.as_value(), &format!("{group}.{id}.config"), found);
        }
    }
}

/// Collects a schema's paths.
fn walk(schema: &Json, path: &str, found: &mut BTreeMap<String, Shape>) {
    if let Some(shape) = shape(schema) {
        found.insert(path.to_owned(), shape);
    }
    walk_members(schema, path, found);
}

/// What is in a map, whichever of its forms it has.
fn walk_members(schema: &Json, path: &str, found: &mut BTreeMap<String, Shape>) {
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[*key].as_array());
    for member in alternatives.into_iter().flatten() {
        walk_members(member, path, found);
    }
    for (key, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        walk(member, &path, found);
    }
}

/// What a value is read as; `None` when anything may stand there.
fn shape(schema: &Json) -> Option<Shape> {
    if let Some(alternatives) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[*key].as_array()) {
        let mut shapes: Vec<Shape> =
            alternatives.iter().filter(|member| member["type"] != "null").filter_map(shape).collect();
        shapes.dedup();
        return match shapes.len() {
            0 | 1 => shapes.pop(),
            _ => Some(Shape::Any(shapes)),
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Json::Array(types) => types.iter().filter_map(Json::as_str).filter(|name| *name != "null").collect(),
        one => one.as_str().into_iter().collect(),
    };
    let mut shapes: Vec<Shape> = types.iter().filter_map(|name| simple(name, schema)).collect();
    match shapes.len() {
        0 if schema["enum"].is_array() || schema["const"].is_string() => Some(Shape::Text),
        0 | 1 => shapes.pop(),
        _ => Some(Shape::Any(shapes)),
    }
}

fn simple(name: &str, schema: &Json) -> Option<Shape> {
    Some(match name {
        "boolean" => Shape::Bool,
        "integer" => Shape::Integer,
        "number" => Shape::Number,
        "array" => Shape::List(Box::new(shape(&schema["items"]).unwrap_or(Shape::Text))),
        "object" => Shape::Map,
        "string" => Shape::Text,
        _ => return None,
    })
}
