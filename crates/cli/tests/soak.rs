//! Everything is replaced under load, for a short time; `cargo xtask soak` does it for longer and faster.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use keyward_testkit::soak::{Cause, Plan, run};

#[test]
fn no_request_fails_or_sees_two_versions_while_everything_is_replaced() {
    let plan = Plan {
        binary: env!("CARGO_BIN_EXE_keyward").into(),
        reloading: Duration::from_secs(5),
        rate: 400,
        connections: 8,
        pause: Duration::from_millis(10),
    };
    for phase in run(&plan).unwrap_or_else(|problem| panic!("{problem}")) {
        let expected = if phase.cause == Cause::Calm { 1 } else { 2 };
        assert!(phase.latencies.count() > 0 && phase.versions >= expected, "{phase:?}");
    }
}
