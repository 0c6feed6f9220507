//! Maps. As in Go a map is shared, not copied: what `set` does to it shows wherever it is held.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Text, Value, dismantle};

/// How much of a value is looked at to keep a map from holding itself.
const MAX_SEARCH: usize = 10_000;

/// Which Go type a map has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum MapKind {
    /// `map[string]interface {}`
    Any,
    /// `map[string]string`, as `split` makes it.
    Text,
    /// `url.Values`; every value is a list of strings.
    Query,
    /// `http.Header`; every value is a list of strings.
    Header,
}

/// The entries of a map, in the order in which Go iterates and prints them.
pub(in crate::template) type Entries<'a> = BTreeMap<Text<'a>, Value<'a>>;

/// A map.
pub(in crate::template) struct Map<'a> {
    pub(in crate::template) kind: MapKind,
    /// Go's nil map: reads as an empty one, cannot be written.
    pub(in crate::template) nil: bool,
    entries: RefCell<Entries<'a>>,
}

impl MapKind {
    pub(in crate::template) fn type_name(self) -> &'static str {
        match self {
            MapKind::Any => "map[string]interface {}",
            MapKind::Text => "map[string]string",
            MapKind::Query => "url.Values",
            MapKind::Header => "http.Header",
        }
    }

    /// What a missing key reads as.
    pub(in crate::template) fn missing<'a>(self) -> Value<'a> {
        match self {
            MapKind::Any => Value::Nil,
            MapKind::Text => Value::Text(Text::borrowed("")),
            MapKind::Query | MapKind::Header => Value::nil_list(super::Element::Text),
        }
    }
}

impl<'a> Map<'a> {
    /// What it holds now. Do not call functions of other values while holding on to this.
    pub(in crate::template) fn entries(&self) -> Ref<'_, Entries<'a>> {
        self.entries.borrow()
    }

    /// The value of a key.
    pub(in crate::template) fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        self.entries.borrow().get(key).cloned()
    }

    /// Writes an entry. Refused for a nil map and for a value that holds this very map: nothing could
    /// print that, or free it.
    pub(in crate::template) fn insert(&self, key: Text<'a>, value: Value<'a>) -> Result<(), String> {
        if self.nil {
            return Err("assignment to entry in nil map".to_owned());
        }
        if self.is_within(&value)? {
            return Err("a map cannot hold itself".to_owned());
        }
        let before = self.entries.borrow_mut().insert(key, value);
        drop(before);
        Ok(())
    }

    /// Removes an entry.
    pub(in crate::template) fn remove(&self, key: &[u8]) {
        let before = self.entries.borrow_mut().remove(key);
        drop(before);
    }

    /// Takes every value out.
    pub(super) fn take(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.entries.take().into_values()
    }

    fn is_within(&self, value: &Value<'a>) -> Result<bool, String> {
        if !value.is_container() {
            return Ok(false);
        }
        let mut pending = vec![value.clone()];
        let mut seen = 0;
        while let Some(value) = pending.pop() {
            seen += 1;
            if seen + pending.len() > MAX_SEARCH {
                return Err("the value is too large to be put into a map".to_owned());
            }
            match &value {
                Value::Map(map) if std::ptr::eq(&raw const **map, self) => return Ok(true),
                Value::Map(map) => pending.extend(map.entries().values().filter(|value| value.is_container()).cloned()),
                Value::List(list) => pending.extend(list.items.iter().filter(|value| value.is_container()).cloned()),
                _ => {}
            }
        }
        Ok(false)
    }
}

impl<'a> Value<'a> {
    /// `map[string]interface {}`
    pub(in crate::template) fn map(entries: Entries<'a>) -> Self {
        Value::typed_map(MapKind::Any, entries)
    }

    /// A map of a type.
    pub(in crate::template) fn typed_map(kind: MapKind, entries: Entries<'a>) -> Self {
        Value::Map(Rc::new(Map { kind, nil: false, entries: RefCell::new(entries) }))
    }

    /// A nil map.
    pub(in crate::template) fn nil_map() -> Self {
        Value::Map(Rc::new(Map { kind: MapKind::Any, nil: true, entries: RefCell::default() }))
    }
}

/// As for lists.
impl Drop for Map<'_> {
    fn drop(&mut self) {
        let entries = std::mem::take(self.entries.get_mut());
        if entries.values().any(Value::is_container) {
            dismantle(entries.into_values().collect());
        }
    }
}
