//! What the JSON Schemas say of a document, Keyward says when it loads it: both look at the same documents.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use keyward_core::diagnostic::{Diagnostic, Severity};
use keyward_core::document::to_json;
use keyward_server::config::yaml::{Dialect, parse};
use keyward_server::{check, schema};
use serde_json::{Map, Value, json};

/// A key without a value counts as not written, with a warning; a schema can only refuse it.
fn is_fault(finding: &Diagnostic) -> bool {
    finding.severity == Severity::Error || finding.message.ends_with("has no value")
}

fn written(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Whether nothing is wrong with a configuration, but for what its rules make of it.
fn starts(directory: &Path, text: &str) -> bool {
    check::settings(&[written(directory, "config.yaml", text)], &[])
        .is_ok_and(|checked| !checked.findings.iter().any(is_fault))
}

fn fits(schema: &Validator, text: &str, dialect: Dialect) -> bool {
    parse(text, "file", dialect).is_ok_and(|node| schema.is_valid(&to_json(&node)))
}

fn compiled(schema: &Value) -> Validator {
    jsonschema::draft7::new(schema).unwrap()
}

/// (a configuration, whether it can be used)
const CONFIGURATIONS: [(&str, bool); 97] = [
    ("serve: {proxy: {limits: {queue_time: 0s}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 000ms}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 5ms}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 10ms}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 005ms}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 4ms}}}\n", false),
    ("serve: {proxy: {limits: {queue_time: 5000us}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 4999us}}}\n", false),
    ("serve: {proxy: {limits: {queue_time: 1s}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 5000000ns}}}\n", true),
    ("serve: {proxy: {limits: {queue_time: 4999999ns}}}\n", false),
    ("serve: {proxy: {limits: {queue_time: 1m30s}}}\n", false),
    ("serve: {proxy: {limits: {requests: 0}}}\n", false),
    ("serve: {proxy: {limits: {requests: 1}}}\n", true),
    ("version: v0.40.0\n", true),
    ("version: v0.40.0-rc.1+b\n", true),
    ("version: v0.40\n", false),
    ("version: \"1\"\n", false),
    ("errors: {fallback: [json, www_authenticate], handlers: {www_authenticate: {enabled: true}}}\n", true),
    ("errors: {fallback: [nosuch]}\n", false),
    ("errors: {fallback: [www_authenticate]}\n", false),
    ("errors: {fallback: []}\n", true),
    ("errors: {fallback: [], handlers: {json: {enabled: false}}}\n", true),
    ("errors: {handlers: {json: {enabled: false}}}\n", false),
    ("errors: {handlers: {json: {enabled: null, note: 1}}}\n", false),
    ("errors: {handlers: {json: {enabled: false, note: 1}}, fallback: []}\n", true),
    ("errors: {fallback: [redirect], handlers: {redirect: {enabled: true, config: {to: /l}}}}\n", true),
    ("errors: {fallback: [redirect], handlers: {redirect: {enabled: true, config: {code: 301}}}}\n", false),
    ("errors: {fallback: [redirect], handlers: {redirect: {enabled: true}}}\n", false),
    ("errors: {fallback: [redirect], handlers: {redirect: {enabled: false, config: {to: /l}}}}\n", false),
    ("errors: {handlers: {redirect: {enabled: true, config: {code: 301}}}}\n", true),
    ("errors: {handlers: {redirect: {enabled: true, config: {to: /l, code: 301}}}}\n", true),
    ("errors: {handlers: {redirect: {enabled: true, config: {to: /l, code: 303}}}}\n", false),
    ("errors: {handlers: {redirect: {enabled: false, config: {to: /l, code: 303}}}}\n", true),
    ("authenticators: {jwt: {enabled: false, note: 1, config: {nosuch: 1}}}\n", true),
    ("authenticators: {jwt: {note: 1, config: 7}}\n", true),
    ("authenticators: {jwt: {enabled: true, note: 1}}\n", false),
    ("authenticators: {jwt: {enabled: true, config: {nosuch: 1}}}\n", false),
    ("authenticators: {jwt: {enabled: true, config: 7}}\n", false),
    ("authenticators: {jwt: }\n", true),
    ("authenticators: {anonymous: {enabled: false, note: 1}}\n", false),
    ("authenticators: {anonymous: {enabled: false, config: {note: 1}}}\n", false),
    ("authenticators: {anonymous: {enabled: true, config: {subject: }}}\n", false),
    ("authenticators: {noop: {enabled: false, config: {}}}\n", false),
    ("authorizers: {allow: {enabled: true, config: {}}}\n", false),
    ("mutators: {header: {enabled: true, config: }}\n", true),
    ("audit: {sink: file}\n", false),
    ("audit: {sink: file, path: \"\"}\n", false),
    ("audit: {sink: file, path: a.log}\n", true),
    ("audit: {sink: stdout}\n", true),
    ("audit: {sink: file, path: a.log, rotate: {max_bytes: 65536, keep: 1}}\n", true),
    ("audit: {sink: file, path: a.log, rotate: {every: 24h}}\n", true),
    ("audit: {sink: file, path: a.log, rotate: }\n", true),
    ("audit: {sink: file, path: a.log, rotate: {}}\n", false),
    ("audit: {sink: file, path: a.log, rotate: {keep: 3}}\n", false),
    ("audit: {sink: file, path: a.log, rotate: {max_bytes: 65535}}\n", false),
    ("audit: {sink: file, path: a.log, rotate: {every: daily}}\n", false),
    ("audit: {sink: file, path: a.log, rotate: {every: 24h, keep: 0}}\n", false),
    ("audit: {sink: tcp, url: \"tcp://127.0.0.1:9\"}\n", true),
    ("audit: {sink: syslog, url: \"tls://127.0.0.1:9\", syslog: {facility: local7, app_name: a}}\n", true),
    ("audit: {sink: stdout, rotate: {every: 24h}}\n", false),
    ("audit: {rotate: {every: 24h}}\n", false),
    ("audit: {sink: stdout, rotate: , url: , syslog: }\n", true),
    ("audit: {sink: file, path: a.log, url: \"tcp://127.0.0.1:9\"}\n", false),
    ("audit: {sink: tcp, url: \"tcp://127.0.0.1:9\", syslog: {app_name: a}}\n", false),
    ("audit: {sink: tcp}\n", false),
    ("audit: {sink: syslog}\n", false),
    ("audit: {sink: syslog, url: \"udp://127.0.0.1:9\"}\n", false),
    ("audit: {sink: tcp, url: 127.0.0.1:9}\n", false),
    ("audit: {sink: syslog, url: \"tcp://127.0.0.1:9\", syslog: {facility: local8}}\n", false),
    ("audit: {sink: syslog, url: \"tcp://127.0.0.1:9\", syslog: {app_name: \"a b\"}}\n", false),
    ("serve: {proxy: {host: 127.0.0.1}, api: {host: \"::1\"}, prometheus: {host: localhost}}\n", true),
    ("serve: {proxy: {host: proxy.example}}\n", false),
    ("serve: {proxy: {workers: 0}}\n", false),
    ("serve: {proxy: {limits: {headers: 0}}}\n", false),
    ("serve: {proxy: {limits: {body_bytes: 0}}}\n", true),
    ("serve: {proxy: {limits: {token_cache_bytes: 0}}}\n", true),
    ("serve: {proxy: {limits: {token_cache_bytes: -1}}}\n", false),
    ("serve: {proxy: {limits: {token_cache_bytes: 16MiB}}}\n", false),
    ("serve: {proxy: {cors: {allowed_origins: [a, a]}}}\n", false),
    ("serve: {api: {cors: {exposed_headers: [\"\"]}}}\n", false),
    ("serve: {prometheus: {metric_name_prefix: a-b}}\n", false),
    ("access_rules: {repositories: [\"https://a/b\", {url: \"https://a/c\"}]}\n", true),
    ("access_rules: {repositories: [{url: \"https://a/c\", refresh_interval: 5s}]}\n", true),
    ("access_rules: {repositories: [{url: \"https://a/c\", refresh_intervall: 5s}]}\n", false),
    ("access_rules: {repositories: [{refresh_interval: 5s}]}\n", false),
    ("access_rules: {repositories: [7]}\n", false),
    ("access_rules: {repositories: [{url: \"https://a/c\", public_key: RWT}]}\n", false),
    (
        "access_rules: {repositories: [{url: \"https://a/c\", public_key: RWTiFQnaZdAUfEXPL9R1XM2h780Z1xLY1z3l9YU66ZGNyrTHtvpY4+mC}]}\n",
        true,
    ),
    ("access_rules: {max_document_bytes: 16777216}\n", true),
    ("access_rules: {max_document_bytes: 16777217}\n", false),
    ("access_rules: {cache_dir: /nonexistent/keyward}\n", true),
    ("issuer: {}\n", false),
    ("issuer: {insecure_open: true}\n", true),
    ("issuer: {insecure_open: true, clients: [{id: a, secret_env: A, scopes: [s]}]}\n", false),
    ("issuer: {clients: [{id: a, secret_env: A, scopes: [s]}]}\n", true),
    ("issuer: {clients: [{id: a, secret_env: A, scopes: [\"s t\"]}]}\n", false),
];

#[test]
fn schema_and_start_agree_about_configurations() {
    let directory = tempfile::tempdir().unwrap();
    let schema = compiled(&schema::configuration());
    for (text, expected) in CONFIGURATIONS {
        assert_eq!(starts(directory.path(), text), expected, "start: {text}");
        assert_eq!(fits(&schema, text, Dialect::Core), expected, "schema: {text}");
    }
}

/// What no schema can know: files, and what is written in a form of its own.
const ONLY_AT_START: [&str; 6] = [
    "serve.proxy.tls",
    "serve.api.tls",
    "serve.prometheus.tls",
    "issuer.tls",
    "serve.proxy.upstream.resolve",
    "serve.proxy.upstream.addresses",
];

#[test]
fn schema_and_start_agree_about_every_setting() {
    let schema = schema::configuration();
    let validator = compiled(&schema);
    let mut paths = BTreeSet::new();
    collect(&schema, &schema["definitions"], &mut Vec::new(), &mut paths);
    paths.retain(|path| !ONLY_AT_START.iter().any(|known| path.join(".").starts_with(known)));
    assert!(paths.len() > 200, "only {}", paths.len());
    let paths: Vec<Vec<String>> = paths.into_iter().collect();
    let values = [json!(null), json!(0), json!("x"), json!(["x", "x"]), json!({"x": 1})];
    std::thread::scope(|scope| {
        for part in paths.chunks(paths.len().div_ceil(4)) {
            scope.spawn(|| {
                let directory = tempfile::tempdir().unwrap();
                for (path, value) in part.iter().flat_map(|path| values.iter().map(move |value| (path, value))) {
                    let text = configuration_with(path, value).to_string();
                    assert_eq!(starts(directory.path(), &text), fits(&validator, &text, Dialect::Core), "{text}");
                }
            });
        }
    });
}

/// Every key that a schema knows.
fn collect(schema: &Value, definitions: &Value, path: &mut Vec<String>, paths: &mut BTreeSet<Vec<String>>) {
    if let Some(name) = schema["$ref"].as_str() {
        collect(&definitions[name.strip_prefix("#/definitions/").unwrap()], definitions, path, paths);
    }
    let parts = ["anyOf", "allOf"].iter().flat_map(|key| schema[*key].as_array().into_iter().flatten());
    for part in parts.chain([&schema["then"], &schema["else"]]).filter(|part| part.is_object()) {
        collect(part, definitions, path, paths);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        paths.insert(path.clone());
        collect(property, definitions, path, paths);
        path.pop();
    }
}

/// The handler that a setting belongs to is on: otherwise nobody looks at it.
fn configuration_with(path: &[String], value: &Value) -> Value {
    let handler = if path[0] == "errors" { 3 } else { 2 };
    let wrap = |document: Value, (depth, key): (usize, &String)| {
        let mut map = Map::from_iter([(key.clone(), document)]);
        if depth == handler && key == "config" {
            map.insert("enabled".to_owned(), true.into());
        }
        Value::Object(map)
    };
    path.iter().enumerate().rev().fold(value.clone(), wrap)
}

/// With everything that a rule's handlers need, so that only what the rule itself says can be wrong.
const SETTINGS: &str = r#"
access_rules: {repositories: ["file://${DIR}/rules.yaml"]}
authenticators: {noop: {enabled: true}, jwt: {enabled: true, config: {jwks_urls: ["http://s/"]}}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
errors: {handlers: {redirect: {enabled: true, config: {to: /l}}}}
"#;

fn works(directory: &Path, config: &Path, text: &str) -> bool {
    written(directory, "rules.yaml", text);
    let Ok(linted) = check::rules(&[config.to_owned()], &[]) else { return false };
    linted.built.unread.is_empty() && !linted.built.findings.iter().any(is_fault)
}

/// (what a rule has besides what every rule needs, or instead of it; whether it works)
const RULES: [(&str, bool); 25] = [
    (r#"{}"#, true),
    (r#"{"method": ["GET"]}"#, false),
    (r#"{"id": null, "description": null, "upstream": null, "errors": null}"#, true),
    (r#"{"match": null}"#, false),
    (r#"{"match": {"methods": ["GET"]}}"#, false),
    (r#"{"match": {"url": "", "methods": ["GET"]}}"#, false),
    (r#"{"match": {"url": "http://h/", "method": ["GET"]}}"#, false),
    (r#"{"authenticators": []}"#, false),
    (r#"{"authenticators": null}"#, false),
    (r#"{"authenticators": [{"handler": "nosuch"}]}"#, false),
    (r#"{"authenticators": [{"handler": "noop", "config": {}}]}"#, true),
    (r#"{"authenticators": [{"handler": "jwt", "config": {"required_scope": ["a"]}}]}"#, true),
    (r#"{"authenticators": [{"handler": "jwt", "config": {"required_scopes": ["a"]}}]}"#, false),
    (r#"{"authenticators": [{"handler": "jwt", "required_scope": ["a"]}]}"#, false),
    (r#"{"authorizer": null}"#, false),
    (r#"{"authorizer": null, "authorizers": [{"handler": "allow"}]}"#, true),
    (r#"{"authorizers": null}"#, true),
    (r#"{"authorizers": [{"handler": "allow"}]}"#, false),
    (r#"{"mutators": []}"#, false),
    (r#"{"upstream": {"url": "http://u", "preserveHost": true}}"#, false),
    (r#"{"upstream": {"url": "http://u", "preserve_host": true}}"#, true),
    (r#"{"errors": [{"handler": "redirect", "config": {"to": "/l", "code": 301}}]}"#, true),
    (r#"{"errors": [{"handler": "redirect", "config": {"to": "/l", "code": 303}}]}"#, false),
    (r#"{"errors": [{"handler": "json", "config": {"when": [{"error": ["gone"]}]}}]}"#, false),
    (r#"{"errors": [{"handler": "nosuch"}]}"#, false),
];

#[test]
fn schema_and_start_agree_about_rules() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().display().to_string();
    let config = written(directory.path(), "config.yaml", &SETTINGS.replace("${DIR}", &here));
    let schema = compiled(&schema::rules());
    for (part, expected) in RULES {
        let mut rule = json!({
            "id": "r", "match": {"url": "http://h/", "methods": ["GET"]},
            "authenticators": [{"handler": "noop"}], "authorizer": {"handler": "allow"}, "mutators": [{"handler": "noop"}],
        });
        for (key, value) in serde_json::from_str::<Map<String, Value>>(part).unwrap() {
            rule[key] = value;
        }
        let text = json!([rule]).to_string();
        assert_eq!(works(directory.path(), &config, &text), expected, "start: {part}");
        assert_eq!(fits(&schema, &text, Dialect::Rules), expected, "schema: {part}");
    }
}
