//! Records that lie in the buffer of a TLS session when a collector takes nothing more: they come when it reads again, though nothing is
//! sent after them.

use std::collections::BTreeSet;
use std::ops::Range;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::Running;

use crate::collector::Collector;
use crate::{Caller, keyward, long_path, served};

const ROUNDS: Range<usize> = 1..9;
/// So many more requests in each round come before the collector reads again. A record takes some 6 KiB and a session holds 64 KiB: in
/// one of the rounds what the system holds is full, and the session not.
const STEP: usize = 6;

#[test]
fn what_a_session_of_tls_holds_comes_when_the_collector_reads_again_though_nothing_follows() {
    let (upstream, authority) = (Recorder::start(true), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"], &[])).holding(32 * 1024);
    let keyward = keyward(&upstream, &collector.sink("syslog")).env("SERVE_PROXY_WORKERS", "1");
    let ca = keyward.write("ca.pem", &authority.certificate).display().to_string();
    let running = keyward.env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca).start();
    running.until("a connection", |running| running.log().contains("audit records have a connection"));
    let (mut caller, mut paths) = (Caller::connect(&running), BTreeSet::new());
    for round in ROUNDS {
        collector.pause(true);
        for number in 0..round * STEP {
            let path = long_path(round * 1000 + number);
            let status = caller.ask(&path).status();
            if status == 503 {
                // It is held up already.
                break;
            }
            assert_eq!(status, 200, "{}", running.log());
            paths.insert(path);
        }
        let metric = |running: &Running, name: &str| running.metric(name).unwrap();
        running.until("all of it being written, or something of it held up", |running| {
            metric(running, "keyward_audit_failing") == 1.0
                || metric(running, "keyward_audit_records_written_total") == paths.len() as f64
        });
        collector.pause(false);
        running.until("every record", |_| served(&collector.records("syslog")).0.len() == paths.len());
        running.until("being well", |running| metric(running, "keyward_audit_failing") == 0.0);
    }
    assert!(running.log().contains("audit records cannot be written"), "there was room for all of it");
    assert_eq!(collector.bytes().len(), 1, "the connection was good all the time");
}
