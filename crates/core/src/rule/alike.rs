//! What rules of one set have in common when they write the same: of thousands of rules most differ only in
//! what they match and where they lead.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use http::HeaderName;

use crate::credential::{Used, Uses};
use crate::diagnostic::Diagnostic;
use crate::document::{Value, to_json};
use crate::pipeline::{Authenticator, Authorizer, CredentialLocation, Mutator};
use crate::rule::model::HandlerReference;
use crate::rule::upstream::Destination;

/// So many of a kind are remembered, then it begins anew: rules that are alike mostly stand close together, and
/// where all differ, what is remembered must not take more memory than it saves.
const MAX_REMEMBERED: usize = 1000;

/// What was compiled for earlier rules of the set. It goes when the set is complete; what is used stays with
/// the rules.
#[derive(Default)]
pub struct Alike {
    pub(super) authenticators: Handlers<dyn Authenticator>,
    pub(super) authorizers: Handlers<dyn Authorizer>,
    pub(super) mutators: Handlers<dyn Mutator>,
    pub(super) destinations: Interned<Destination>,
    pub(super) credential_locations: Interned<[CredentialLocation]>,
    pub(super) headers: Interned<[HeaderName]>,
    pub(super) texts: Interned<str>,
}

/// One copy of each value, as far back as it is remembered.
pub(super) struct Interned<T: ?Sized> {
    known: RefCell<HashSet<Arc<T>>>,
}

impl<T: ?Sized> Default for Interned<T> {
    fn default() -> Self {
        Self { known: RefCell::default() }
    }
}

impl<T: ?Sized + Hash + Eq> Interned<T> {
    /// The copy that equals `value`.
    pub(super) fn copy_of(&self, value: impl Borrow<T> + Into<Arc<T>>) -> Arc<T> {
        let mut known = self.known.borrow_mut();
        if let Some(copy) = known.get(value.borrow()) {
            return copy.clone();
        }
        let copy: Arc<T> = value.into();
        if known.len() == MAX_REMEMBERED {
            known.clear();
        }
        known.insert(copy.clone());
        copy
    }
}

/// Bound handlers of one kind, by id and by the settings that rules write. The global settings below these are
/// the same for the whole set.
pub(super) struct Handlers<H: ?Sized> {
    known: RefCell<HashMap<(String, String), Known<H>>>,
}

/// The id, the handler, and what it uses.
type Known<H> = (&'static str, Arc<H>, Arc<Used>);

impl<H: ?Sized> Default for Handlers<H> {
    fn default() -> Self {
        Self { known: RefCell::default() }
    }
}

impl<H: ?Sized> Handlers<H> {
    /// The handler with its id, bound when no rule has written the same before. One about which there is
    /// anything to say is bound for each rule, so that each is told, with its own place.
    pub(super) fn get_or_bind(
        &self,
        reference: &HandlerReference,
        warnings: &RefCell<Vec<Diagnostic>>,
        uses: &Uses,
        bind: impl FnOnce() -> Result<(&'static str, Box<H>), Diagnostic>,
    ) -> Result<Known<H>, Diagnostic> {
        let config = reference.config.as_ref().filter(|config| !matches!(config.value, Value::Null));
        let key = (reference.handler.clone(), config.map_or_else(String::new, |config| to_json(config).to_string()));
        if let Some((id, handler, used)) = self.known.borrow().get(&key) {
            return Ok((*id, handler.clone(), used.clone()));
        }
        let said_before = warnings.borrow().len();
        let (id, handler) = bind()?;
        let bound = (id, Arc::from(handler), Arc::new(uses.take()));
        if warnings.borrow().len() == said_before {
            let mut known = self.known.borrow_mut();
            if known.len() == MAX_REMEMBERED {
                known.clear();
            }
            known.insert(key, bound.clone());
        }
        Ok(bound)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::document::Node;

    #[test]
    fn rules_share_a_handler_only_where_they_write_the_same_and_nothing_is_said_about_it() {
        let none = json!(null);
        let (a, b) = (json!({"x": 1, "y": [2]}), json!({"x": 1, "y": [3]}));
        let reversed = json!({"y": [2], "x": 1});
        // (what two rules write, whether binding warns, how often is bound)
        let rows = [
            (("allow", &none), ("allow", &none), false, 1),
            (("header", &a), ("header", &a), false, 1),
            (("header", &a), ("header", &b), false, 2),
            (("header", &a), ("header", &none), false, 2),
            (("header", &a), ("cookie", &a), false, 2),
            // Which of two spellings of one header wins is a matter of order.
            (("header", &a), ("header", &reversed), false, 2),
            (("header", &a), ("header", &a), true, 2),
        ];
        for (first, second, warns, expected) in rows {
            let handlers = Handlers::<str>::default();
            let warnings = RefCell::default();
            let mut bound = 0;
            for (id, config) in [first, second] {
                let reference = HandlerReference { handler: id.into(), config: Some(Node::from_json(config, "rules")) };
                let known = handlers.get_or_bind(&reference, &warnings, &Uses::default(), || {
                    bound += 1;
                    if warns {
                        warnings.borrow_mut().push(Diagnostic::warning("odd"));
                    }
                    Ok(("id", config.to_string().into()))
                });
                assert_eq!(&*known.unwrap().1, config.to_string(), "{id} {config}");
            }
            assert_eq!(bound, expected, "{first:?} {second:?}");
        }
    }

    #[test]
    fn what_cannot_be_bound_is_tried_for_each_rule() {
        let handlers = Handlers::<str>::default();
        let reference = HandlerReference { handler: "header".to_owned(), config: None };
        for message in ["one", "two"] {
            let bound = handlers
                .get_or_bind(&reference, &RefCell::default(), &Uses::default(), || Err(Diagnostic::error(message)));
            assert_eq!(bound.unwrap_err().message, message);
        }
    }

    #[test]
    fn equal_values_are_one_copy_and_a_bounded_number_is_remembered() {
        let texts = Interned::<str>::default();
        let first = texts.copy_of("a".to_owned());
        assert!(Arc::ptr_eq(&first, &texts.copy_of("a".to_owned())));
        assert_eq!(&*texts.copy_of("b".to_owned()), "b");
        for number in 0..2 * MAX_REMEMBERED {
            assert_eq!(&*texts.copy_of(number.to_string()), number.to_string());
            assert!(texts.known.borrow().len() <= MAX_REMEMBERED);
        }
    }
}
