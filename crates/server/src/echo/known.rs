//! What to look for, kept by rule: for most rules it is the same with every request, and making it costs more than
//! looking. Belongs to one core and to what is in force, and goes with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use keyward_core::pipeline::grant::Injected;

use super::values::Values;

/// Rules of which it is kept; beyond that it starts anew.
const MAX_RULES: usize = 1024;
/// Longer values are not kept, in bytes.
const MAX_KEPT: usize = 8 * 1024;

/// The values last used, by the number of the rule.
#[derive(Default)]
pub struct KnownValues {
    latest: RefCell<Option<(u32, Rc<Values>)>>,
    by_rule: RefCell<HashMap<u32, Rc<Values>, foldhash::fast::RandomState>>,
}

impl KnownValues {
    /// The values of a request under a rule; nothing when there is nothing to look for.
    pub fn of(&self, rule: u32, injected: &Injected) -> Option<Rc<Values>> {
        if injected.is_empty() {
            return None;
        }
        if let Some((number, values)) = &*self.latest.borrow()
            && *number == rule
            && values.are_of(injected)
        {
            return Some(values.clone());
        }
        let known = self.by_rule.borrow().get(&rule).filter(|values| values.are_of(injected)).cloned();
        let values = match known {
            Some(values) => values,
            None => Rc::new(Values::of(injected)?),
        };
        if values.longest <= MAX_KEPT {
            let mut by_rule = self.by_rule.borrow_mut();
            if by_rule.len() >= MAX_RULES && !by_rule.contains_key(&rule) {
                by_rule.clear();
            }
            by_rule.insert(rule, values.clone());
            self.latest.replace(Some((rule, values.clone())));
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderValue;

    use super::*;

    fn injected(values: &[&str]) -> Injected {
        let mut injected = Injected::default();
        injected.extend(values.iter().map(|value| HeaderValue::from_str(value).unwrap()));
        injected
    }

    #[test]
    fn a_rule_has_the_same_values_made_once() {
        let known = KnownValues::default();
        let (one, other) = (injected(&["0123456789"]), injected(&["9876543210"]));
        let first = known.of(1, &one).unwrap();
        assert!(Rc::ptr_eq(&first, &known.of(1, &one).unwrap()), "the latest");
        known.of(2, &other).unwrap();
        assert!(Rc::ptr_eq(&first, &known.of(1, &one).unwrap()), "not the latest");
        assert!(known.of(1, &injected(&[])).is_none());
    }

    #[test]
    fn a_credential_that_took_the_place_of_another_is_looked_for() {
        let rows: [&[&str]; 4] =
            [&["0123456789"], &["9876543210"], &["9876543210", "0123456789"], &["0123456789", "9876543210"]];
        for between in [false, true] {
            let known = KnownValues::default();
            for values in rows {
                let values = injected(values);
                let looked_for = known.of(1, &values).unwrap();
                for value in values.values() {
                    assert!(looked_for.are_in(value.as_bytes()), "{value:?}");
                }
                if between {
                    known.of(2, &injected(&["0000000000"]));
                }
            }
        }
        let known = KnownValues::default();
        let both = injected(&["0123456789", "9876543210"]);
        let mut one = Injected::default();
        one.extend(both.values().take(1).cloned());
        known.of(1, &one);
        assert!(known.of(1, &both).unwrap().are_in(b"9876543210"), "one more");
        assert!(!known.of(1, &one).unwrap().are_in(b"9876543210"), "one less");
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let known = KnownValues::default();
        // As long as a token may be: nearly every credential is kept.
        let kept = injected(&[&"x".repeat(8192)]);
        assert!(Rc::ptr_eq(&known.of(0, &kept).unwrap(), &known.of(0, &kept).unwrap()));
        let too_long = injected(&[&"x".repeat(8193)]);
        assert!(!Rc::ptr_eq(&known.of(0, &too_long).unwrap(), &known.of(0, &too_long).unwrap()));
        let short = injected(&["0123456789"]);
        for rule in 1..MAX_RULES {
            known.of(u32::try_from(rule).unwrap(), &short);
        }
        known.of(0, &kept);
        assert_eq!(known.by_rule.borrow().len(), MAX_RULES, "one that is there takes no place");
        known.of(u32::try_from(MAX_RULES).unwrap(), &short);
        assert_eq!(known.by_rule.borrow().len(), 1, "one more");
    }
}
