//! `allow`: always continues (pipeline spec 4.1).

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authorizer, AuthorizerKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::Session;

/// Ready to run.
pub struct Allow;

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "allow"
    }

    fn settings(&self, _: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }
}

impl AuthorizerKind for Kind {
    fn bind(&self, _: &Node, _: &BindContext<'_>) -> Result<Box<dyn Authorizer>, Diagnostic> {
        Ok(Box::new(Allow))
    }
}

impl Authorizer for Allow {
    fn authorize<'a>(&'a self, _: &'a GatedRequest, _: &'a mut Session, _: UnixTime) -> Step<'a, Result<(), Denial>> {
        Step::Ready(Ok(()))
    }
}
