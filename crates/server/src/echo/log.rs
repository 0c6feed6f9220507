//! What operators are told about upstreams that give credentials away: at most one line a second and core.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(1);

/// When there was a line, and how many there would have been since.
#[derive(Default)]
pub struct EchoLog {
    last: Cell<Option<Instant>>,
    untold: Cell<u64>,
}

impl EchoLog {
    /// How many were not told of, when there may be a line now.
    pub fn turn(&self, now: Instant) -> Option<u64> {
        if self.last.get().is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.untold.set(self.untold.get().saturating_add(1));
            return None;
        }
        self.last.set(Some(now));
        Some(self.untold.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_line_in_a_second_and_it_says_how_many_there_were_not() {
        let (log, begin) = (EchoLog::default(), Instant::now());
        let rows =
            [(0, Some(0)), (1, None), (999, None), (1_000, Some(2)), (1_999, None), (2_000, Some(1)), (3_000, Some(0))];
        for (millis, expected) in rows {
            assert_eq!(log.turn(begin + Duration::from_millis(millis)), expected, "{millis}");
        }
    }
}
