//! Typed settings out of a document, with errors that say where and what instead.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Entry, Node, Value, whole};
use crate::diagnostic::{Diagnostic, Origin};

/// Reads a value of type `T` out of a node. The error carries the most precise place there is; for an
/// unknown key it is the key's own, with the nearest known key as the hint.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(NodeDeserializer(node)).map_err(|error| error.into_diagnostic(&node.origin))
}

/// The known key that resembles an unknown one, or the list of known keys.
pub fn hint_for_key(unknown: &str, known: &[&str]) -> Option<String> {
    // `preserveHost` is `preserve_host`, and `preserve_path`, with another word, is something else.
    let plain = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
    let keys: Vec<String> = known.iter().map(|key| plain(key)).collect();
    let near = nearest(&plain(unknown), keys.iter().map(String::as_str), |key| if key.len() < 8 { 1 } else { 2 });
    match known.iter().find(|key| near.is_some_and(|near| plain(key) == near)) {
        Some(key) => Some(format!("did you mean `{key}`?")),
        None if known.is_empty() => None,
        None => Some(format!(
            "known keys here: {}",
            known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// The name that resembles an unknown one most, with at most so many letters changed, left out or swapped.
pub fn nearest<'n>(
    unknown: &str,
    names: impl Iterator<Item = &'n str>,
    most_changes: impl Fn(&str) -> usize,
) -> Option<&'n str> {
    names
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .filter(|(changes, name)| *changes <= most_changes(name))
        .min()
        .map(|(_, name)| name)
}

#[derive(Debug)]
struct DecodeError {
    message: String,
    hint: Option<String>,
    origin: Option<Origin>,
}

impl DecodeError {
    fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    fn into_diagnostic(self, fallback: &Origin) -> Diagnostic {
        Diagnostic {
            hint: self.hint,
            ..Diagnostic::error(self.message).at(&self.origin.unwrap_or_else(|| fallback.clone()))
        }
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string(), hint: None, origin: None }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("expected {}, found {}", plainly(expected), describe(found)))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("expected {}, found {}", plainly(expected), describe(found)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { message: format!("unknown key `{field}`"), hint: hint_for_key(field, expected), origin: None }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        Self { message: format!("`{variant}` is not one of {}", known.join(", ")), hint: None, origin: None }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is written twice"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is missing"))
    }
}

/// What was expected, without the names of our types.
fn plainly(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        other => other,
    }
    .to_owned()
}

fn describe(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(value) => format!("the boolean `{value}`"),
        de::Unexpected::Unsigned(value) => format!("the number `{value}`"),
        de::Unexpected::Signed(value) => format!("the number `{value}`"),
        de::Unexpected::Float(value) => format!("the number `{value}`"),
        // The text itself may be a secret in the wrong place.
        de::Unexpected::Str(_) => "a string".to_owned(),
        de::Unexpected::Unit => "nothing".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

struct NodeDeserializer<'a>(&'a Node);

impl<'de> de::Deserializer<'de> for NodeDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Node { value, origin } = self.0;
        let result = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::List(list) => visitor.visit_seq(Elements(list.iter())),
            Value::Map(entries) => visitor.visit_map(Members { entries: entries.iter(), current: None }),
        };
        result.map_err(|error| error.at(origin))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == NODE_MARK {
            CAPTURED.set(Some(self.0.clone()));
            return visitor.visit_unit();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            Value::String(text) => {
                let name: de::value::StrDeserializer<'_, DecodeError> = text.as_str().into_deserializer();
                visitor.visit_enum(name).map_err(|error| error.at(&self.0.origin))
            }
            other => Err(<DecodeError as de::Error>::custom(format!("expected a string, found {}", other.kind()))
                .at(&self.0.origin)),
        }
    }

    /// Settings are written as maps only; serde would also take a list of values in field order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            Value::Map(_) => self.deserialize_any(visitor),
            other => Err(<DecodeError as de::Error>::custom(format!("expected a map, found {}", other.kind()))
                .at(&self.0.origin)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &serde_json::Number, visitor: V) -> Result<V::Value, DecodeError> {
    let integer = whole(number);
    if let Some(value) = integer.and_then(|value| u64::try_from(value).ok()) {
        visitor.visit_u64(value)
    } else if let Some(value) = integer.and_then(|value| i64::try_from(value).ok()) {
        visitor.visit_i64(value)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
    }
}

