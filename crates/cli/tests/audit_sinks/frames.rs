//! What a collector gets, byte by byte: messages of syslog in frames, or lines; and nothing secret in them.

use std::fs;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use serde_json::Value;

use crate::collector::Collector;
use crate::{ask, keyward, served};

/// A message of syslog (RFC 5424 section 6), in its parts.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) priority: String,
    pub(crate) time: String,
    pub(crate) host: String,
    pub(crate) app_name: String,
    pub(crate) process: String,
    pub(crate) message_id: String,
    pub(crate) data: String,
    pub(crate) record: Value,
}

impl Frame {
    /// Reads frames with the number of their bytes before them (RFC 6587 section 3.4.1). The last one may not be whole.
    pub(crate) fn read_all(mut bytes: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
            let digits = std::str::from_utf8(&bytes[..space]).unwrap();
            assert!(!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits:?}");
            let length: usize = digits.parse().unwrap();
            let Some(message) = bytes[space + 1..].get(..length) else { return frames };
            frames.push(Self::read(std::str::from_utf8(message).unwrap()));
            bytes = &bytes[space + 1 + length..];
        }
        assert!(bytes.iter().all(u8::is_ascii_digit), "{bytes:?}");
        frames
    }

    fn read(message: &str) -> Self {
        let mut parts = message.splitn(8, ' ').map(str::to_owned);
        let mut part = || parts.next().unwrap();
        let (priority, time, host, app_name) = (part(), part(), part(), part());
        let (process, message_id, data, record) = (part(), part(), part(), part());
        let record = serde_json::from_str(&record).unwrap();
        Self { priority, time, host, app_name, process, message_id, data, record }
    }
}

#[test]
fn messages_of_syslog_are_as_the_standards_say() {
    let rows = [("", "<134>1", "keyward"), (", syslog: {facility: authpriv, app_name: gate}", "<86>1", "gate")];
    for (more, priority, app_name) in rows {
        let (upstream, collector) = (Recorder::start(true), Collector::start());
        let running = keyward(&upstream, &(collector.sink("syslog") + more)).start();
        let mut paths = ask(&running, 0..300);
        for path in ["/%C3%A4%20%22", "/a%0Db", "/%5C"] {
            paths.extend((running.get(path, &[]).status() == 200).then(|| path.to_owned()));
        }
        running.until("every record", |_| collector.frames().len() == 303);
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        for frame in collector.frames() {
            assert_eq!((&*frame.priority, &*frame.app_name), (priority, app_name), "{frame:?}");
            assert_eq!((&*frame.host, frame.process), (host.trim(), running.id().to_string()));
            assert_eq!((&*frame.message_id, &*frame.data), ("audit", "-"));
            assert_eq!(Some(&*frame.time), frame.record["ts"].as_str());
        }
        let records: Vec<Value> = collector.frames().into_iter().map(|frame| frame.record).collect();
        assert_eq!(served(&records).0.len(), paths.len());
        // Nothing stands between frames, before the first one or after the last.
        let bytes = collector.bytes();
        let framed: usize = Frame::read_all(&bytes[0]).len();
        assert_eq!((bytes.len(), framed), (1, 303));
        assert_eq!(bytes[0].last(), Some(&b'}'));
    }
}

#[test]
fn lines_are_what_a_file_would_hold() {
    let (upstream, collector) = (Recorder::start(true), Collector::start());
    let running = keyward(&upstream, &collector.sink("tcp")).start();
    let paths = ask(&running, 0..300);
    running.until("every record", |_| collector.lines().len() == 300);
    assert_eq!(served(&collector.lines()), (paths, 0));
    let bytes = collector.bytes();
    assert_eq!((bytes.len(), bytes[0].last()), (1, Some(&b'\n')));
    assert!(bytes[0].starts_with(b"{\"ts\":\""));
}

#[test]
fn records_go_over_tls_to_a_collector_that_is_trusted_and_to_no_other() {
    let (upstream, authority) = (Recorder::start(true), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"], &[]));
    let trusting = keyward(&upstream, &collector.sink("syslog"));
    let ca = trusting.write("ca.pem", &authority.certificate);
    let running = trusting.env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string()).start();
    let paths = ask(&running, 0..300);
    running.until("every record", |_| collector.frames().len() == 300);
    let records: Vec<Value> = collector.frames().into_iter().map(|frame| frame.record).collect();
    assert_eq!(served(&records), (paths, 0));
    drop(running);

    upstream.take();
    let running = keyward(&upstream, &collector.sink("syslog")).start();
    running.until("the reason", |running| running.log().contains("invalid peer certificate: UnknownIssuer"));
    assert_eq!(running.get("/a", &[]).status(), 503);
    assert_eq!((upstream.take().len(), collector.frames().len()), (0, 300));
}

#[test]
fn no_value_of_a_secret_goes_to_a_collector() {
    const VALUE: &str = "c4nary-value+~1";
    for sink in ["syslog", "tcp"] {
        let (upstream, collector) = (Recorder::start(true), Collector::start());
        let keyward = keyward(&upstream, &collector.sink(sink));
        let rules = fs::read_to_string(keyward.path("rules.yaml")).unwrap();
        let header = "{handler: header, config: {headers: {X-Key: '{{ env \"CANARY\" }}'}}}";
        keyward.write("rules.yaml", &rules.replace("{handler: noop}", header));
        let running = keyward.env("CANARY", VALUE).start();
        for path in [format!("/{VALUE}"), format!("/in/{}", VALUE.replace('+', "%2B")), format!("/q?{VALUE}")] {
            assert_eq!(running.get(&path, &[("X-Request-Id", VALUE)]).status(), 200, "{path}");
        }
        assert_eq!(upstream.take_header("x-key"), [VALUE; 3]);
        let text = || String::from_utf8(collector.bytes().concat()).unwrap();
        running.until("every record", |_| text().matches("\"outcome\":\"allowed\"").count() == 3);
        assert!(!text().contains("c4nary") && text().contains("[redacted]"), "{}", text());
    }
}
