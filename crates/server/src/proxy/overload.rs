//! Whether a core keeps up, and what share of new work it turns away while it does not.
//!
//! The upkeep of a core is due at fixed intervals and waits its turn behind all work that is ready, so how late it comes
//! is how long that work waits. Once it has been late for a whole second, the core turns away a share of what is new:
//!
//! - every late tick raises the share by one step, or by several when it was several times too late;
//! - every tick in time lowers it by two;
//! - a queue that is on its way to where it should be is left alone: one that shrinks, though still too long, raises
//!   nothing, and one that grows, though not yet too long, lowers nothing.
//!
//! This settles. What a step does shows at the very next tick, since a tick comes once round the queue, and a step is
//! small beside the whole; so the share ends up within a few steps of the one at which the queue is as long as it may
//! be. The third rule keeps it from going on past that while a queue that is too long is worked off. Ticks in time come
//! far more often than late ones: when the load goes, so does the share, within half a second.
//!
//! No clock in here: whoever ticks says when that is.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Late for so long, and so often, before anything is turned away: a process that was stopped once is late once.
const PROOF: Duration = Duration::from_secs(1);
const PROOF_TICKS: u32 = 2;
/// Shares are in thousandths.
const WHOLE: u32 = 1000;
/// A late tick.
const RAISE: u32 = 50;
/// The most that a very late tick counts for.
const MAX_RAISES: u32 = 4;
/// A tick in time.
const LOWER: u32 = 100;
/// Some always pass: how else would anybody see that it is over.
const MOST: u32 = 950;

/// One core's load.
#[derive(Debug, Default)]
pub struct CoreLoad {
    /// The first of the ticks in a row that were late, and how many there were.
    late: Cell<Option<(Instant, u32)>>,
    /// How late the last tick was.
    last: Cell<Duration>,
    /// What is turned away, in thousandths.
    share: Cell<u32>,
    requests: Spread,
    connections: Spread,
}

impl CoreLoad {
    /// The upkeep came, so late. `limit` is how late it may come; nothing when nobody minds.
    pub fn tick(&self, now: Instant, late: Duration, limit: Option<Duration>) {
        let last = self.last.replace(late);
        let Some(limit) = limit else {
            self.late.set(None);
            return self.share.set(0);
        };
        let share = self.share.get();
        if late <= limit {
            self.late.set(None);
            // Nobody minds a short queue that grows: it is no more than the clock's coarseness, or a few requests.
            if late <= last || late <= limit / 2 {
                self.share.set(share.saturating_sub(LOWER));
            }
            return;
        }
        let (since, ticks) = self.late.get().map_or((now, 1), |(since, ticks)| (since, ticks.saturating_add(1)));
        self.late.set(Some((since, ticks)));
        let is_behind = share > 0 || (ticks >= PROOF_TICKS && now.duration_since(since) >= PROOF);
        if is_behind && late >= last {
            let times = u32::try_from(late.as_nanos() / limit.as_nanos().max(1)).unwrap_or(MAX_RAISES);
            self.share.set(MOST.min(share + RAISE * times.clamp(1, MAX_RAISES)));
        }
    }

    /// Whether the next request is to be turned away.
    pub fn sheds_request(&self) -> bool {
        self.requests.takes(self.share.get())
    }

    /// Whether the next connection is.
    pub fn sheds_connection(&self) -> bool {
        self.connections.takes(self.share.get())
    }
}

/// Spreads a share evenly: what is left over each time is carried on to the next.
#[derive(Debug, Default)]
struct Spread(Cell<u32>);

impl Spread {
    fn takes(&self, share: u32) -> bool {
        if share == 0 {
            return false;
        }
        let sum = self.0.get() + share;
        let takes = sum >= WHOLE;
        self.0.set(if takes { sum - WHOLE } else { sum });
        takes
    }
}

#[cfg(test)]
mod tests;
