//! One process takes another's place, again and again. Sockets are not handed over, and a port that is taken stops a
//! start, so the callers here have two servers, as behind a load balancer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::PATIENCE;

use crate::{CALLERS, Caller, keyward, records, says_close};

const RESTARTS: usize = 20;

/// A server that stops takes no connection, and there is always another one that does.
fn connect(ports: &mut impl Iterator<Item = u16>) -> Caller {
    let begun = Instant::now();
    loop {
        match Caller::connect(ports.next().unwrap()) {
            Ok(caller) => return caller,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    }
}

/// Asks until it is told to stop, and goes over to the other server when an answer says so; counts answers.
fn call(ports: [u16; 2], stop: &AtomicBool, answers: &AtomicUsize) {
    let mut ports = ports.into_iter().cycle();
    let mut caller = connect(&mut ports);
    while !stop.load(Ordering::Relaxed) {
        let answer = caller.ask("/x").unwrap();
        assert_eq!(answer.status(), 200);
        answers.fetch_add(1, Ordering::Relaxed);
        if says_close(&answer) {
            caller = connect(&mut ports);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn twenty_restarts_one_after_the_other_lose_no_request_and_no_record() {
    let upstream = Recorder::start(true);
    let mut servers = [(); 2].map(|()| keyward(upstream.port).start());
    let ports = servers.each_ref().map(|server| server.proxy);
    let (stop, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| call(ports, &stop, &answers));
        }
        for number in 0..RESTARTS {
            let server = &mut servers[number % 2];
            server.signal("TERM");
            assert!(server.wait().success());
            // On the ports that it had before.
            server.start_again();
        }
        stop.store(true, Ordering::Relaxed);
    });
    for server in &mut servers {
        server.signal("TERM");
        assert!(server.wait().success());
    }
    let (readable, other) = servers.iter().map(records).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!((readable, other), (answers.into_inner(), 0));
}
