//! Tokens that bring keys along, and issuers that fail at the worst moment, with the real binary.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::same_flaw;
use keyward_testkit::tokens::Es256;
use serde_json::{Value, json};

fn config(locations: &[String], settings: &str) -> String {
    format!(
        "authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: {}, allowed_algorithms: [ES256]{settings}}}}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n",
        json!(locations)
    )
}

fn serve(config: &str, upstream: &Recorder) -> Running {
    let rules = format!(
        "- id: r\n  match: {{url: 'http://h/<.*>', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{}'}}\n",
        upstream.port
    );
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(config, &rules).start()
}

fn claims() -> Value {
    json!({"sub": "s", "exp": 4_000_000_000_u64})
}

fn status(running: &Running, token: &str) -> u16 {
    running.get("/", &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]).status()
}

fn set(keys: &[&Es256]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}

/// RFC 8725 section 3.10. The attacker's server has the key, and the signature is right under it.
#[test]
fn what_a_token_names_is_never_fetched() {
    let (issuer, attacker, upstream) = (Recorder::start(false), Recorder::start(true), Recorder::start(true));
    let (own, stolen) = (Es256::new("k"), Es256::new("k"));
    issuer.script(vec![json!({"path": "/keys", "body": set(&[&own])})]);
    attacker.script(vec![json!({"path": "/keys", "body": set(&[&stolen])})]);
    let there = format!("http://127.0.0.1:{}/keys", attacker.port);
    let running = serve(&config(&[format!("http://127.0.0.1:{}/keys", issuer.port)], ""), &upstream);
    running.until("the key", |running| status(running, &own.sign(&json!({}), &claims())) == 200);
    upstream.take();
    let rows = [
        json!({"jku": there}),
        json!({"x5u": there}),
        json!({"kid": there}),
        json!({"jwk": stolen.jwk()}),
        json!({"jku": there, "x5u": there, "jwk": stolen.jwk(), "kid": "other"}),
        json!({"iss": there, "jku": there, "typ": "at+jwt", "cty": "JWT"}),
    ];
    for header in rows {
        for claims in [claims(), json!({"sub": "s", "exp": 4_000_000_000_u64, "iss": there, "jku": there})] {
            assert_eq!(status(&running, &stolen.sign(&header, &claims)), 401, "{header}");
        }
    }
    assert_eq!((attacker.take(), upstream.take()), (Vec::new(), Vec::new()));
}

/// Whoever sends names of keys that nobody has must not be able to make this server attack its issuer.
#[test]
fn unknown_keys_cost_the_issuer_at_most_one_fetch_in_an_interval() {
    let (issuer, upstream) = (Recorder::start(false), Recorder::start(true));
    let own = Es256::new("k");
    issuer.script(vec![json!({"path": "/keys", "body": set(&[&own])})]);
    let location = format!("http://127.0.0.1:{}/keys", issuer.port);
    let running = serve(&config(&[location], ", jwks_ttl: 1h, jwks_max_wait: 100ms"), &upstream);
    running.until("the key", |running| status(running, &own.sign(&json!({}), &claims())) == 200);
    issuer.take();
    let begun = std::time::Instant::now();
    for number in 0..200 {
        let token = own.sign(&json!({"kid": format!("unknown-{number}")}), &claims());
        assert_eq!(status(&running, &token), 401);
    }
    // One in each ten seconds, however slow this machine is.
    let intervals = usize::try_from(begun.elapsed().as_secs() / 10).unwrap() + 1;
    let fetches = issuer.take().len();
    assert!(fetches <= intervals, "{fetches} in {intervals} intervals");
}

/// Envoy: a key set whose fetch failed while the configuration was exchanged brought the
/// process down. Here every request with a good token is served meanwhile.
fn a_fetch_that_fails_during_a_reload_harms_no_request() {
    let (issuer, broken, upstream) = (Recorder::start(false), Recorder::start(false), Recorder::start(true));
    let own = Es256::new("k");
    issuer.script(vec![json!({"path": "/keys", "body": set(&[&own])})]);
    let faults = [
        json!({"path": "/0", "status": 500}),
        json!({"path": "/1", "body": "{\"keys\": ["}),
        json!({"path": "/2", "delay_ms": 300, "status": 500}),
        json!({"path": "/3", "status": 302, "headers": {"Location": "/keys"}}),
    ];
    broken.script(faults.to_vec());
    let good = format!("http://127.0.0.1:{}/keys", issuer.port);
    let running = serve(&config(std::slice::from_ref(&good), ", jwks_ttl: 1s"), &upstream);
    let token = own.sign(&json!({}), &claims());
    running.until("the key", |running| status(running, &token) == 200);
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(status(&running, &token), 200, "{}", running.log());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..20 {
            // The set that works comes first: a token is judged by the first set that has its key.
            let bad = format!("http://127.0.0.1:{}/{}", broken.port, round / 2 % faults.len());
            let locations = if round % 2 == 0 { vec![good.clone(), bad] } else { vec![good.clone()] };
            running.replace("config.yaml", &config(&locations, ", jwks_ttl: 1s, jwks_max_wait: 50ms"));
            running.signal("HUP");
            thread::sleep(Duration::from_millis(50));
        }
        running
            .until("the reloads", |running| running.metric("keyward_reloads_total").is_some_and(|count| count >= 5.0));
        over.store(true, Ordering::Relaxed);
    });
    assert!(served.load(Ordering::Relaxed) > 0 && !broken.take().is_empty());
    assert_eq!(running.metric("keyward_panics_total").unwrap_or(0.0), 0.0);
    running.until("the last configuration", |running| status(running, &token) == 200);
}

same_flaw!(a_fetch_that_fails_during_a_reload_harms_no_request:
    cve_2025_64527_failing_fetches,
    cve_2024_45809_failing_fetches,
);
