//! `*time.Location`: the zone of a moment.

use std::any::Any;

use super::super::super::function::Method;
use super::super::super::value::Object;
use super::super::Value;
use super::zone::Zone;

pub(super) const TYPE: &str = "*time.Location";

/// A zone as a value.
pub(super) struct Location(pub(super) Zone);

/// The zone that a value is.
pub(super) fn of<'v>(value: &'v Value<'_>) -> Result<&'v Zone, String> {
    let found = match value {
        Value::Object(object) => object.as_any().downcast_ref::<Location>(),
        _ => None,
    };
    let wrong = || format!("wrong type for value; expected {TYPE}; got {}", value.type_name());
    found.map(|location| &location.0).ok_or_else(wrong)
}

impl Object for Location {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn kind_name(&self) -> &'static str {
        "ptr"
    }

    fn is_same(&self, other: &dyn Object) -> bool {
        // There is one of each; zones that were read from a text are each their own.
        let zone = |object: &dyn Object| match object.as_any().downcast_ref::<Location>() {
            Some(Location(zone @ (Zone::Utc | Zone::Local))) => Some(zone.name().to_owned()),
            _ => None,
        };
        zone(self).is_some_and(|name| zone(other) == Some(name))
    }

    fn show(&self) -> String {
        self.0.name().to_owned()
    }

    fn json(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({}))
    }

    fn field<'a>(&self, _: &str) -> Option<Value<'a>> {
        None
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

const METHODS: &[Method] = &[Method::new("String", &[], |args| Ok(Value::text(of(&args[0])?.name())))];
