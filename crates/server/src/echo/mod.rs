//! Credentials that come back: an upstream is not trusted to keep what a request to it carried to itself. What was put
//! into a request is looked for in the answer to that request, and does not reach its caller.

mod body;
mod decoded;
mod head;
mod known;
mod log;
mod search;
#[cfg(test)]
mod tests;
mod values;

pub use self::body::Watch;
pub use self::head::Looked;
pub use self::known::KnownValues;
pub use self::log::EchoLog;
pub use self::values::Values;

/// What becomes of answers that hold a credential of their request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoPolicy {
    /// Fields of heads and of trailers; nothing when they are not looked at.
    pub headers: Option<Action>,
    /// Bodies; nothing when they are not looked into.
    pub bodies: Option<Action>,
    /// A value that begins in the first so many bytes of a body is found.
    pub body_bytes: usize,
}

impl EchoPolicy {
    /// Whether anything is looked for at all.
    pub fn looks(&self) -> bool {
        self.headers.is_some() || self.bodies.is_some()
    }
}

/// What is done about one that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is taken out.
    Remove,
    /// The answer is not passed on.
    Refuse,
}

impl Action {
    /// The spelling in metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Remove => "removed",
            Action::Refuse => "refused",
        }
    }
}

/// One was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echoed {
    /// Where.
    pub place: Place,
    /// What was done about it.
    pub action: Action,
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A field of the head.
    Header,
    /// The body.
    Body,
    /// A field after the body.
    Trailer,
}

impl Place {
    /// The spelling in metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Place::Header => "header",
            Place::Body => "body",
            Place::Trailer => "trailer",
        }
    }
}
