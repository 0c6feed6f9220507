//! What operators hear of callers that never get as far as a request, or as far as the rules: each is counted by reason, and
//! a flood of them makes few lines, with the connection and without anything that came over it.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpStream;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire::drain;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";
const CANARY: &str = "canary-3e8b1f";
const MANY: u32 = 1000;

fn start(tls: bool) -> Running {
    let rules = format!(
        "- id: any\n  match: {{url: \"<https?>://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
        Recorder::start(true).port
    );
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).env("SERVE_PROXY_WORKERS", "1").with(CONFIG, &rules);
    if tls { keyward.with_tls(&Authority::new()).start() } else { keyward.start() }
}

/// What comes back.
fn play(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    String::from_utf8_lossy(&drain(&mut stream, 1 << 20)).into_owned()
}

/// (over TLS, what is sent, how the answer begins, the counter, its reason, what a line says)
type Row<'a> = (bool, String, &'a str, &'a str, &'a str, &'a str);

#[test]
fn floods_are_counted_by_reason_and_hardly_told() {
    let framed = format!(
        "POST /{CANARY} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {CANARY}\r\nContent-Length: 5\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let rows: [Row; 4] = [
        (false, framed, "HTTP/1.1 400 ", "gate_refusals", "framing", "request refused"),
        (
            false,
            format!("{CANARY} {CANARY}\r\n\r\n"),
            "HTTP/1.1 400 ",
            "gate_refusals",
            "unreadable",
            "request refused",
        ),
        (
            true,
            format!("GET /{CANARY} HTTP/1.1\r\n\r\n"),
            "HTTP/1.0 400 ",
            "connection_faults",
            "plain_http",
            "connection at fault",
        ),
        (true, format!("\u{16}{CANARY}"), "", "connection_faults", "handshake", "connection at fault"),
    ];
    for (tls, bytes, answer, metric, reason, line) in rows {
        let running = start(tls);
        for _ in 0..MANY {
            let said = play(&running, bytes.as_bytes());
            assert!(said.starts_with(answer), "{reason}: {said}");
        }
        let counter = format!("keyward_{metric}_total{{reason=\"{reason}\"}}");
        // The last of them may have been answered a moment before it is counted.
        running.until("counting all of them", |running| running.metric(&counter) == Some(f64::from(MANY)));
        // What was not told one by one is told in sum, when its time is over.
        running.until("an account of all of them", |running| account(&running.log(), reason, line) == MANY);
        let log = running.log();
        let told: Vec<&str> = log.lines().filter(|text| text.contains(line)).collect();
        assert!(told.len() <= 30, "{reason}: {}", told.len());
        assert!(told.iter().all(|text| text.contains("peer=127.0.0.1:") && text.contains("protocol=")), "{told:?}");
        assert!(!log.contains(CANARY), "{reason}: {log}");
    }
}

/// How many of a kind a log speaks of.
fn account(log: &str, reason: &str, line: &str) -> u32 {
    let quoted = format!("\"{reason}\"");
    let of_kind = |text: &&str| text.contains(&quoted);
    let one_by_one = log.lines().filter(of_kind).filter(|text| text.contains(line)).count();
    let sums = log
        .lines()
        .filter(of_kind)
        .filter_map(|text| text.split("count=").nth(1)?.split(' ').next()?.parse::<u32>().ok());
    u32::try_from(one_by_one).unwrap() + sums.sum::<u32>()
}

/// Nothing was wrong with those who only looked whether somebody listens.
#[test]
fn who_connects_and_leaves_is_no_fault() {
    for tls in [false, true] {
        let running = start(tls);
        for _ in 0..3 {
            let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            drain(&mut &stream, 1024);
        }
        running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
        let scrape = running.api("/metrics").unwrap().text();
        let faults: Vec<&str> =
            scrape.lines().filter(|line| line.starts_with("keyward_connection_faults_total")).collect();
        assert!(!faults.is_empty() && faults.iter().all(|line| line.ends_with(" 0")), "{faults:?}");
        assert!(!running.log().contains("connection at fault"), "{}", running.log());
    }
}
