//! `url.Values`: queries taken apart and put together again.

use std::collections::BTreeMap;

use super::cut;
use super::escape::{Place, query_escape, unescape};
use crate::template::value::{Element, Entries, Text, Value};

/// The values of a query by their keys. Pairs with a broken encoding or a semicolon do not count.
pub(in crate::template) fn parse<'a>(raw: &[u8]) -> Entries<'a> {
    let mut lists: BTreeMap<Text<'a>, Vec<Value<'a>>> = BTreeMap::new();
    for pair in raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty() && !pair.contains(&b';')) {
        let (key, value) = cut(pair, b'=');
        if let (Some(key), Some(value)) = (decoded(key), decoded(value.unwrap_or_default())) {
            lists.entry(key.into()).or_default().push(Value::bytes(value));
        }
    }
    lists.into_iter().map(|(key, values)| (key, Value::typed_list(Element::Text, values))).collect()
}

/// A query as text again, sorted by key.
pub(in crate::template) fn encoded<'a>(query: &Value<'a>) -> Value<'a> {
    let mut made = Vec::new();
    for (key, values) in query.members().unwrap_or_default() {
        for value in values.elements().unwrap_or_default() {
            if let Value::Text(value) = value {
                if !made.is_empty() {
                    made.push(b'&');
                }
                made.extend(query_escape(key.as_bytes()));
                made.push(b'=');
                made.extend(query_escape(value.as_bytes()));
            }
        }
    }
    Value::bytes(made)
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    unescape(&spaced, Place::Query)
}
