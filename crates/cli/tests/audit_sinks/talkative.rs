//! Collectors that say something, in which nobody is interested: a system that has something unread when a connection is closed ends
//! it with a reset, which takes along what is on its way.

use std::collections::BTreeSet;

use keyward_testkit::conformance::recorder::Recorder;

use crate::collector::Collector;
use crate::{Caller, keyward, long_path, served};

/// Records, more than the collector's system holds and fewer than that and the other one's.
const RECORDS: usize = 14;

#[test]
fn what_a_collector_said_before_the_end_takes_along_no_record_that_is_on_its_way() {
    // Now and then it is read before the connection is closed, whatever is done then.
    for round in 0..4 {
        let (upstream, collector) = (Recorder::start(true), Collector::start().holding(32 * 1024));
        let mut running = keyward(&upstream, &collector.sink("syslog")).env("SERVE_PROXY_WORKERS", "1").start();
        running.until("a connection", |running| running.log().contains("audit records have a connection"));
        collector.pause(true);
        let mut caller = Caller::connect(&running);
        let paths: BTreeSet<String> = (0..RECORDS).map(long_path).collect();
        for path in &paths {
            assert_eq!(caller.ask(path).status(), 200);
        }
        drop(caller);
        running.until("handing over", |running| {
            running.metric("keyward_audit_records_written_total") == Some(RECORDS as f64)
        });
        collector.say(2000);
        running.signal("TERM");
        assert!(running.wait().success());
        collector.pause(false);
        running.until("every record", |_| served(&collector.records("syslog")).0.len() == RECORDS);
        assert!(served(&collector.records("syslog")).0 == paths, "{round}");
    }
}
