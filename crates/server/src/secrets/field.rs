//! The members of a JSON object whose values are secrets. No copy of a value outlives its use, and what is wrong is
//! said without repeating any of them.

use std::collections::BTreeMap;
use std::fmt;

use keyward_core::secret::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::backend::Failure;

/// The members of an object, by name.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Members(BTreeMap<String, Member>);

/// What a member holds.
enum Member {
    Text(Secret),
    /// Something that has no one text, by what it is called.
    Other(&'static str),
}

/// A text that is a secret.
#[derive(Clone)]
pub(super) struct Text(pub(super) Secret);

impl Members {
    /// Reads an object. The error says nothing of what stands there.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|_| {
            Failure::new("a `field` is wanted, and the secret is no JSON object")
                .remedy("leave out `field` to use the whole text, or store a JSON object")
        })
    }

    /// The value of a member, as text.
    pub(super) fn pick(&self, name: &str) -> Result<Secret, Failure> {
        match self.0.get(name) {
            Some(Member::Text(secret)) => Ok(secret.clone()),
            Some(Member::Other(what)) => {
                Err(Failure::new(format!("`{name}` is {what}, and no text")).remedy("store it as a text, in quotes"))
            }
            None => {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                let remedy = match &*known {
                    [] => "the object is empty: store it there".to_owned(),
                    known => format!("its members are `{}`", known.join("`, `")),
                };
                Err(Failure::new(format!("the secret has no member `{name}`")).remedy(remedy))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Member::deserialize(deserializer)? {
            Member::Text(secret) => Ok(Self(secret)),
            Member::Other(_) => Err(D::Error::custom("no text")),
        }
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(Secret::new(text)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Member, E> {
        Ok(Member::Text(Secret::new(value.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Member, E> {
        Ok(Member::Text(Secret::new(number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Member, E> {
        Ok(Member::Text(Secret::new(number.to_string())))
    }

    // It need not come out as it was written: 1.10 is 1.1.
    fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other("a number that is not whole"))
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Member, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other("an object"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Members;

    #[test]
    fn members_are_texts_and_what_is_none_is_named_without_a_value() {
        let object = r#"{"a": "s3cr3t", "b": "", "whole": 18446744073709551615, "negative": -7, "yes": true,
                         "fraction": 1.10, "huge": 1e99, "none": null, "list": ["s3cr3t"], "object": {"x": "s3cr3t"}}"#;
        let members = Members::parse(object).unwrap();
        let rows = [
            ("a", "s3cr3t"),
            ("b", ""),
            ("whole", "18446744073709551615"),
            ("negative", "-7"),
            ("yes", "true"),
            ("fraction", "`fraction` is a number that is not whole, and no text"),
            ("huge", "`huge` is a number that is not whole, and no text"),
            ("none", "`none` is null, and no text"),
            ("list", "`list` is a list, and no text"),
            ("object", "`object` is an object, and no text"),
            ("other", "the secret has no member `other`"),
        ];
        for (name, expected) in rows {
            let found = members.pick(name).map(|secret| secret.expose().to_owned());
            assert_eq!(found.unwrap_or_else(|failure| failure.cause), expected, "{name}");
        }
        for text in ["", "s3cr3t", "\"s3cr3t\"", "[]", "{\"a\": \"s3cr3t\"", "7"] {
            let failure = Members::parse(text).map(|_| ()).unwrap_err();
            assert_eq!(failure.cause, "a `field` is wanted, and the secret is no JSON object", "{text}");
        }
    }
}
