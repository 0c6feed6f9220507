//! The issuer in force: clients, their secrets and keys can be replaced while it serves.

use std::cell::RefCell;
use std::rc::Rc;

use super::routes::Issuer;
use crate::http_server::Handler;

/// Holds the issuer in force.
pub struct LiveIssuer(RefCell<Rc<Issuer>>);

impl LiveIssuer {
    /// The first one.
    pub fn new(issuer: Issuer) -> Rc<Self> {
        Rc::new(Self(RefCell::new(Rc::new(issuer))))
    }

    /// Requests from now on see this one.
    pub fn replace(&self, issuer: Issuer) {
        *self.0.borrow_mut() = Rc::new(issuer);
    }

    /// Its endpoints. A request is served by the issuer that was in force when it came.
    pub fn handler(self: Rc<Self>) -> Handler {
        Rc::new(move |request, arrived| {
            let issuer = self.0.borrow().clone();
            issuer.handler()(request, arrived)
        })
    }
}
