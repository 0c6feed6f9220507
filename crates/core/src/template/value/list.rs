//! Slices: a list with the type of its elements.

use std::rc::Rc;

use super::{Integer, UINT8, Value, dismantle};

/// What a list holds, in Go's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Element {
    /// `interface {}`
    Any,
    /// `string`
    Text,
    /// `int`
    Int,
    /// `uint8`, as methods that write a text as bytes give them.
    Byte,
    /// `[]interface {}`, as `chunk` makes them.
    Lists,
}

/// A slice. Never changed once made.
pub(in crate::template) struct List<'a> {
    pub(in crate::template) element: Element,
    pub(in crate::template) items: Vec<Value<'a>>,
    /// Go's nil slice: prints as `[]`, is `null` in JSON.
    pub(in crate::template) nil: bool,
}

impl Element {
    /// The type of a list of these.
    pub(in crate::template) fn list_type(self) -> &'static str {
        match self {
            Element::Any => "[]interface {}",
            Element::Text => "[]string",
            Element::Int => "[]int",
            Element::Byte => "[]uint8",
            Element::Lists => "[][]interface {}",
        }
    }
}

impl<'a> Value<'a> {
    /// `[]interface {}`
    pub(in crate::template) fn list(items: Vec<Value<'a>>) -> Self {
        Value::typed_list(Element::Any, items)
    }

    /// `[]string`
    pub(in crate::template) fn strings<T: Into<super::Text<'a>>>(items: impl IntoIterator<Item = T>) -> Self {
        Value::typed_list(Element::Text, items.into_iter().map(|text| Value::Text(text.into())).collect())
    }

    /// `[]uint8`
    pub(in crate::template) fn octets(bytes: &[u8]) -> Self {
        let octet = |byte: &u8| Value::Integer(Integer { of: &UINT8, bits: i64::from(*byte) });
        Value::typed_list(Element::Byte, bytes.iter().map(octet).collect())
    }

    /// The bytes of a `[]uint8`.
    pub(in crate::template) fn as_octets(&self) -> Option<Vec<u8>> {
        match self {
            Value::List(list) if list.element == Element::Byte => {
                let octets = list.items.iter().filter_map(Value::integer);
                Some(octets.filter_map(|octet| u8::try_from(octet).ok()).collect())
            }
            _ => None,
        }
    }

    /// A list whose elements are all of one type.
    pub(in crate::template) fn typed_list(element: Element, items: Vec<Value<'a>>) -> Self {
        Value::List(Rc::new(List { element, items, nil: false }))
    }

    /// A nil slice.
    pub(in crate::template) fn nil_list(element: Element) -> Self {
        Value::List(Rc::new(List { element, items: Vec::new(), nil: true }))
    }
}

/// Lists may nest as deep as a loop runs; dropping one must not recurse as deep.
impl Drop for List<'_> {
    fn drop(&mut self) {
        if self.items.iter().any(Value::is_container) {
            dismantle(std::mem::take(&mut self.items));
        }
    }
}
