//! What `/.well-known/jwks.json` of the API port publishes.

#![allow(clippy::unwrap_used)]

use keyward_core::jwt::generate::generate;
use keyward_testkit::process::Keyward;
use serde_json::{Value, json};

/// [T] of serving spec 7.7 and of pipeline spec 3.2 and 3.3: a file that holds no set is passed over.
#[test]
fn two_key_files_with_three_keys_are_published_without_what_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let keys: Vec<Value> = ["a", "b", "c"].iter().map(|id| generate("RS256", id, 2048).unwrap()).collect();
    let public = |key: &Value| {
        let members = key.as_object().unwrap().iter();
        Value::from_iter(
            members
                .filter(|(name, _)| ["kty", "n", "e", "kid", "alg", "use"].contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        )
    };
    let file = |name: &str, keys: Vec<Value>| {
        let path = directory.path().join(name);
        std::fs::write(&path, json!({"keys": keys}).to_string()).unwrap();
        format!("file://{}", path.display())
    };
    let everywhere = file("public.json", vec![public(&keys[0]), public(&keys[1])]);
    let of_the_rule = file("private.json", vec![keys[2].clone()]);
    assert!(keys[2]["d"].is_string());
    let none = directory.path().join("none.json");
    std::fs::write(&none, "invalid json").unwrap();
    let config = format!(
        "authenticators: {{anonymous: {{enabled: true}}}}\nauthorizers: {{allow: {{enabled: true}}}}\n\
         mutators: {{id_token: {{enabled: true, config: {{issuer_url: 'https://i/', jwks_url: '{everywhere}'}}}}}}\n"
    );
    let rule = |id: &str, file: &str| {
        format!(
            "- id: {id}\n  match: {{url: 'http://{id}/<.*>', methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: id_token, config: {{jwks_url: '{file}'}}}}]\n  \
             upstream: {{url: 'http://127.0.0.1:9'}}\n"
        )
    };
    let rules = rule("r", &of_the_rule) + &rule("none", &format!("file://{}", none.display()));
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules).start();
    running.until("both key sets", |running| {
        let answer = running.api("/.well-known/jwks.json").unwrap();
        let document: Value = serde_json::from_str(&answer.text()).unwrap();
        let mut published = document["keys"].as_array().unwrap().clone();
        published.sort_by_key(|key| key["kid"].as_str().unwrap().to_owned());
        published == keys.iter().map(public).collect::<Vec<_>>()
    });
}
