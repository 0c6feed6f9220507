//! How long a source that fails is left alone before it is asked again.

use std::time::Duration;

use crate::jitter::jittered;

/// The pauses after failures in a row: each is twice as long as the one before.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    /// In a row.
    failures: u32,
}

impl Backoff {
    /// `first` follows the first failure. No pause is longer than `longest`, whatever a source asks for.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The next failure is a first one again.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The pause after a failure, with jitter. `asked` is what the source asks for (`Retry-After`): it is not asked before
    /// that.
    pub(crate) fn failed(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(30)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        jittered(doubled).max(asked.unwrap_or_default().min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_a_success_ends_that() {
        type Row<'a> = ((u64, u64), &'a [Option<u64>], &'a [u64]);
        let rows: [Row<'_>; 6] = [
            ((60, 300), &[None; 5], &[60, 120, 240, 300, 300]),
            ((10, 300), &[Some(70), None, Some(10), Some(9999)], &[70, 20, 40, 300]),
            ((600, 600), &[None, None, Some(9999)], &[600, 600, 600]),
            ((10, 300), &[None; 40], &[10, 20, 40, 80, 160, 300, 300, 300]),
            ((u64::MAX, u64::MAX / 4), &[None; 2], &[u64::MAX / 4; 2]),
            ((90, 60), &[None; 2], &[60, 60]),
        ];
        for ((first, longest), failures, expected) in rows {
            let seconds = Duration::from_secs;
            let mut backoff = Backoff::new(seconds(first), seconds(longest));
            let is_about = |pause: Duration, expected: u64| {
                let ratio = pause.as_secs_f64() / seconds(expected).as_secs_f64();
                (0.899..=1.101).contains(&ratio)
            };
            let pauses: Vec<_> = failures.iter().map(|asked| backoff.failed(asked.map(seconds))).collect();
            for (place, expected) in expected.iter().enumerate() {
                assert!(is_about(pauses[place], *expected), "{first} {place}: {pauses:?}");
            }
            for (pause, asked) in pauses.iter().zip(failures) {
                assert!(*pause >= seconds(asked.unwrap_or(0).min(longest)), "{pause:?} {asked:?}");
            }
            backoff.succeeded();
            assert!(is_about(backoff.failed(None), first.min(longest)));
        }
    }
}
