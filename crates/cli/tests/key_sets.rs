//! Where the keys of `jwt` come from and how long they are good, with the real binary.

#![allow(clippy::unwrap_used)]

use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};

/// In seconds: beyond any run of this test.
const FAR: u64 = 4_000_000_000;

struct Caller {
    key: Value,
    token: String,
}

fn caller(key_id: &str) -> Caller {
    let key = generate("ES256", key_id, 0).unwrap();
    let signing = SigningKey::read(key.to_string().as_bytes(), None, None).unwrap();
    let token = signing.sign(&json!({"sub": "s", "exp": FAR})).unwrap();
    Caller { key, token }
}

fn set(callers: &[&Caller]) -> Value {
    json!({"keys": callers.iter().map(|caller| &caller.key).collect::<Vec<_>>()})
}

fn status(running: &Running, caller: &Caller) -> u16 {
    running.get("/", &[("Host", "h"), ("Authorization", &format!("Bearer {}", caller.token))]).status()
}

fn serve(locations: &str, jwt: &str, upstream: u16, keyward: Keyward) -> Running {
    let config = format!(
        "authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: [{locations}], allowed_algorithms: [ES256]{jwt}}}}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n"
    );
    let rules = format!(
        "- id: r\n  match: {{url: 'http://h/<.*>', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: 'http://127.0.0.1:{upstream}'}}\n"
    );
    keyward.with(&config, &rules).start()
}

/// [T] of pipeline spec 3.2. Sets of three servers and of three files; one server has what is no set, and takes no other with it. The reference
/// asks them when a token comes; here they are asked before (`jwks-background`).
#[test]
fn a_key_is_found_in_whichever_set_has_it() {
    let (stub, upstream) = (Recorder::start(false), Recorder::start(true));
    let callers = ["slow", "delayed", "fast", "faster", "file-1", "file-2", "file-3", "nowhere"].map(caller);
    let [slow, delayed, fast, faster, first, second, third, nowhere] = &callers;
    stub.script(vec![
        json!({"path": "/slow", "delay_ms": 4000, "body": set(&[slow])}),
        json!({"path": "/delayed", "delay_ms": 50, "body": set(&[delayed])}),
        json!({"path": "/fast", "body": set(&[fast, faster])}),
        json!({"path": "/invalid", "body": "invalid json"}),
    ]);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let mut locations: Vec<String> =
        ["slow", "delayed", "fast", "invalid"].map(|name| format!("'http://127.0.0.1:{}/{name}'", stub.port)).into();
    for (number, caller) in [first, second, third].into_iter().enumerate() {
        let path = keyward.write(&format!("{number}.json"), &set(&[caller]).to_string());
        locations.push(format!("'file://{}'", path.display()));
    }
    let running = serve(&locations.join(", "), ", jwks_max_wait: 100ms", upstream.port, keyward);
    // At once: nobody waits for the slow one longer than `jwks_max_wait`.
    assert_eq!(status(&running, slow), 401);
    assert_eq!(status(&running, nowhere), 401);
    for found in [delayed, fast, faster, first, second, third] {
        running.until("a key of a set that answers", |running| status(running, found) == 200);
    }
    // Later, without being asked for again.
    running.until("the slow set", |running| status(running, slow) == 200);
    assert_eq!(status(&running, nowhere), 401);
}

/// [T] of pipeline spec 3.2. The reference goes on with an old set only while a server hangs; here one that answers badly leaves it, too.
#[test]
fn a_set_is_good_after_its_server_has_gone() {
    let (stub, upstream) = (Recorder::start(false), Recorder::start(true));
    let caller = caller("kept");
    stub.script(vec![json!({"path": "/keys", "body": set(&[&caller])})]);
    let location = format!("'http://127.0.0.1:{}/keys'", stub.port);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let running = serve(&location, ", jwks_ttl: 1s", upstream.port, keyward);
    running.until("the key", |running| status(running, &caller) == 200);
    stub.script(Vec::new());
    stub.take();
    running.until("two failed attempts", |running| {
        assert_eq!(status(running, &caller), 200);
        !stub.take().is_empty()
    });
    assert_eq!(status(&running, &caller), 200);
}

/// A file that is not there is named before and while it is missed; a server waits for it only where a rule needs it.
#[test]
fn key_sets_that_are_not_there_are_named() {
    let (used, idle) = ("rules that use it deny, and the server is not ready", "no rule uses it");
    for (mutator, is_used) in [("id_token", true), ("noop", false)] {
        let server = || {
            let config = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                          mutators:\n  noop: {enabled: true}\n  id_token:\n    enabled: true\n    \
                          config: {issuer_url: \"http://i/\", jwks_url: \"file:///no/such/keys.json\"}\n";
            let rules = format!(
                "- id: r\n  match: {{url: \"http://h/\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
                 authorizer: {{handler: allow}}\n  mutators: [{{handler: {mutator}}}]\n  \
                 upstream: {{url: \"http://127.0.0.1:1\"}}\n"
            );
            Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(config, &rules)
        };
        for command in [["config", "check"], ["rules", "lint"]] {
            let (code, out, err) = server().run(&command);
            let expected = "warning: the key set `file:///no/such/keys.json` cannot be read: No such file";
            for part in [expected, "config.yaml:7:", if is_used { used } else { idle }] {
                assert!(code == 0 && err.contains(part), "{mutator}: `{part}` is missing in\n{out}{err}");
            }
        }
        let running = server().start();
        running.until("the attempt", |running| running.log().contains("a key set could not be fetched"));
        assert!(running.log().contains("file:///no/such/keys.json"), "{}", running.log());
        let ready = running.api("/health/ready").unwrap();
        assert_eq!(ready.status(), if is_used { 503 } else { 200 }, "{}", ready.text());
        assert_eq!(ready.text().contains("file:///no/such/keys.json"), is_used);
    }
}
