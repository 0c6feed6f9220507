//! What matching may cost one request.

use super::MatchError;

/// What is left of the work that all patterns together may do for one request. A step is one instruction
/// of a backtracking pattern, a few nanoseconds; automata are charged for the worst of their time.
#[derive(Clone, Debug)]
pub struct Steps(usize);

/// What a request may spend: a few milliseconds of one core. The longest path takes a lookahead at each of
/// its characters ten times before that.
const LIMIT: usize = 500_000;

impl Default for Steps {
    fn default() -> Self {
        Self(LIMIT)
    }
}

impl Steps {
    /// Spends some; an error when they are not left.
    pub(super) fn take(&mut self, count: usize) -> Result<(), MatchError> {
        self.0 = self.0.checked_sub(count).ok_or(MatchError)?;
        Ok(())
    }
}
