//! `unauthorized`: always 401, and ends the chain (pipeline spec 2.2).

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authentication, Authenticator, AuthenticatorKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;

/// Ready to run.
pub struct Unauthorized;

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "unauthorized"
    }

    fn settings(&self, _: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, _: &Node, _: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        Ok(Box::new(Unauthorized))
    }
}

impl Authenticator for Unauthorized {
    fn authenticate<'a>(&'a self, _: &'a GatedRequest, _: UnixTime) -> Step<'a, Result<Authentication, Denial>> {
        Step::Ready(Err(Denial::unauthorized(Reason::Refused)))
    }
}
