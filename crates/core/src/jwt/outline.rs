//! A payload's claims as far as every request looks at them. The whole payload is checked as strictly as
//! `strict_json` does, and counted, but what seldom anybody asks for is not built.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::footprint;
use crate::strict_json::MAX_DEPTH;

/// A claim at first sight.
#[derive(Debug)]
pub(super) enum Claim<'t> {
    Integer(i64),
    Float(f64),
    /// Its strings; `None` where something else stands.
    List(Vec<Option<Cow<'t, str>>>),
    Other,
    Text(Cow<'t, str>),
}

/// The claims that have a meaning here (RFC 7519 section 4.1, and those of scopes).
#[derive(Debug, Default)]
pub(super) struct Outline<'t> {
    pub(super) audience: Option<Claim<'t>>,
    pub(super) expires: Option<Claim<'t>>,
    pub(super) issued: Option<Claim<'t>>,
    pub(super) issuer: Option<Claim<'t>>,
    pub(super) not_before: Option<Claim<'t>>,
    pub(super) scope: Option<Claim<'t>>,
    pub(super) scopes: Option<Claim<'t>>,
    pub(super) scp: Option<Claim<'t>>,
    pub(super) subject: Option<Claim<'t>>,
    /// What all of its members take in memory once they are read, in bytes.
    pub(super) footprint: usize,
}

impl<'t> Outline<'t> {
    /// Reads one object, nothing after it.
    pub(super) fn read(payload: &'t [u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        let outline = deserializer.deserialize_map(Root).ok()?;
        deserializer.end().ok()?;
        Some(outline)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<Claim<'t>>> {
        Some(match name {
            "aud" => &mut self.audience,
            "exp" => &mut self.expires,
            "iat" => &mut self.issued,
            "iss" => &mut self.issuer,
            "nbf" => &mut self.not_before,
            "scope" => &mut self.scope,
            "scopes" => &mut self.scopes,
            "scp" => &mut self.scp,
            "sub" => &mut self.subject,
            _ => return None,
        })
    }
}

struct Root;

/// Nearly all tokens have at most this many claims.
const USUAL: usize = 16;

impl<'t> Visitor<'t> for Root {
    type Value = Outline<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let (mut outline, mut names, mut bytes) = (Outline::default(), Names(Vec::with_capacity(USUAL)), 0);
        while let Some(name) = access.next_key_seed(Name)? {
            let claim = access.next_value_seed(Sight { depth: MAX_DEPTH - 1, bytes: &mut bytes })?;
            if let Some(slot) = outline.slot(&name) {
                *slot = Some(claim);
            }
            names.0.push(name);
        }
        outline.footprint = bytes + names.check()?;
        Ok(outline)
    }
}

/// Looks at a value that may nest this deep, and adds up what it takes in memory.
struct Sight<'b> {
    depth: usize,
    bytes: &'b mut usize,
}

impl Sight<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Sight<'_>, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Sight { depth, bytes: self.bytes }),
            None => Err(E::custom("nested too deeply")),
        }
    }

    fn text<'t>(self, text: Cow<'t, str>) -> Claim<'t> {
        *self.bytes += footprint::allocation(text.len());
        Claim::Text(text)
    }
}

