//! What `{:?}` makes of what holds settings and rules.

use keyward_core::document::Node;
use keyward_core::document::decode;
use keyward_core::rule::model::RuleDefinition;
use keyward_server::config::load::load;
use keyward_testkit::canaries::assert_clean;
use serde_json::Value;

use crate::stage::Stage;

#[test]
fn no_secret_is_in_what_debug_shows_of_settings_and_rules() {
    let stage = Stage::new("text", "remove", false);
    let inline = stage.canaries.filled("«inline key of TLS»");
    let variables = [
        ("SERVE_API_TLS_KEY_BASE64", inline.as_str()),
        ("SERVE_API_TLS_CERT_BASE64", "Y2VydA=="),
        ("CLIENT", &stage.canaries.filled("«client secret in a variable»")),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loaded = load(&[stage.keyward().path("config.yaml")], &variables).unwrap_or_else(|found| panic!("{found:#?}"));
    let config = std::fs::read(stage.keyward().path("config.yaml")).unwrap();
    assert!(stage.canaries.found_in(&config).len() > 6, "they are in what was read");
    assert_clean(&stage.canaries, "the settings", format!("{loaded:?} {loaded:#?}").as_bytes(), false);

    let rules: Vec<Value> =
        serde_json::from_slice(&std::fs::read(stage.keyward().path("rules.json")).unwrap()).unwrap();
    for rule in rules {
        let node = Node::from_json(&rule, "rules");
        let definition: RuleDefinition = decode(&node).unwrap();
        assert_clean(&stage.canaries, "a rule", format!("{node:?} {definition:?}").as_bytes(), false);
    }
}
