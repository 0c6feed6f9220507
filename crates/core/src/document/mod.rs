//! Documents (configuration, rules) as a tree in which every value knows where it was written.
//!
//! Reading files is the server's work; this is the shape it hands over, and the way typed settings
//! come out of it with errors that name file, line, column and the nearest known key.

use std::fmt;

use crate::diagnostic::Origin;

/// One value and the place it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
}

/// What a document can hold: JSON's data model. Texts are not printed: any of them may be a credential.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in written order, without duplicate keys.
    Map(Vec<Entry>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(value) => f.debug_tuple("Bool").field(value).finish(),
            Value::Number(value) => f.debug_tuple("Number").field(value).finish(),
            Value::String(text) => write!(f, "String([{} bytes])", text.len()),
            Value::List(items) => f.debug_tuple("List").field(items).finish(),
            Value::Map(entries) => f.debug_tuple("Map").field(entries).finish(),
        }
    }
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_origin: Origin,
    /// Its value.
    pub value: Node,
}

pub mod decode;
pub mod duration;
pub mod merge;

pub use decode::decode;
pub use merge::{merge, value_taken_back};

impl Value {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

impl Node {
    /// The value under a dotted path of keys.
    pub fn get(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| match &node.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        })
    }

    /// Where the value under a dotted path of keys stands; where this one does, when there is none.
    pub fn origin_of(&self, path: &str) -> &Origin {
        &self.get(path).unwrap_or(self).origin
    }

    /// The entry under a dotted path of keys: the value with the place of its key.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let (parent, key) = match path.rsplit_once('.') {
            Some((parent, key)) => (self.get(parent)?, key),
            None => (self, path),
        };
        match &parent.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// A tree in which every value claims the same source.
    pub fn from_json(json: &serde_json::Value, source: &str) -> Node {
        let origin = Origin::whole(source);
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(value) => Value::Number(value.clone()),
            serde_json::Value::String(value) => Value::String(value.clone()),
            serde_json::Value::Array(list) => {
                Value::List(list.iter().map(|value| Node::from_json(value, source)).collect())
            }
            serde_json::Value::Object(map) => Value::Map(
                map.iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        key_origin: origin.clone(),
                        value: Node::from_json(value, source),
                    })
                    .collect(),
            ),
        };
        Node { value, origin }
    }
}

/// The whole number that is written, be it as `5` or as `5.0`, `5e0`; nothing for other numbers, and for those
/// whose last digits a floating-point number does not hold.
pub fn whole(number: &serde_json::Number) -> Option<i128> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() <= MOST)?;
    // Exact, since it has no fraction and is small enough.
    Some(value as i128)
}

/// The plain value, without positions.
pub fn to_json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => serde_json::Value::Number(value.clone()),
        Value::String(value) => value.as_str().into(),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(entries) => {
            serde_json::Value::Object(entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.value))).collect())
        }
    }
}
