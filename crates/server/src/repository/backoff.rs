//! How long a repository is left alone before it is asked again.

use std::time::Duration;

/// No pause is longer, whatever a server asks for, unless the interval itself is.
const LONGEST: Duration = Duration::from_secs(300);

/// The pauses between attempts at one repository.
#[derive(Debug)]
pub(super) struct Backoff {
    interval: Duration,
    /// In a row.
    failures: u32,
}

impl Backoff {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, failures: 0 }
    }

    /// After an answer.
    pub(super) fn answered(&mut self) -> Duration {
        self.failures = 0;
        self.interval
    }

    /// After a failure: doubled with each further one. `asked` is what the server asks for (`Retry-After`).
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.interval.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.max(asked.unwrap_or_default()).min(LONGEST.max(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_an_answer_ends_that() {
        let seconds = Duration::from_secs;
        type Row<'a> = (u64, &'a [Option<u64>], &'a [u64]);
        let rows: [Row<'_>; 4] = [
            (60, &[None; 5], &[60, 120, 240, 300, 300]),
            (1, &[Some(7), None, Some(1), Some(9999)], &[7, 2, 4, 300]),
            (600, &[None, None, Some(9999)], &[600, 600, 600]),
            (1, &[None; 40], &[1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]),
        ];
        for (interval, failures, expected) in rows {
            let mut backoff = Backoff::new(seconds(interval));
            let pauses: Vec<_> = failures.iter().map(|asked| backoff.failed(asked.map(seconds))).collect();
            let expected: Vec<_> = expected.iter().copied().map(seconds).collect();
            assert!(pauses.starts_with(&expected), "{pauses:?}");
            assert_eq!(backoff.answered(), seconds(interval));
            assert_eq!(backoff.failed(None), seconds(interval));
        }
    }
}
