//! Ticks at given times: when a core begins to turn work away, how much, and when it ends.

use super::*;

const LIMIT: Duration = Duration::from_millis(200);
const EVERY: Duration = Duration::from_millis(50);

/// A core whose upkeep comes again and again.
struct Core {
    load: CoreLoad,
    now: Instant,
}

impl Core {
    fn new() -> Self {
        Self { load: CoreLoad::default(), now: Instant::now() }
    }

    /// A tick that is so many milliseconds late; the share after it, in hundredths.
    fn late(&mut self, late: u64) -> u32 {
        let late = Duration::from_millis(late);
        self.now += EVERY + late;
        self.load.tick(self.now, late, Some(LIMIT));
        self.load.share.get() / 10
    }

    fn all_late(&mut self, ticks: &[u64]) -> Vec<u32> {
        ticks.iter().map(|late| self.late(*late)).collect()
    }
}

#[test]
fn work_is_turned_away_when_a_core_is_behind_and_only_then() {
    // How late each tick is, in milliseconds, and the share after it, in hundredths.
    let rows: [(&str, &[u64], &[u32]); 10] = [
        ("steady", &[0, 1, 0, 2, 150, 200, 0], &[0; 7]),
        ("stopped once for three seconds", &[0, 3000, 0, 0], &[0; 4]),
        ("stopped again and again, with work between", &[3000, 0, 3000, 0, 3000, 0], &[0; 6]),
        ("stopped, with what has come in meanwhile to do after it", &[3000, 400, 0], &[0; 3]),
        ("late, but not yet for a second", &[210, 210, 210, 210, 0, 210, 210, 210, 210], &[0; 9]),
        ("late for a second, and longer", &[210, 210, 210, 210, 210, 210, 210], &[0, 0, 0, 0, 5, 10, 15]),
        ("several times too late", &[900, 900, 900, 900, 3000], &[0, 0, 20, 40, 60]),
        ("so late that there are few ticks", &[2000, 2000, 2000], &[0, 20, 40]),
        ("too long, but shrinking", &[900, 900, 900, 800, 700, 701], &[0, 0, 20, 20, 20, 35]),
        ("in time, but growing", &[900, 900, 900, 120, 130, 110, 120, 60, 70], &[0, 0, 20, 10, 10, 0, 0, 0, 0]),
    ];
    for (name, ticks, shares) in rows {
        assert_eq!(Core::new().all_late(ticks), shares, "{name}");
    }
}

#[test]
fn some_always_pass_and_all_do_soon_after_the_load_has_gone() {
    let mut core = Core::new();
    assert_eq!(core.all_late(&[900; 20]).last(), Some(&95));
    assert_eq!(core.all_late(&[0; 11]), [85, 75, 65, 55, 45, 35, 25, 15, 5, 0, 0]);
    // What was shown once has to be shown again.
    assert_eq!(core.all_late(&[900; 3]), [0, 0, 20]);
}

#[test]
fn without_a_limit_nothing_is_turned_away() {
    let mut core = Core::new();
    core.all_late(&[900; 4]);
    core.load.tick(core.now, Duration::from_secs(1), None);
    assert_eq!(core.load.share.get(), 0);
    assert!(!core.load.sheds_request() && !core.load.sheds_connection());
}

#[test]
fn what_is_turned_away_is_spread_evenly() {
    // Thousandths, and which of ten are taken.
    let rows = [(0, ".........."), (50, ".........."), (100, ".........x"), (500, ".x.x.x.x.x"), (950, ".xxxxxxxxx")];
    for (share, expected) in rows {
        let spread = Spread::default();
        let taken: String = (0..10).map(|_| if spread.takes(share) { 'x' } else { '.' }).collect();
        assert_eq!(taken, expected, "{share}");
    }
    let load = CoreLoad::default();
    load.share.set(500);
    // Connections do not take the turns of requests.
    let turns: Vec<bool> = (0..2).flat_map(|_| [load.sheds_request(), load.sheds_connection()]).collect();
    assert_eq!(turns, [false, false, true, true]);
}

/// A core on which a number of requests wait. A request takes a time, one that is turned away a part of it.
struct Queue {
    waiting: f64,
    /// Requests that arrive in the time that one takes.
    offered: f64,
    /// Callers, each of which waits for its answer before it asks again.
    callers: f64,
    served: f64,
}

/// What a request takes, and what part of that one takes that is turned away.
const SECONDS: f64 = 50e-6;
const PART: f64 = 0.3;

impl Queue {
    fn average(share: f64) -> f64 {
        SECONDS * (1.0 - share * (1.0 - PART))
    }

    /// Lets time pass, in pieces short beside the limit.
    fn pass(&mut self, seconds: f64, share: f64) {
        let pieces = (seconds / 0.005).ceil();
        for _ in 0..pieces as u32 {
            let piece = seconds / pieces;
            let could = piece / Self::average(share);
            let come = (self.offered * piece / SECONDS).min(self.callers - self.waiting + could);
            let done = could.min(self.waiting + come);
            self.waiting += come - done;
            self.served += done * (1.0 - share);
        }
    }
}

/// However much is offered, the share and the queue settle: in the second half of a minute they hardly move, the queue
/// stays near its limit, and the core has served what it can beside turning the rest away.
#[test]
fn under_any_load_the_share_settles() {
    // What is offered, in multiples of what a core can serve, and by how many callers.
    for (offered, callers) in [(1.1, 1e5), (1.5, 1e5), (2.0, 2e4), (2.5, 2e4), (1e3, 4400.0), (1e3, 6000.0)] {
        let (mut core, mut queue) = (Core::new(), Queue { waiting: 0.0, offered, callers, served: 0.0 });
        let (begun, mut settled) = (core.now, Vec::new());
        let mut served_before = 0.0;
        while core.now - begun < Duration::from_secs(60) {
            let share = f64::from(core.load.share.get()) / f64::from(WHOLE);
            queue.pass(EVERY.as_secs_f64(), share);
            let late = queue.waiting * Queue::average(share);
            queue.pass(late, share);
            core.late((late * 1e3) as u64);
            if core.now - begun > Duration::from_secs(30) {
                settled.push((core.load.share.get(), late));
            } else {
                served_before = queue.served;
            }
        }
        let (low, high) =
            settled.iter().fold((WHOLE, 0), |(low, high), (share, _)| (low.min(*share), high.max(*share)));
        let longest = settled.iter().fold(0.0_f64, |longest, (_, late)| longest.max(*late));
        assert!(low > 0 && high - low <= 3 * LOWER, "{offered} by {callers}: shares from {low} to {high}");
        assert!(longest < 0.6, "{offered} by {callers}: a queue of {longest} s");
        let goodput = (queue.served - served_before) * SECONDS / 30.0;
        let share = f64::from(high) / f64::from(WHOLE);
        let possible = (1.0 - share) * SECONDS / Queue::average(share);
        assert!(goodput > 0.9 * possible, "{offered} by {callers}: served {goodput}, possible {possible}");
    }
}
