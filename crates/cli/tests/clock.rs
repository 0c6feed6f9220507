//! A wall clock that is set back and forward under a running server. What is kept fresh is measured with the other
//! clock, which nobody can set. Needs libfaketime, so it runs on demand: `cargo test -p keyward-cli --test clock -- --ignored`.

#![allow(clippy::unwrap_used)]

use std::fs;

use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};

/// Where Linux distributions have it.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// `LIBFAKETIME` names it where it is elsewhere.
fn library() -> String {
    let named = std::env::var("LIBFAKETIME").ok();
    let mut places = named.into_iter().chain(PLACES.map(str::to_owned));
    let found = places.find(|place| fs::metadata(place).is_ok());
    found.unwrap_or_else(|| panic!("libfaketime is not installed in any of {PLACES:?}"))
}

fn config(keys: u16, secrets: &str) -> String {
    format!(
        "authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: [\"http://127.0.0.1:{keys}/keys\"], \
         allowed_algorithms: [ES256], jwks_ttl: 1s}}}}}}\nauthorizers: {{allow: {{enabled: true}}}}\n\
         mutators: {{header: {{enabled: true}}}}\nsecrets: {{env_dir: \"{secrets}\"}}\n"
    )
}

fn rules(path: &str, upstream: u16) -> String {
    format!(
        "- id: r\n  match: {{url: 'http://h/{path}', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: header, config: {{headers: {{X-Secret: '{{{{ env \"CLOCK_SECRET\" }}}}'}}}}}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{upstream}'}}\n"
    )
}

/// The day of the last record.
fn day(running: &Running) -> String {
    let text = fs::read_to_string(running.path("audit.log")).unwrap_or_default();
    let last: Value = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    last["ts"].as_str().unwrap_or_default().chars().take(10).collect()
}

#[test]
#[ignore = "needs libfaketime"]
fn a_clock_that_is_set_takes_nothing_out_of_force_and_holds_nothing_up() {
    let (keys, upstream) = (Recorder::start(false), Recorder::start(true));
    let key = generate("ES256", "k", 0).unwrap();
    let signing = SigningKey::read(key.to_string().as_bytes(), None, None).unwrap();
    let token = signing.sign(&json!({"sub": "s", "exp": 4_000_000_000_u64})).unwrap();
    let set = || vec![json!({"path": "/keys", "body": {"keys": [key]}})];
    keys.script(set());

    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let clock = keyward.write("clock", "+0").display().to_string();
    keyward.write("secrets/CLOCK_SECRET", "of-0");
    let secrets = keyward.path("secrets").display().to_string();
    let running = keyward
        .env("LD_PRELOAD", &library())
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
        .with(&config(keys.port, &secrets), &rules("at-0", upstream.port))
        .start();
    let status = |path: &str| {
        running.get(&format!("/{path}"), &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]).status()
    };
    let secret = || {
        let seen = upstream.take().pop().unwrap_or_default();
        let lines = seen["headers"].as_array().cloned().unwrap_or_default();
        lines.iter().find(|line| line[0] == "x-secret").map(|line| line[1].as_str().unwrap().to_owned())
    };
    let state = || {
        let body: Value = serde_json::from_str(&running.api("/health/ready?verbose").unwrap().text()).unwrap();
        let sources = body["sources"].as_array().unwrap();
        assert!(sources.iter().all(|source| source["state"] != "missing"), "{body}");
        let keys = sources.iter().find(|source| source["kind"] == "key_set").unwrap();
        (keys["state"].as_str().unwrap().to_owned(), keys["age_seconds"].as_u64())
    };
    // Nothing is missing from now on.
    running.until("readiness", |running| running.api("/health/ready").unwrap().status() == 200);
    running.until("the first request", |_| status("at-0") == 200);
    running.until("its record", |running| !day(running).is_empty());
    let mut days = vec![day(&running)];

    for (number, offset) in ["-2d", "+400d", "-400d", "+0"].into_iter().enumerate() {
        let number = number + 1;
        // The last good set counts for an hour, whatever the wall clock says.
        keys.script(Vec::new());
        running.until("a failed fetch", |_| state().0 == "stale");
        running.replace("clock", offset);
        running.until("another day", |running| {
            assert_eq!(status(&format!("at-{}", number - 1)), 200, "{offset}");
            day(running) != days[number - 1]
        });
        days.push(day(&running));
        keys.script(set());
        running.until("fetching goes on", |_| state().0 == "fresh");
        assert!(state().1.is_some_and(|age| age < 60), "{offset}: {:?}", state());
        // So do reloads, of rules and of secrets.
        running.replace("rules.yaml", &rules(&format!("at-{number}"), upstream.port));
        running.until("the new rules", |_| status(&format!("at-{number}")) == 200);
        running.replace("secrets/CLOCK_SECRET", &format!("of-{number}"));
        running.until("the new secret", |_| {
            status(&format!("at-{number}")) == 200 && secret() == Some(format!("of-{number}"))
        });
        assert_eq!(running.api("/health/ready").unwrap().status(), 200);
    }
    assert!(days[1] < days[0] && days[2] > days[0] && days[3] < days[1], "{days:?}");
}
