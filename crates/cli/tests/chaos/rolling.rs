//! Servers behind a load balancer of connections are restarted one after the other, as a rolling update does it: no new
//! connection, SIGTERM, a start, and new connections once it is healthy. Needs HAProxy, so it runs on demand:
//! `cargo test -p keyward-cli --test chaos -- --ignored`. `HAPROXY` names it where it is not on the path.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::haproxy::Haproxy;

use crate::drain::{keeps_asking_over_http2, working};
use crate::{CALLERS, Caller, keyward, records, says_close};

const RESTARTS: usize = 20;
const SERVERS: usize = 3;

/// Callers of each kind, until the restarts are over, and the answers that they got. Each asks once: whatever fails, fails
/// the test.
struct Callers {
    port: u16,
    over: AtomicBool,
    answers: AtomicUsize,
}

impl Callers {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn ask(&self, caller: &mut Caller, who: &str) -> bool {
        let answer = caller.ask("/small").unwrap_or_else(|error| panic!("a request {who} failed: {error}"));
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"), "a request {who}");
        self.answers.fetch_add(1, Ordering::Relaxed);
        says_close(&answer)
    }

    /// Keeps its connection for as long as answers let it, and pauses between requests.
    fn keep(&self, pause: Duration) {
        while self.goes_on() {
            let mut caller = Caller::connect(self.port).unwrap();
            while !self.ask(&mut caller, "on a kept connection") && self.goes_on() {
                thread::sleep(pause);
            }
        }
    }

    /// Connects for each request.
    fn connect(&self) {
        while self.goes_on() {
            self.ask(&mut Caller::connect(self.port).unwrap(), "on a new connection");
            // Ports that were used take a minute until they can be used again.
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Has several requests at a time on a connection, for as long as the server lets it.
    fn multiplex(&self) {
        while self.goes_on() {
            let answers = keeps_asking_over_http2(self.port, || self.goes_on());
            self.answers.fetch_add(answers, Ordering::Relaxed);
        }
    }
}

#[test]
#[ignore = "needs HAProxy"]
fn twenty_restarts_behind_a_load_balancer_lose_no_request_and_no_record() {
    let upstream = working();
    let mut servers = [(); SERVERS].map(|()| keyward(upstream).start());
    let haproxy = Haproxy::start(&servers.each_ref().map(|server| (server.proxy, server.api)));
    (0..SERVERS).for_each(|server| haproxy.register(server));
    let callers = Callers { port: haproxy.port(), over: AtomicBool::new(false), answers: AtomicUsize::new(0) };
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| callers.keep(Duration::from_millis(1)));
            // Shorter than a server waits for what is on its way.
            scope.spawn(|| callers.keep(Duration::from_millis(150)));
            scope.spawn(|| callers.connect());
        }
        scope.spawn(|| callers.multiplex());
        let restarting = || {
            for number in (0..SERVERS).cycle().take(RESTARTS) {
                let server = &mut servers[number];
                haproxy.deregister(number);
                let before = haproxy.given(number);
                server.signal("TERM");
                assert!(server.wait().success());
                server.start_again();
                haproxy.register(number);
                server.until("new connections", |_| haproxy.given(number) > before);
            }
        };
        // The callers end also when this fails.
        let restarted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(restarting));
        callers.over.store(true, Ordering::Relaxed);
        restarted.unwrap_or_else(|problem| std::panic::resume_unwind(problem));
    });
    assert_eq!(haproxy.lost(), 0, "{}", haproxy.log());
    for server in &mut servers {
        server.signal("TERM");
        assert!(server.wait().success());
    }
    let (readable, other) = servers.iter().map(records).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{readable} requests, {} new connections", (0..SERVERS).map(|server| haproxy.given(server)).sum::<u64>());
    assert_eq!((readable, other), (callers.answers.into_inner(), 0));
}
