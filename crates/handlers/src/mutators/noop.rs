//! `noop`: changes nothing upstream; the decision API answers with the request's own headers
//! (pipeline spec 5.1).

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{BindContext, HandlerKind, Mutator, MutatorKind};
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

impl MutatorKind for Kind {
    fn bind(&self, _: &Node, _: &BindContext<'_>) -> Result<Box<dyn Mutator>, Diagnostic> {
        Ok(Box::new(Noop))
    }
}

impl Mutator for Noop {
    fn mutate<'a>(
        &'a self,
        _: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        session.echoes_request = true;
        Step::Ready(Ok(()))
    }
}
