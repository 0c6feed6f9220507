//! Long work on a core that others want, too.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Work goes on for so long before others are let past. A scheduler that gives a thread its whole turn, such as Linux's,
/// would make them wait for milliseconds, whatever its priority.
const TURN: Duration = Duration::from_micros(30);

/// Lets others go first, for a limited time: where there are always others, the work must end nevertheless.
pub struct Courtesy {
    until: Instant,
    last: Cell<Instant>,
}

impl Courtesy {
    /// From now on, for so long.
    pub fn lasting(time: Duration) -> Self {
        let now = Instant::now();
        Self { until: now + time, last: Cell::new(now) }
    }

    /// Nobody else is there yet.
    pub fn none() -> Self {
        Self::lasting(Duration::ZERO)
    }

    /// Called at every step of the work.
    pub fn give_way(&self) {
        let now = Instant::now();
        if now < self.until && now.saturating_duration_since(self.last.get()) >= TURN {
            std::thread::yield_now();
            self.last.set(Instant::now());
        }
    }
}
