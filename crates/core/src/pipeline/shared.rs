//! What the handlers of one rule set have in common: a cache or a compiled piece of settings that thousands
//! of rules would otherwise each have for themselves.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by type and key. Made with a rule set and gone with it: nothing that was decided under other
/// rules or settings survives them.
#[derive(Default)]
pub struct Shared {
    values: Mutex<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>,
}

impl Shared {
    /// The value of this type under `key`, made when it is not there yet. The key must name every setting
    /// that the value depends on (GHSA-4mq7-pvjg-xp2r: a cache that is shared too widely lets one rule
    /// answer for another).
    pub fn get_or_make<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (TypeId::of::<T>(), key.to_owned());
        if let Some(known) = values.get(&place).and_then(|value| value.clone().downcast::<T>().ok()) {
            return known;
        }
        let value = Arc::new(make());
        values.insert(place, value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_for_each_type_and_key() {
        let shared = Shared::default();
        let first = shared.get_or_make("a", || 1_u32);
        assert!(Arc::ptr_eq(&first, &shared.get_or_make("a", || 2_u32)));
        assert_eq!(*shared.get_or_make("b", || 3_u32), 3);
        assert_eq!(*shared.get_or_make("a", || "text"), "text");
    }
}
