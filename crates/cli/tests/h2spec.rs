//! The real binary against h2spec, which plays what RFC 9113 and RFC 7541 forbid. Needs h2spec, so it runs on demand:
//! `cargo test -p keyward-cli --test h2spec -- --ignored`. `H2SPEC` names it where it is not on the path.
//!
//! `vectors/h2spec/cases.json` lists its cases, all 147 of them as of commit af83a65. Version 2.2.1, the last that
//! `go install` can bring, has 146: it lacks one about an index of HPACK that is none, which `http2_attacks/limits.rs`
//! has.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::Keyward;
use serde_json::Value;

const ROUNDS: usize = 5;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";

fn keyward(upstream: u16) -> Keyward {
    let rules = format!(
        "- id: any\n  match: {{url: \"<https?>://<[^/]*>/<.*>\", methods: [GET, POST, HEAD]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    );
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules)
}

/// Runs every case: what it printed, how many there were, and the titles of those that failed.
fn h2spec(port: u16, options: &[&str]) -> (String, usize, Vec<String>) {
    let program = std::env::var("H2SPEC").unwrap_or_else(|_| "h2spec".to_owned());
    let mut command = Command::new(&program);
    command.args(["--strict", "--host", "127.0.0.1", "--timeout", "10", "--port", &port.to_string()]).args(options);
    let output = command.output().unwrap_or_else(|error| panic!("`{program}` cannot be run: {error}"));
    let text = String::from_utf8(output.stdout).unwrap();
    // The last line: `147 tests, 146 passed, 0 skipped, 1 failed`.
    let summary = text.trim_end().rsplit('\n').next().unwrap();
    let numbers: Vec<usize> = summary.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [all, passed, skipped, failed] = numbers[..] else { panic!("no summary:\n{text}") };
    // Each failure is listed once more at the end.
    let failures = text.split("\nFailures:").nth(1).unwrap_or_default().lines();
    let titles: Vec<String> = failures
        .filter_map(|line| line.trim_start().strip_prefix("× "))
        .map(|title| title.split_once(": ").map_or(title, |(_, title)| title).to_owned())
        .collect();
    assert_eq!((titles.len(), skipped, all), (failed, 0, passed + failed), "{text}");
    (text, all, titles)
}

fn every_case(port: u16, options: &[&str], excepted: &[&str]) {
    let cases: Value = serde_json::from_str(include_str!("../../../vectors/h2spec/cases.json")).unwrap();
    let listed = usize::try_from(cases["count"].as_u64().unwrap()).unwrap();
    for round in 1..=ROUNDS {
        let (text, all, failed) = h2spec(port, options);
        assert!(all == listed || all == listed - 1, "{all} of {listed} cases:\n{text}");
        assert_eq!(failed, excepted, "round {round}:\n{text}");
        println!("round {round}: {all} cases, failed: {failed:?}");
    }
}

#[test]
#[ignore = "needs h2spec"]
fn over_tls_every_case_passes() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).with_tls(&Authority::new()).start();
    every_case(running.proxy, &["--tls", "--insecure"], &[]);
}

/// In the clear the port speaks HTTP/1.1 too: what is no preface of HTTP/2 is a request of HTTP/1.1, whose answer is a
/// 400 and the end of the connection. h2spec sees the end too, and stumbles over the answer before it.
#[test]
#[ignore = "needs h2spec"]
fn in_the_clear_every_case_passes_but_the_preface_that_is_none() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    every_case(running.proxy, &[], &["Sends invalid connection preface"]);
    let answer = running.send("INVALID CONNECTION PREFACE\r\n\r\n").unwrap();
    assert_eq!((answer.status(), answer.header("connection")), (400, Some("close")));
}
