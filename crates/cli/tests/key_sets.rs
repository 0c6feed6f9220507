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

/// Ready is who has had every set once. From then on a set that fails, and one that only a reload brings, is named and no more.
#[test]
fn readiness_names_each_set_and_how_it_is_doing() {
    let (stub, upstream) = (Recorder::start(false), Recorder::start(true));
    let caller = caller("known");
    let good = || json!({"path": "/good", "body": set(&[&caller])});
    stub.script(vec![good()]);
    let location = |name: &str| format!("http://127.0.0.1:{}/{name}", stub.port);
    let locations = format!("'{}', '{}?key=s3cr3t'", location("good"), location("late"));
    let running = serve(&locations, ", jwks_ttl: 1s", upstream.port, Keyward::new(env!("CARGO_BIN_EXE_keyward")));
    let ready = |query: &str| running.api(&format!("/health/ready{query}")).unwrap();
    let late = format!("{}?[redacted]", location("late"));
    let source = |name: &str| {
        let body: Value = serde_json::from_str(&ready("?verbose").text()).unwrap();
        let found = body["sources"].as_array().unwrap().iter().find(|source| source["name"] == *name);
        found.cloned().unwrap_or_else(|| panic!("{name} is missing in {body}"))
    };
    let is = |name: &str, state: &str| source(name)["state"] == *state;
    running.until("the good one", |_| is(&location("good"), "fresh"));
    assert!(is(&late, "missing") && source(&late)["problem"].as_str().unwrap().contains("status 404"));
    assert_eq!((ready("").status(), ready("?verbose").status()), (503, 503));
    let told = ready("").text();
    assert!(told.contains(&format!("\"key_sets\":\"not fetched yet: {late}: ")), "{told}");
    assert!(told.contains("status 404") && told.contains(" (check the URL"), "{told}");
    let endpoint = format!("http://127.0.0.1:{}", running.api);
    let command =
        || Keyward::new(env!("CARGO_BIN_EXE_keyward")).run(&["health", "ready", "--verbose", "--endpoint", &endpoint]);
    let (code, out, err) = command();
    assert!(code == 1 && out.contains("missing") && out.contains("status 404") && err.contains("503"), "{out}{err}");

    stub.script(vec![good(), json!({"path": "/late", "body": {"keys": []}})]);
    running.until("readiness", |_| ready("").status() == 200);
    assert_eq!(ready("").text(), "{\"status\":\"ok\"}\n");
    assert!(is(&late, "fresh") && source(&late)["problem"].as_str().unwrap().contains("no key"));
    let (code, out, _) = command();
    assert!(code == 0 && out.contains("KIND") && out.ends_with("{\n\t\"status\": \"ok\"\n}\n"), "{out}");

    stub.script(Vec::new());
    running.until("both failing", |_| is(&late, "stale") && is(&location("good"), "stale"));
    assert_eq!((ready("").status(), status(&running, &caller)), (200, 200));
    let failures = format!("keyward_key_set_fetch_failures_total{{location=\"{}\"}}", location("good"));
    assert!(running.metric(&failures).is_some_and(|count| count >= 1.0));
    let age = format!("keyward_key_set_age_seconds{{location=\"{late}\"}}");
    running.until("growing old", |running| running.metric(&age).is_some_and(|age| age >= 2.0));
    assert!(!ready("?verbose").text().contains("s3cr3t") && !running.log().contains("s3cr3t"));

    // What a reload brings has never been had, and what it takes away is forgotten.
    let config = std::fs::read_to_string(running.path("config.yaml")).unwrap();
    running.replace("config.yaml", &config.replace("/late?key=s3cr3t", "/other"));
    running.until("the reload", |running| running.metric("keyward_reloads_total") == Some(1.0));
    assert!(is(&location("other"), "missing") && ready("").status() == 200);
    running.until("forgetting it", |running| running.metric(&age).is_none());
    stub.script(vec![good()]);
    running.until("coming back", |_| is(&location("good"), "fresh"));
    assert_eq!(source(&location("good"))["problem"], Value::Null);
}

#[test]
fn a_ceiling_that_takes_every_key_at_once_is_refused() {
    let config = |value: &str| {
        format!(
            "authenticators:\n  jwt:\n    enabled: true\n    config:\n      jwks_urls: [\"file:///k\"]\n      jwks_max_stale: {value}\n"
        )
    };
    for (value, problem) in
        [("9s", "`authenticators.jwt.config.jwks_max_stale`: less than `10s`"), ("soon", "jwks_max_stale")]
    {
        let (code, _, err) =
            Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(value), "[]").run(&["config", "check"]);
        assert!(code == 1 && err.contains(problem) && err.contains("config.yaml:6:23"), "{value}: {code} {err}");
    }
    for value in ["10s", "1h30m"] {
        let (code, _, err) =
            Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(value), "[]").run(&["config", "check"]);
        assert_eq!(code, 0, "{value}: {err}");
    }
}