impl<'t> DeserializeSeed<'t> for Sight<'_> {
    type Value = Claim<'t>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Claim<'t>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Sight<'_> {
    type Value = Claim<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Claim<'t>, E> {
        Ok(Claim::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Claim<'t>, E> {
        Ok(Claim::Other)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Claim<'t>, E> {
        Ok(Claim::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "as a JSON number of that size is read anywhere else")]
    fn visit_u64<E>(self, value: u64) -> Result<Claim<'t>, E> {
        Ok(i64::try_from(value).map_or(Claim::Float(value as f64), Claim::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Claim<'t>, E> {
        Ok(Claim::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'t str) -> Result<Claim<'t>, E> {
        Ok(self.text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Claim<'t>, E> {
        Ok(self.text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut access: A) -> Result<Claim<'t>, A::Error> {
        let mut list = Vec::new();
        while let Some(claim) = access.next_element_seed(self.inner()?)? {
            list.push(match claim {
                Claim::Text(text) => Some(text),
                _ => None,
            });
        }
        *self.bytes += footprint::of_list(list.len());
        Ok(Claim::List(list))
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut access: A) -> Result<Claim<'t>, A::Error> {
        let mut names = Names::default();
        while let Some(name) = access.next_key_seed(Name)? {
            access.next_value_seed(self.inner()?)?;
            names.0.push(name);
        }
        *self.bytes += names.check()?;
        Ok(Claim::Other)
    }
}

/// The names of one object's members.
#[derive(Default)]
struct Names<'t>(Vec<Cow<'t, str>>);

impl Names<'_> {
    /// What members of these names take in memory besides their values, if none is there twice.
    fn check<E: de::Error>(mut self) -> Result<usize, E> {
        self.0.sort_unstable();
        if self.0.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(E::custom("a member is written twice"));
        }
        let each = self.0.iter().map(|name| footprint::allocation(name.len()));
        Ok(footprint::of_object(self.0.len()) + each.sum::<usize>())
    }
}

/// Reads a member's name.
struct Name;

impl<'t> DeserializeSeed<'t> for Name {
    type Value = Cow<'t, str>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Cow<'t, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for Name {
    type Value = Cow<'t, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, value: &'t str) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::strict_json;

    #[test]
    fn what_two_readers_could_read_differently_is_refused_wherever_it_stands() {
        let nested = |depth: usize| format!("{{\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let rows = [
            r#"{"a":1,"a":2}"#,
            r#"{"exp":1,"x":[{"b":1,"c":2,"b":1}]}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"sub":"a","s\u0075b":"b"}"#,
            r#"{"sub":"a\ud800"}"#,
            r#"{"exp":1e999}"#,
            r#"{"x":1e999}"#,
            r#"{"x":01}"#,
            r#"{"x":-0,"y":1E2,"z":18446744073709551615}"#,
            "{} {}",
            "[]",
            "null",
            "{",
            "",
            "{\"a\":\"\u{1}\"}",
            r#" {"a" : [ ] , "b":{ } } "#,
        ];
        let deep = [14, 15, 16, 17].into_iter().flat_map(|depth| [nested(depth), objects(depth)]);
        for text in rows.into_iter().map(str::to_owned).chain(deep) {
            let (read, built) =
                (Outline::read(text.as_bytes()).is_some(), strict_json::object(text.as_bytes()).is_some());
            assert_eq!(read, built, "{text}");
        }
        assert!(Outline::read(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn whatever_adds_memory_counts() {
        let rows = [
            (json!({}), json!({"a": 1})),
            (json!({"a": 1}), json!({"a": "a text of some length"})),
            (json!({"a": 1}), json!({"a very long name of a claim": 1})),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!({"a": []}), json!({"a": [1]})),
            (json!({"a": {}}), json!({"a": {"b": 1}})),
            (json!({"a": {"b": [1]}}), json!({"a": {"b": ["a text of some length"]}})),
        ];
        for (less, more) in rows {
            let bytes = |value: &serde_json::Value| Outline::read(value.to_string().as_bytes()).unwrap().footprint;
            assert!(bytes(&less) < bytes(&more), "{less} {more}");
        }
    }

    proptest! {
        /// Whatever is made of pieces of JSON, both readers take it or refuse it.
        #[test]
        fn it_is_as_strict_as_reading_everything(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"\\u0061\"", "\"exp\"", "1", "-1.5e3", "null",
                    "true", " ", "\"a\":1", "\"b\":{}", "\"c\":[", "{\"a\":", "\"\\ud800\"", "tru", "1e400",
                ]),
                0..14,
            ),
            closed in any::<bool>(),
        ) {
            let inner = pieces.concat();
            let text = if closed { format!("{{{inner}}}") } else { inner };
            prop_assert_eq!(
                Outline::read(text.as_bytes()).is_some(),
                strict_json::object(text.as_bytes()).is_some(),
                "{}", text
            );
        }
    }
}
