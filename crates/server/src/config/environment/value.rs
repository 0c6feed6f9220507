//! Reads the text of a variable as a value of the setting's type (serving spec 2.3).

use keyward_core::diagnostic::Origin;
use keyward_core::document::{Node, Value};

use crate::config::yaml::{self, Dialect};

/// What a variable's text is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The first of these that fits; plain text fits last.
    Any(Vec<Shape>),
    Bool,
    Integer,
    /// JSON, or values with commas in between, quoted as in CSV where they hold one.
    List(Box<Shape>),
    /// JSON.
    Map,
    Number,
    Text,
}

/// The value. The error says what was expected.
pub(super) fn read(text: &str, shape: &Shape, origin: &Origin) -> Result<Value, String> {
    // What was no text was replaced by this character, which no setting needs.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("a text in UTF-8".to_owned());
    }
    match shape {
        Shape::Text => Ok(Value::String(text.to_owned())),
        Shape::Integer => {
            text.trim().parse::<i64>().map(|value| Value::Number(value.into())).map_err(|_| "a whole number".to_owned())
        }
        Shape::Number => {
            let number = text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or_else(|| "a number".to_owned())
        }
        Shape::Bool => match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => Err("a boolean".to_owned()),
        },
        Shape::List(_) if text.trim_start().starts_with('[') => match structured(text, origin) {
            Some(list @ Value::List(_)) => Ok(list),
            _ => Err("a JSON list".to_owned()),
        },
        Shape::List(item) => {
            let items = record(text).ok_or("a list: values with commas in between, or JSON (`[]` when it is empty)")?;
            let read = |text: &String| Ok(Node { value: read(text, item, origin)?, origin: origin.clone() });
            Ok(Value::List(items.iter().map(read).collect::<Result<_, String>>()?))
        }
        Shape::Map => match structured(text, origin) {
            Some(map @ Value::Map(_)) => Ok(map),
            _ => Err("a JSON object".to_owned()),
        },
        Shape::Any(shapes) => {
            // What begins like JSON is meant to be; a text could be anything.
            let mut shapes: Vec<&Shape> = shapes.iter().collect();
            shapes.sort_by_key(|shape| **shape == Shape::Text);
            let attempts = shapes.iter().map(|shape| read(text, shape, origin));
            let mut expected = Vec::new();
            for attempt in attempts {
                match attempt {
                    Ok(value) => return Ok(value),
                    Err(wanted) => expected.push(wanted),
                }
            }
            Err(expected.join(" or "))
        }
    }
}

fn structured(text: &str, origin: &Origin) -> Option<Value> {
    yaml::parse(text, &origin.to_string(), Dialect::Core).ok().map(|node| node.value)
}

/// The fields of one CSV record (RFC 4180); blanks around them do not count.
fn record(text: &str) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut records = reader.records();
    let fields: Vec<String> = records.next()?.ok()?.iter().map(str::to_owned).collect();
    // An empty field names nothing; a second line was not meant to be one.
    (records.next().is_none() && fields.iter().all(|field| !field.is_empty())).then_some(fields)
}
