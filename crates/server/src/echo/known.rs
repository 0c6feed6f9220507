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
