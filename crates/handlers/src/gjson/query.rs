//! Queries on the elements of an array: `#(path operator value)`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::Path;
use super::pattern::Pattern;

/// What an element must have.
#[derive(Debug)]
pub(super) struct Query {
    /// Where in the element; `None` for the element itself, which must not be an object or array then.
    pub(super) path: Option<Path>,
    pub(super) test: Test,
}

/// What is asked of the value found.
#[derive(Debug)]
pub(super) enum Test {
    /// That it exists.
    Exists,
    /// How it compares.
    Compare { operator: Operator, text: String, number: f64 },
    /// `%` and `!%`: whether a text fits.
    Fits { pattern: Pattern, is: bool },
    /// `~true` and its like: how its truth compares with true.
    Truth { operator: Operator, truth: Truth },
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What counts as true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Exists,
    Null,
    True,
    False,
}

impl Query {
    pub(super) fn fits(&self, element: &Value) -> bool {
        let is_container = element.is_object() || element.is_array();
        let found = match &self.path {
            Some(path) if is_container => path.find(element),
            None if !is_container => Some(Cow::Borrowed(element)),
            None => None,
            Some(_) => return false,
        };
        let found = found.as_deref();
        match (&self.test, found) {
            (Test::Truth { operator, truth }, _) => compare_bool(truth.of(found), *operator, "true"),
            (_, None) => false,
            (Test::Exists, Some(_)) => true,
            (Test::Compare { operator, text, number }, Some(value)) => match value {
                Value::String(own) => operator.holds(own.as_bytes().cmp(text.as_bytes())),
                Value::Number(own) => {
                    let ordering = own.as_f64().and_then(|own| own.partial_cmp(number));
                    ordering.is_some_and(|ordering| operator.holds(ordering))
                }
                Value::Bool(own) => compare_bool(*own, *operator, text),
                _ => false,
            },
            (Test::Fits { pattern, is }, Some(value)) => value.as_str().is_some_and(|own| pattern.fits(own) == *is),
        }
    }
}

impl Operator {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Operator::Equal => ordering.is_eq(),
            Operator::Unequal => ordering.is_ne(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Booleans compare with the words `true` and `false`; with other words they are only unequal, yet no
/// boolean is above true or below false.
fn compare_bool(own: bool, operator: Operator, word: &str) -> bool {
    match operator {
        Operator::Equal => word == if own { "true" } else { "false" },
        Operator::Unequal => word != if own { "true" } else { "false" },
        Operator::Greater => own && word == "false",
        Operator::GreaterOrEqual => own,
        Operator::Less => !own && word == "true",
        Operator::LessOrEqual => !own,
    }
}

impl Truth {
    fn of(self, value: Option<&Value>) -> bool {
        match self {
            Truth::Exists => value.is_some(),
            Truth::Null => value.is_none_or(Value::is_null),
            Truth::True => value.is_some_and(|value| truth(value) == Some(true)),
            // Nothing at all is false too.
            Truth::False => value.is_none_or(|value| value.is_null() || truth(value) == Some(false)),
        }
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(own) => Some(*own),
        Value::Number(own) => own.as_f64().map(|own| own != 0.0),
        Value::String(text) => match text.to_lowercase().as_str() {
            "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
