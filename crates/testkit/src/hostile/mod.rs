//! Requests that are meant to be read differently by two readers, and what becomes of them between a caller and an upstream
//! that takes nothing odd.

mod dice;
pub mod generated;
pub mod guardian;
pub mod http2;
pub mod lines;
pub mod llhttp;
pub mod stage;
pub mod strict;
pub mod tokens;

/// Bytes for a connection of their own.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Says which one it is.
    pub name: String,
    /// What is sent.
    pub bytes: Vec<u8>,
    /// What may come of it.
    pub expected: Expected,
}

/// What may come of an attempt, besides that it does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing reaches the upstream.
    Refused,
    /// It reaches the upstream as one request.
    Forwarded,
    /// Either.
    Either,
}

/// What came of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The statuses of all answers, in order.
    pub statuses: Vec<u16>,
    /// Requests that reached the upstream, each well-formed.
    pub forwarded: usize,
    /// What of it a reader could take for something else, or was not asked for.
    pub desync: Vec<String>,
    /// Whether the caller got to see the injected credential.
    pub leaked: bool,
}

impl Outcome {
    /// Whether nothing reached the upstream.
    pub fn refused(&self) -> bool {
        self.forwarded == 0 && self.desync.is_empty()
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self, expected: Expected) -> Option<String> {
        if self.leaked {
            return Some("the credential came back".to_owned());
        }
        if !self.desync.is_empty() {
            return Some(self.desync.join("; "));
        }
        let fits = match expected {
            Expected::Refused => self.forwarded == 0,
            Expected::Forwarded => self.forwarded == 1,
            Expected::Either => self.forwarded <= 1,
        };
        (!fits).then(|| {
            format!("{} reached the upstream, which is not {expected:?}; answers {:?}", self.forwarded, self.statuses)
        })
    }
}
