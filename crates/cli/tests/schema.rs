//! The JSON Schemas that `config schema` prints: they take what Keyward takes, refuse what it refuses, and
//! say what is wrong where.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use keyward_core::diagnostic::Severity;
use keyward_core::document::to_json;
use keyward_server::check;
use keyward_server::config::yaml::{Dialect, parse};
use keyward_testkit::process::Keyward;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// As the command prints them.
fn printed(arguments: &[&str]) -> Value {
    let (code, out, err) = Keyward::new(env!("CARGO_BIN_EXE_keyward")).run(arguments);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

struct Schemas {
    configuration: Validator,
    rules: Validator,
}

fn schemas() -> Schemas {
    let compile = |schema: Value| {
        assert_eq!(jsonschema::meta::validate(&schema).err().map(|error| error.to_string()), None);
        jsonschema::draft7::new(&schema).unwrap()
    };
    Schemas {
        configuration: compile(printed(&["config", "schema"])),
        rules: compile(printed(&["config", "schema", "--rules"])),
    }
}

fn read(text: &str, dialect: Dialect) -> Value {
    to_json(&parse(text, "file", dialect).unwrap())
}

/// Every finding: where it is and what it is about.
fn findings(schema: &Validator, document: &Value) -> Vec<String> {
    schema.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_example_fits() {
    let schemas = schemas();
    let mut seen = 0;
    for directory in ["examples/poc/oathkeeper", "examples/use-cases"] {
        for (file, schema, dialect) in
            [("oathkeeper.yaml", &schemas.configuration, Dialect::Core), ("rules.yaml", &schemas.rules, Dialect::Rules)]
        {
            let text = fs::read_to_string(root().join(directory).join(file)).unwrap();
            assert_eq!(findings(schema, &read(&text, dialect)), [""; 0], "{directory}/{file}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

/// The recorded scenarios are hundreds of configurations and rule files: what Keyward takes without an
/// error, the schemas take.
#[test]
fn what_keyward_takes_fits() {
    let schemas = schemas();
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().display().to_string();
    let mut fitting = 0;
    for file in files(&root().join("conformance/scenarios")) {
        let scenario: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let (Some(config), Some(rules)) = (scenario["config"].as_str(), scenario["rules"].as_str()) else { continue };
        let expand = |text: &str| {
            let ports = ["PROXY_PORT", "API_PORT", "METRICS_PORT", "CLOSED_PORT"];
            let text = ports.iter().fold(text.to_owned(), |text, name| text.replace(&format!("${{{name}}}"), "4455"));
            let text = ["UPSTREAM", "STUB"]
                .iter()
                .fold(text, |text, name| text.replace(&format!("${{{name}}}"), "http://127.0.0.1:1"));
            text.replace("${DIR}", &base)
        };
        // An empty file is no document that a schema could describe.
        if config.trim().is_empty() {
            continue;
        }
        let (config, rules) = (expand(config), expand(rules));
        let path = directory.path().join("config.yaml");
        fs::write(&path, &config).unwrap();
        fs::write(directory.path().join("rules.yaml"), &rules).unwrap();
        let Ok(check::Linted { built, .. }) = check::rules(&[path], &[]) else { continue };
        // Keys in another letter case are understood, but the schemas know one spelling.
        let faulty = |finding: &keyward_core::diagnostic::Diagnostic| {
            finding.severity == Severity::Error || finding.message.contains("is taken for")
        };
        if !built.unread.is_empty() || built.findings.iter().any(faulty) {
            continue;
        }
        let name = file.display();
        assert_eq!(findings(&schemas.configuration, &read(&config, Dialect::Core)), [""; 0], "{name}\n{config}");
        assert_eq!(findings(&schemas.rules, &read(&rules, Dialect::Rules)), [""; 0], "{name}\n{rules}");
        fitting += 1;
    }
    assert!(fitting > 50, "only {fitting}");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_is_wrong_is_found_where_it_is() {
    let schemas = schemas();
    // (document, where, what)
    let configurations = [
        (json!({"serve": {"proxy": {"prt": 1}}}), "/serve/proxy", "prt"),
        (json!({"serve": {"proxy": {"port": 70000}}}), "/serve/proxy/port", "65535"),
        (json!({"serve": {"proxy": {"timeout": {"idle": "1m30s"}}}}), "/serve/proxy/timeout/idle", "1m30s"),
        (json!({"authenticators": {"jwtt": {}}}), "/authenticators", "jwtt"),
        (json!({"authenticators": {"noop": {"config": {}}}}), "/authenticators/noop", "config"),
        (
            json!({"authenticators": {"jwt": {"enabled": true, "config": {"jwks_url": "x"}}}}),
            "/authenticators/jwt/config",
            "jwks_url",
        ),
        (
            json!({"authenticators": {"jwt": {"enabled": true, "config": {"scope_strategy": "exakt"}}}}),
            "/authenticators/jwt/config/scope_strategy",
            "exact",
        ),
        (
            json!({"errors": {"handlers": {"json": {"config": {"verbos": true}}}}}),
            "/errors/handlers/json/config",
            "verbos",
        ),
        (json!({"access_rules": {"matching_strategy": "globb"}}), "/access_rules/matching_strategy", "glob"),
        (
            json!({"mutators": {"header": {"enabled": true, "config": {"headers": {"X-A": 1}}}}}),
            "/mutators/header/config/headers/X-A",
            "string",
        ),
        (json!([]), "", "object"),
    ];
    let rule = |part: Value| {
        let mut rule = json!({
            "id": "r", "match": {"url": "http://h/", "methods": ["GET"]},
            "authenticators": [{"handler": "noop"}], "authorizer": {"handler": "allow"}, "mutators": [{"handler": "noop"}],
        });
        for (key, value) in part.as_object().unwrap() {
            rule[key] = value.clone();
        }
        json!([rule])
    };
    let rules = [
        (rule(json!({"matches": {}})), "/0", "matches"),
        (rule(json!({"match": {"url": "http://h/"}})), "/0/match", "methods"),
        (rule(json!({"authenticators": [{"handler": "jwtt"}]})), "/0/authenticators/0/handler", "jwt"),
        (
            rule(json!({"authenticators": [{"handler": "jwt", "config": {"required_scopes": []}}]})),
            "/0/authenticators/0/config",
            "required_scopes",
        ),
        (rule(json!({"mutators": []})), "/0/mutators", "less than 1"),
        (rule(json!({"authorizers": [{"handler": "allow"}]})), "/0", "more than one"),
        (rule(json!({"upstream": {"strip_paths": "/a"}})), "/0/upstream", "strip_paths"),
        (
            rule(json!({"errors": [{"handler": "redirect", "config": {"to": "/l", "when": [{"error": ["gone"]}]}}]})),
            "/0/errors/0/config/when/0/error/0",
            "forbidden",
        ),
        (json!({}), "", "array"),
    ];
    assert_eq!(findings(&schemas.rules, &rule(json!({}))), [""; 0]);
    let rows = configurations.iter().map(|row| (&schemas.configuration, row));
    for (schema, (document, place, what)) in rows.chain(rules.iter().map(|row| (&schemas.rules, row))) {
        let found = findings(schema, document);
        let expected = found.iter().any(|finding| finding.starts_with(&format!("{place}: ")) && finding.contains(what));
        assert!(expected, "{document}: {found:#?}");
    }
}

/// A rule brings only what differs from the configuration, and a disabled handler is not looked at.
#[test]
fn settings_may_be_partial_and_what_is_off_may_be_anything() {
    let schemas = schemas();
    let rows = [
        json!({"authenticators": {"jwt": {"enabled": true, "config": {"trusted_issuers": ["i"]}}}}),
        json!({"authenticators": {"jwt": {"enabled": false, "config": {"nosuch": 1}}}}),
        json!({"mutators": {"header": {"enabled": true, "config": null}}, "errors": null}),
        json!({"serve": {"proxy": {"tls": null}}}),
    ];
    for document in rows {
        assert_eq!(findings(&schemas.configuration, &document), [""; 0], "{document}");
    }
}

/// The files that editors are pointed at are what this binary prints.
#[test]
fn the_schemas_name_their_dialect_and_explain_every_setting() {
    for schema in [printed(&["config", "schema"]), printed(&["config", "schema", "--rules"])] {
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        unexplained(&schema, "");
    }
}

fn unexplained(schema: &Value, place: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                let below = format!("{place}/{key}");
                if key == "properties" && !place.ends_with("/properties") {
                    for (name, property) in value.as_object().unwrap() {
                        let described = property["description"].as_str().is_some_and(|text| !text.is_empty());
                        assert!(described, "{below}/{name} has no description: {property}");
                        unexplained(property, &format!("{below}/{name}"));
                    }
                } else if !["if", "then", "else", "allOf", "oneOf"].contains(&key.as_str()) {
                    // Conditions narrow down what is described beside them.
                    unexplained(value, &below);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| unexplained(value, place)),
        _ => {}
    }
}
