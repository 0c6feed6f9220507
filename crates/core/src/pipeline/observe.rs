//! Watching a decision being made, step by step. Whoever watches sees what the request sees and changes
//! nothing: the decision is the one that is made without.

use crate::pipeline::denial::Denial;
use crate::session::Session;

/// Which part of the pipeline a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Who asks.
    Authenticator,
    /// Whether they may.
    Authorizer,
    /// What is changed.
    Mutator,
}

/// What a step came to.
pub enum Outcome<'a> {
    /// An authenticator left the request to the next one.
    NotResponsible,
    /// The request goes on, with this session.
    Passed(&'a Session),
    /// It ends here.
    Denied(&'a Denial),
}

/// Told of every step that was taken, in order.
pub trait Observer {
    /// A handler has answered.
    fn step(&mut self, kind: StepKind, id: &'static str, outcome: Outcome<'_>);
}

impl<O: Observer> Observer for &mut O {
    fn step(&mut self, kind: StepKind, id: &'static str, outcome: Outcome<'_>) {
        (**self).step(kind, id, outcome);
    }
}

/// Nobody watches.
pub struct Unobserved;

impl Observer for Unobserved {
    fn step(&mut self, _: StepKind, _: &'static str, _: Outcome<'_>) {}
}

impl StepKind {
    /// The word for it in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            StepKind::Authenticator => "authenticator",
            StepKind::Authorizer => "authorizer",
            StepKind::Mutator => "mutator",
        }
    }
}
