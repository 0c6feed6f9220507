//! JSON objects without duplicate members and without deep nesting: what two readers could read
//! differently is refused (RFC 8725 section 2.4, RFC 7515 section 4).

use std::fmt;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep arrays and objects may nest in tokens and key sets.
pub(crate) const MAX_DEPTH: usize = 16;
/// The same for other texts.
const MAX_DEPTH_OF_ANY: usize = 100;

/// Parses one object of a token or a key set, nothing after it.
pub(crate) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match parse(bytes, MAX_DEPTH).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// Parses one value, nothing after it.
pub fn value(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    parse(bytes, MAX_DEPTH_OF_ANY)
}

fn parse(bytes: &[u8], depth: usize) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth }.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// Reads a value that may nest this deep.
struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: de::Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self.inner()?)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self.inner()?)?;
            if map.insert(key, value).is_some() {
                return Err(de::Error::custom("a member is written twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert!(object(br#"{"a":{"b":[1,2.5,"x",null,true]}}"#).is_some());
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20), "]".repeat(20));
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#, "[]", "{} {}", "{", "null", &deep] {
            assert_eq!(object(text.as_bytes()), None, "{text}");
        }
    }
}
