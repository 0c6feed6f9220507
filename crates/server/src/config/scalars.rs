//! What a scalar of a YAML file is: a text, a number, a boolean, or nothing.

use keyward_core::document::{Value, whole};
use saphyr_parser::Tag;

use super::numbers::number;
use super::yaml::Dialect;

/// A value as it is written: plain or quoted, and with a tag or without. None for a tag that is not YAML's own,
/// and for a value that is not what its tag says.
pub(super) fn value(text: &str, is_plain: bool, tag: Option<&Tag>, dialect: Dialect) -> Option<Value> {
    let Some(tag) = tag else {
        return Some(if is_plain { plain(text, dialect) } else { Value::String(text.to_owned()) });
    };
    if !tag.is_yaml_core_schema() {
        return None;
    }
    let value = plain(text, dialect);
    match (tag.suffix.as_str(), &value) {
        ("str", _) => Some(Value::String(text.to_owned())),
        ("int", Value::Number(number)) => whole(number).map(|_| value),
        ("float", Value::Number(_)) | ("bool", Value::Bool(_)) | ("null", Value::Null) => Some(value),
        _ => None,
    }
}

/// What a plain word is.
pub(super) fn plain(text: &str, dialect: Dialect) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if dialect == Dialect::Rules {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "on" => return Value::Bool(true),
            "no" | "n" | "off" => return Value::Bool(false),
            _ => {}
        }
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_core::diagnostic::Origin;
    use keyward_core::document::{Node, to_json};
    use serde_json::{Value as Json, json};

    fn json_of(value: Value) -> Json {
        to_json(&Node { value, origin: Origin::whole("f") })
    }

    #[test]
    fn plain_words_mean_what_the_reference_reads() {
        let rows = [
            ("yes", json!("yes"), json!(true)),
            ("n", json!("n"), json!(false)),
            ("off", json!("off"), json!(false)),
            ("true", json!(true), json!(true)),
            ("017", json!(15), json!(15)),
            ("v1", json!("v1"), json!("v1")),
            ("~", json!(null), json!(null)),
        ];
        for (text, core, rules) in rows {
            assert_eq!(json_of(plain(text, Dialect::Core)), core, "{text}");
            assert_eq!(json_of(plain(text, Dialect::Rules)), rules, "{text}");
        }
    }

    #[test]
    fn tags_of_yaml_say_what_a_value_is() {
        let rows = [
            ("str", "5", json!("5")),
            ("str", "", json!("")),
            ("int", "5", json!(5)),
            ("float", "1.5", json!(1.5)),
            ("bool", "true", json!(true)),
            ("null", "~", json!(null)),
        ];
        let tag = |handle: &str, suffix: &str| Tag { handle: handle.to_owned(), suffix: suffix.to_owned() };
        let core = "tag:yaml.org,2002:";
        for (suffix, text, expected) in rows {
            let found = value(text, true, Some(&tag(core, suffix)), Dialect::Core).map(json_of);
            assert_eq!(found, Some(expected), "!!{suffix} {text}");
        }
        for (handle, suffix, text) in
            [("!", "x", "5"), (core, "int", "x"), (core, "int", "1.5"), (core, "bool", "1"), (core, "binary", "aGk=")]
        {
            assert_eq!(value(text, true, Some(&tag(handle, suffix)), Dialect::Core), None, "{suffix} {text}");
        }
    }
}
