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
    /// A handler is about to be asked.
    fn begins(&mut self) {}

    /// It has answered.
    fn step(&mut self, kind: StepKind, id: &'static str, outcome: Outcome<'_>);
}

impl<O: Observer> Observer for &mut O {
    fn begins(&mut self) {
        (**self).begins();
    }

    fn step(&mut self, kind: StepKind, id: &'static str, outcome: Outcome<'_>) {
        (**self).step(kind, id, outcome);
    }
}

/// Somebody who watches some decisions only.
impl<O: Observer> Observer for Option<O> {
    fn begins(&mut self) {
        if let Some(observer) = self {
            observer.begins();
        }
    }

    fn step(&mut self, kind: StepKind, id: &'static str, outcome: Outcome<'_>) {
        if let Some(observer) = self {
            observer.step(kind, id, outcome);
        }
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
