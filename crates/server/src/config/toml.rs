//! Reads TOML into located documents: a thin adapter over the `toml` crate's spans.

use std::ops::Range;
use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Entry, Node, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parses a document.
pub fn parse(text: &str, source: &str) -> Result<Node, Diagnostic> {
    let places = Places { text, source: source.into() };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        Diagnostic::error(format!("not valid TOML: {}", error.message())).at(&places.origin(start))
    })?;
    Ok(Node { value: places.map(table.get_ref())?, origin: Origin { line: 1, column: 1, ..places.origin(0) } })
}

struct Places<'t> {
    text: &'t str,
    source: Arc<str>,
}

impl Places<'_> {
    /// Where a byte stands.
    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        Origin { source: self.source.clone(), line: number(before.matches('\n').count()), column: number(column) }
    }

    fn map(&self, table: &DeTable<'_>) -> Result<Value, Diagnostic> {
        let mut entries: Vec<(Range<usize>, Entry)> = Vec::new();
        for (key, value) in table.iter() {
            let key_origin = self.origin(key.span().start);
            let entry = Entry { key: key.get_ref().to_string(), key_origin, value: self.node(value)? };
            entries.push((key.span(), entry));
        }
        // The order of the file, not of the alphabet.
        entries.sort_by_key(|(span, _)| span.start);
        Ok(Value::Map(entries.into_iter().map(|(_, entry)| entry).collect()))
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Result<Node, Diagnostic> {
        let origin = self.origin(value.span().start);
        let refuse = |message: &str| Diagnostic::error(message).at(&origin);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                Value::Number(read.map_err(|_| refuse("the number is too large"))?.into())
            }
            DeValue::Float(number) => {
                let read = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                Value::Number(read.ok_or_else(|| refuse("no setting can be infinite or no number"))?)
            }
            DeValue::Datetime(_) => return Err(refuse("no setting is a date").hint("put quotes around it")),
            DeValue::Array(list) => Value::List(list.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?),
            DeValue::Table(table) => self.map(table)?,
        };
        Ok(Node { value, origin })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use keyward_core::document::to_json;
    use serde_json::json;

    #[test]
    fn documents_keep_values_order_and_places() {
        let text = "version = \"v1\"\n[serve.proxy]\nport = 0x10\ntimeout = { read = '5s' }\n\n\
                    [access_rules]\nrepositories = [\n  \"file://a\",\n]\n[[issuer.keys]]\npath = \"k\"\n";
        let node = parse(text, "f.toml").unwrap();
        assert_eq!(
            to_json(&node),
            json!({
                "version": "v1",
                "serve": {"proxy": {"port": 16, "timeout": {"read": "5s"}}},
                "access_rules": {"repositories": ["file://a"]},
                "issuer": {"keys": [{"path": "k"}]},
            })
        );
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!(entries.iter().map(|entry| &*entry.key).collect::<Vec<_>>()[..2], ["version", "serve"]);
        assert_eq!(node.get("serve.proxy.port").unwrap().origin.to_string(), "f.toml:3:8");
        assert_eq!(node.entry("access_rules.repositories").unwrap().key_origin.to_string(), "f.toml:7:1");
        let Value::List(list) = &node.get("access_rules.repositories").unwrap().value else { panic!("{node:?}") };
        assert_eq!(list[0].origin.to_string(), "f.toml:8:3");
        assert_eq!(to_json(&parse("", "f").unwrap()), json!({}));
    }

    #[test]
    fn what_cannot_be_read_names_its_place() {
        let rows = [
            ("a = 1\na = 2\n", "f:2:1: error: not valid TOML: duplicate key"),
            ("a = \n", "f:1:5: error: not valid TOML"),
            ("a = 2026-01-01\n", "f:1:5: error: no setting is a date"),
            ("é = 1\nb = inf\n", "error: "),
            ("b = [1, inf]\n", "f:1:9: error: no setting can be infinite"),
            ("b = 99999999999999999999\n", "f:1:5: error: the number is too large"),
        ];
        for (text, expected) in rows {
            let problem = parse(text, "f").unwrap_err().to_string();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        assert!(parse(&format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000)), "f").is_err());
    }
}
