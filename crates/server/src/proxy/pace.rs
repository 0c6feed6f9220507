//! How often the log tells of what callers can do as often as they like: the first few of a kind, and of the others how
//! many there were.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// So many of a kind are told of one by one,
const TOLD: u32 = 3;
/// within this time.
const PERIOD: Duration = Duration::from_secs(5);

/// What one core has told lately. Kinds are words of closed vocabularies, so there are few.
#[derive(Default)]
pub struct Pace {
    kinds: RefCell<Vec<Kind>>,
}

struct Kind {
    name: &'static str,
    begun: Instant,
    told: u32,
    untold: u64,
}

impl Pace {
    /// Whether one more of this kind is told of. If not, it is counted.
    pub fn tells(&self, name: &'static str, now: Instant) -> bool {
        let mut kinds = self.kinds.borrow_mut();
        let Some(kind) = kinds.iter_mut().find(|kind| kind.name == name) else {
            kinds.push(Kind { name, begun: now, told: 1, untold: 0 });
            return true;
        };
        let tells = kind.told < TOLD;
        if tells {
            kind.told += 1;
        } else {
            kind.untold += 1;
        }
        tells
    }

    /// Hands out the kinds of which more came than were told of, with their number, once their time is over. From then on
    /// they are told of again.
    pub fn untold(&self, now: Instant, mut tell: impl FnMut(&'static str, u64)) {
        self.kinds.borrow_mut().retain(|kind| {
            let goes_on = now.duration_since(kind.begun) < PERIOD;
            if !goes_on && kind.untold > 0 {
                tell(kind.name, kind.untold);
            }
            goes_on
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_kind_are_told_and_the_others_counted_until_their_time_is_over() {
        let (pace, begun) = (Pace::default(), Instant::now());
        let told = |name, now| (0..1000).filter(|_| pace.tells(name, now)).count();
        let untold = |now| {
            let mut all = Vec::new();
            pace.untold(now, |name, count| all.push((name, count)));
            all
        };
        assert_eq!((told("framing", begun), told("syntax", begun)), (3, 3));
        let late = begun + PERIOD - Duration::from_millis(1);
        assert_eq!((told("framing", late), untold(late)), (0, Vec::new()));
        let over = begun + PERIOD;
        assert_eq!(untold(over), [("framing", 1997), ("syntax", 997)]);
        assert!(pace.tells("framing", over));
        assert_eq!(untold(over + PERIOD), []);
    }
}
