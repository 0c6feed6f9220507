//! Signals without end, a configuration that is garbage for a while, a process that is killed.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::PATIENCE;
use keyward_testkit::signals::Signals;
use keyward_testkit::wire;

use crate::{CALLERS, CONFIG, metric, records, rules, start, status, under_load};

#[test]
fn a_thousand_signals_lose_no_request_and_leave_nothing_open() {
    let upstream = Recorder::start(true);
    let running = start(&upstream);
    under_load(&running, || thread::sleep(Duration::from_millis(300)));
    let open = running.open_files();
    let requests = under_load(&running, || {
        let mut signals = Signals::to(running.id(), "HUP").unwrap();
        for _ in 0..1000 {
            signals.send().unwrap();
        }
        signals.finish().unwrap();
        running.until("reloads", |running| metric(running, "keyward_reloads_total") >= 1.0);
        // After all that, one more still counts.
        running.replace("rules.yaml", &rules("second", &upstream));
        running.signal("HUP");
        running.until("the change", |running| status(running, "second") == 200);
    });
    assert!(requests > 0);
    assert_eq!(status(&running, "first"), 404);
    assert_eq!(metric(&running, "keyward_reload_failures_total"), 0.0);
    assert_eq!(metric(&running, "keyward_audit_records_lost_total"), 0.0);
    // Each reload opens the audit log anew, and what was open before is closed.
    running.until("closing what is not used", |running| running.open_files() <= open + CALLERS);
}

#[test]
fn a_configuration_that_turns_to_garbage_and_back_loses_no_request() {
    let upstream = Recorder::start(true);
    let running = start(&upstream);
    let config = running.path("config.yaml");
    let long = "#".repeat(17 * 1024 * 1024);
    let garbage: [(&[u8], &str); 8] = [
        (b"", "the file is empty"),
        (b"# nothing\n---\n", "the file is empty"),
        (b"authenticators: {anonymous: {enab", "not valid YAML or JSON"),
        (b"\xff\xfe\x00", "it is not UTF-8"),
        (b"<html>Sign in</html>", "a configuration must be a map"),
        (b"authenticatorss: {}\n", "unknown key `authenticatorss`"),
        (b"serve: {proxy: {limits: {body_bytes: many}}}\n", "body_bytes"),
        (long.as_bytes(), "larger than 16 MiB"),
    ];
    let requests = under_load(&running, || {
        let refused = |said: &str, act: &dyn Fn()| {
            let (failures, log) = (metric(&running, "keyward_reload_failures_total"), running.log().len());
            act();
            running.until(said, |running| metric(running, "keyward_reload_failures_total") > failures);
            running.until(said, |running| running.log()[log..].contains(said));
        };
        for (text, said) in garbage {
            refused(said, &|| {
                fs::write(running.path("fresh"), text).unwrap();
                fs::rename(running.path("fresh"), &config).unwrap();
            });
            assert_eq!(status(&running, "first"), 200, "{said}");
        }
        refused("No such file", &|| fs::remove_file(&config).unwrap());
        refused("it is a directory", &|| fs::create_dir(&config).unwrap());
        fs::remove_dir(&config).unwrap();
        // Rules that change meanwhile wait for a configuration that can be used.
        running.replace("rules.yaml", &rules("second", &upstream));
        let reloads = metric(&running, "keyward_reloads_total");
        running.replace("config.yaml", CONFIG);
        running.until("the way back", |running| metric(running, "keyward_reloads_total") > reloads);
        running.until("the rules", |running| status(running, "second") == 200);
    });
    assert!(requests > 0);
    assert_eq!(status(&running, "first"), 404);
}

/// Killed while it serves, and at various moments of a reload: what it is started with is what the files say then.
#[test]
fn killed_it_starts_again_with_what_the_files_say() {
    let upstream = Recorder::start(true);
    let mut running = start(&upstream);
    let mut recorded = 0;
    for (number, delay) in [0, 50, 110, 150, 205, 215, 260].into_iter().enumerate() {
        let path = format!("round-{number}");
        for _ in 0..20 {
            assert_eq!(status(&running, "always"), 200);
            recorded += 1;
        }
        running.until("the records", |running| records(running).0 >= recorded);
        running.replace("rules.yaml", &rules(&path, &upstream));
        thread::sleep(Duration::from_millis(delay));
        // One that is on its way when it happens is lost, and is told so.
        let mut waiting = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        waiting.write_all(b"GET /always HTTP/1.1\r\nHost: h\r\n").unwrap();
        running.kill();
        waiting.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(wire::read_response(&mut BufReader::new(waiting), false).is_err());
        running.start_again();
        assert_eq!((status(&running, &path), status(&running, "first")), (200, 404), "after {delay} ms");
        recorded += 2;
    }
    // What it kept of the log is whole, and goes on.
    running.until("the records", |running| records(running).0 >= recorded);
    assert_eq!(records(&running).1, 0);
    running.replace("rules.yaml", &rules("last", &upstream));
    running.until("a reload", |running| status(running, "last") == 200);
}
