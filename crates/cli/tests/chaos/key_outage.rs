//! An issuer whose key set cannot be had for a while.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::tokens::Es256;
use serde_json::json;

/// The least that can be set.
const MAX_STALE: Duration = Duration::from_secs(10);

fn serve(issuer: &Recorder, upstream: &Recorder) -> Running {
    let config = format!(
        "authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: [\"http://127.0.0.1:{}/keys\"], \
         allowed_algorithms: [ES256], jwks_ttl: 1s, jwks_max_stale: 10s, jwks_max_wait: 100ms}}}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n",
        issuer.port
    );
    let rules = format!(
        "- id: r\n  match: {{url: 'http://h/<.*>', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  upstream: {{url: 'http://127.0.0.1:{}'}}\n",
        upstream.port
    );
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).start()
}

fn status(running: &Running, token: &str) -> u16 {
    running.get("/", &[("Host", "h"), ("Authorization", &format!("Bearer {token}"))]).status()
}

#[test]
fn tokens_are_good_for_as_long_as_their_keys_may_be_stale_then_refused_and_good_again() {
    let (issuer, upstream) = (Recorder::start(false), Recorder::start(true));
    let key = Es256::new("k");
    let set = || vec![json!({"path": "/keys", "body": {"keys": [key.jwk()]}})];
    issuer.script(set());
    let running = serve(&issuer, &upstream);
    // Each token is new: nothing that was verified before helps.
    let mut number = 0;
    let mut ask = || {
        number += 1;
        let token = key.sign(&json!({}), &json!({"sub": number.to_string(), "exp": 4_000_000_000_u64}));
        status(&running, &token)
    };
    let mut until = |what: &str, patience: Duration, status: u16, other: u16| {
        let begun = Instant::now();
        loop {
            match ask() {
                given if given == status => return begun.elapsed(),
                given => assert_eq!(given, other, "{what}"),
            }
            assert!(begun.elapsed() < patience, "{what} did not happen:\n{}", running.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the first key", PATIENCE, 200, 401);

    issuer.script(Vec::new());
    // The last good set was confirmed a fetch ago at most.
    let lasted = until("the end of the last good set", MAX_STALE + PATIENCE, 401, 200);
    assert!(lasted + Duration::from_secs(3) >= MAX_STALE, "{lasted:?}");
    let denied = "keyward_denials_total{reason=\"key_unavailable\"}";
    running.until("being named", |running| running.metric(denied).is_some_and(|count| count >= 1.0));
    let ready = running.api("/health/ready?verbose").unwrap();
    assert!(ready.text().contains("\"missing\""), "{}", ready.text());

    issuer.script(set());
    // Attempts go on, half a minute apart at most.
    until("the way back", Duration::from_secs(40), 200, 401);
}

/// What was verified is remembered, and its end is looked at each time.
#[test]
fn a_token_that_was_good_before_ends_when_it_says() {
    let (issuer, upstream) = (Recorder::start(false), Recorder::start(true));
    let key = Es256::new("k");
    issuer.script(vec![json!({"path": "/keys", "body": {"keys": [key.jwk()]}})]);
    let running = serve(&issuer, &upstream);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = key.sign(&json!({}), &json!({"sub": "s", "exp": now + 6}));
    let ask = |running: &Running| status(running, &token);
    running.until("the first key", |running| ask(running) == 200);
    running.until("the end of the token", |running| ask(running) == 401);
    let denied = "keyward_denials_total{reason=\"token_expired\"}";
    running.until("being named", |running| running.metric(denied).is_some_and(|count| count >= 1.0));
    assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() >= now + 6);
}