struct Elements<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        self.0.next().map(|node| seed.deserialize(NodeDeserializer(node))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Members<'a> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> de::MapAccess<'de> for Members<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: de::value::StrDeserializer<'_, DecodeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.at(&entry.key_origin))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        match self.current {
            Some(entry) => seed.deserialize(NodeDeserializer(&entry.value)).map_err(|error| {
                let mut error = error.at(&entry.value.origin);
                if !error.message.contains('`') || error.message.starts_with("expected") {
                    error.message = format!("`{}`: {}", entry.key, error.message);
                }
                error
            }),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// How a [`Node`] asks for itself: serde has no way to hand a borrowed tree through, so the
/// deserializer leaves a copy here and the visitor picks it up at once, on the same thread.
const NODE_MARK: &str = "$keyward::Node";

thread_local! {
    static CAPTURED: RefCell<Option<Node>> = const { RefCell::new(None) };
}

impl<'de> de::Deserialize<'de> for Node {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Capture;
        impl Visitor<'_> for Capture {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a located value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                CAPTURED.take().ok_or_else(|| E::custom("located values come from documents only"))
            }
        }
        deserializer.deserialize_newtype_struct(NODE_MARK, Capture)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        port: u16,
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        config: Option<Node>,
    }

    fn error(json: serde_json::Value) -> String {
        decode::<Sample>(&Node::from_json(&json, "t")).unwrap_err().to_string()
    }

    #[test]
    fn values_come_out_typed_and_nodes_stay_located() {
        let node = Node::from_json(&json!({"port": 80, "names": ["a"], "config": {"x": 1}}), "t");
        let sample: Sample = decode(&node).unwrap();
        assert_eq!((sample.port, sample.names.len()), (80, 1));
        assert_eq!(sample.config.unwrap().get("x").unwrap().origin.to_string(), "t");
    }

    #[test]
    fn a_key_is_proposed_for_a_slip_and_not_for_another_word() {
        let known =
            ["preserve_host", "strip_path", "url", "methods", "authenticators", "forward_caller_credential", "level"];
        let rows = [
            ("preserveHost", "preserve_host"),
            ("preserve-host", "preserve_host"),
            ("forwardCallerCredential", "forward_caller_credential"),
            ("methodes", "methods"),
            ("athenticators", "authenticators"),
            ("levle", "level"),
            ("urll", "url"),
            ("preserve_path", ""),
            ("strip_host", ""),
            ("strip_prefix", ""),
            ("uri_path", ""),
        ];
        for (unknown, expected) in rows {
            let hint = hint_for_key(unknown, &known).unwrap();
            let wanted =
                if expected.is_empty() { "known keys here".to_owned() } else { format!("did you mean `{expected}`?") };
            assert!(hint.starts_with(&wanted), "{unknown}: {hint}");
        }
    }

    #[test]
    fn errors_name_place_cause_and_remedy() {
        assert_eq!(error(json!({"prot": 80})), "t: error: unknown key `prot`\n  hint: did you mean `port`?");
        assert_eq!(
            error(json!({"zzzzzz": 80})),
            "t: error: unknown key `zzzzzz`\n  hint: known keys here: `port`, `names`, `config`"
        );
        let port = "t: error: `port`: expected a whole number from 0 to 65535, found";
        assert_eq!(error(json!({"port": "abc"})), format!("{port} a string"));
        assert_eq!(error(json!({"port": 70000})), format!("{port} the number `70000`"));
        assert_eq!(error(json!({"port": 1, "names": "a"})), "t: error: `names`: expected a list, found a string");
        assert_eq!(error(json!({})), "t: error: `port` is missing");
        assert_eq!(error(json!([])), "t: error: expected a map, found a list");
    }
}
