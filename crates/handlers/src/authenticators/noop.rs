//! `noop`: always succeeds and establishes nobody (pipeline spec 2.1). Authorizers and mutators do run.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authentication, Authenticator, AuthenticatorKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::Session;

/// Ready to run.
pub struct Noop;

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "noop"
    }

    fn settings(&self, _: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, _: &Node, _: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        Ok(Box::new(Noop))
    }
}

impl Authenticator for Noop {
    fn authenticate<'a>(&'a self, _: &'a GatedRequest, _: UnixTime) -> Step<'a, Result<Authentication, Denial>> {
        Step::Ready(Ok(Authentication::Established(Session::default())))
    }
}
