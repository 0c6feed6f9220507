//! The rows of the pipeline specification that come from the reference's own tests ([T]), played against the
//! real binary: one rule for each row of `rows/*.yaml`, one request, and all that must come of it. The side
//! services are `STUB`, key sets are `KEYS` and `SHARED`; a row's path stands behind a prefix of its own, which is in
//! `HOST`.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyward_core::document::to_json;
use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_server::config::yaml::{Dialect, parse};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::wire::Message;
use serde_json::{Map, Value, json};

#[test]
fn authenticators() {
    play("authenticators.yaml");
}

#[test]
fn jwt() {
    play("jwt.yaml");
}

#[test]
fn authorizers() {
    play("authorizers.yaml");
}

#[test]
fn mutators() {
    play("mutators.yaml");
}

#[test]
fn error_handlers() {
    play("error_handlers.yaml");
}

#[test]
fn framework() {
    play("framework.yaml");
}

/// Where a row's session comes from: whatever it says is what the store answers about `X-Session`.
const SESSION: &str = "/session";

/// What a row may say; anything else is a mistake in the table.
const KEYS: &[&str] = &[
    "row", "url", "rule", "session", "answers", "send", "status", "told", "untold", "answer", "asked", "upstream",
    "token",
];

/// A file is a list of tables, each with a configuration, variables, and the rows that need them.
fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let tables = to_json(&parse(&text, name, Dialect::Core).unwrap());
    for table in tables.as_array().unwrap() {
        let stage = Stage::open(table);
        for (number, row) in table["rows"].as_array().unwrap().iter().enumerate() {
            let place = format!("{name}: {}", row["row"].as_str().unwrap());
            let unknown = row.as_object().unwrap().keys().find(|key| !KEYS.contains(&key.as_str()));
            assert_eq!(unknown, None, "{place}");
            stage.play(number, row, &place);
        }
    }
}

struct Stage {
    running: Running,
    /// What tokens of callers are signed with.
    keys: Vec<SigningKey>,
    stub: Recorder,
    upstream: Recorder,
}

impl Stage {
    fn open(table: &Value) -> Self {
        let (stub, upstream) = (Recorder::start(false), Recorder::start(true));
        let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let generated: Vec<Value> =
            ["ES256", "HS256", "RS256"].iter().map(|name| generate(name, name, 0).unwrap()).collect();
        // A secret beside public keys is not taken. The first one signs what the proxy itself signs.
        let (shared, public): (Vec<&Value>, Vec<&Value>) = generated.iter().partition(|key| key["kty"] == "oct");
        let keys = server.write("keys.json", &json!({"keys": public}).to_string());
        let shared = server.write("shared.json", &json!({"keys": shared}).to_string());
        let signing = generated.iter().map(|key| SigningKey::read(key.to_string().as_bytes(), None, None).unwrap());
        let signing = signing.collect();
        let address = format!("http://127.0.0.1:{}", stub.port);
        let filled = |value: &Value| {
            let files = [("SHARED", &shared), ("KEYS", &keys)];
            let text = value.to_string().replace("STUB", &address);
            files.iter().fold(text, |text, (name, file)| text.replace(name, &format!("file://{}", file.display())))
        };
        let rules: Vec<Value> = table["rows"].as_array().unwrap().iter().enumerate().map(|(number, row)| {
            let mut rule = json!({
                "id": format!("row-{number}"),
                "match": {
                    "url": row["url"].as_str().unwrap_or("http://HOST/<.*>")
                        .replace("HOST", &format!("127.0.0.1:{}/{number}", server.proxy)).replace("NUMBER", &number.to_string()),
                    "methods": ["GET", "HEAD", "POST", "PUT"],
                },
                "upstream": {"url": format!("http://127.0.0.1:{}", upstream.port)},
                "authenticators": [{"handler": if row["session"].is_null() { "anonymous" } else { "bearer_token" }}],
                "authorizer": {"handler": "allow"},
                "mutators": [{"handler": "noop"}],
            });
            overlay(&mut rule, &row["rule"]);
            rule
        }).collect();
        let mut config = json!({
            "access_rules": {"matching_strategy": "regexp"},
            "authenticators": {"anonymous": {"enabled": true}, "unauthorized": {"enabled": true}, "bearer_token": {
                "enabled": true,
                "config": {"check_session_url": format!("{address}{SESSION}"), "preserve_path": true,
                    "force_method": "GET", "token_from": {"header": "X-Session"},
                    "forward_http_headers": ["X-Session"], "subject_from": "subject"},
            }},
            "authorizers": {"allow": {"enabled": true}},
            "mutators": {"noop": {"enabled": true}},
            "errors": {"handlers": {"json": {"enabled": true, "config": {"verbose": true}}}},
        });
        overlay(&mut config, &table["config"]);
        let mut server = server.with(&filled(&config), &filled(&json!(rules)));
        for (name, value) in table["env"].as_object().into_iter().flatten() {
            server = server.env(name, &value.as_str().unwrap().replace("STUB", &address));
        }
        let running = server.start();
        Self { running, keys: signing, stub, upstream }
    }

    fn play(&self, number: usize, row: &Value, place: &str) {
        let mut script = row["answers"].as_array().cloned().unwrap_or_default();
        script.push(json!({"path": SESSION, "body": row["session"]}));
        self.stub.script(script);
        let send = &row["send"];
        let text = |key: &str, default: &'static str| send[key].as_str().unwrap_or(default).to_owned();
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in send["headers"].as_object().into_iter().flatten() {
            headers.push((name.clone(), self.signed(value.as_str().unwrap(), &send["claims"])));
        }
        if !row["session"].is_null() {
            headers.push(("X-Session".to_owned(), "known".to_owned()));
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let target = self.signed(&format!("/{number}{}", text("target", "/")), &send["claims"]);
        let body = text("body", "").repeat(send["times"].as_u64().map_or(1, |times| usize::try_from(times).unwrap()));
        let method = text("method", "GET");
        let decides = send["port"] == "api";
        let answer = if decides {
            self.running.decision(&method, &target, &headers)
        } else {
            self.running.request(&method, &target, &headers, &body)
        };
        assert_eq!(Some(u64::from(answer.status())), row["status"].as_u64(), "{place}: {}", answer.text());
        let told = row["told"].as_str().unwrap_or_default();
        assert!(answer.text().contains(told), "{place}: `{told}` is not in {}", answer.text());
        if let Some(untold) = row["untold"].as_str() {
            assert!(!answer.text().contains(untold), "{place}: `{untold}` is in {}", answer.text());
        }
        has(&shown(&answer), &row["answer"], place);
        self.compare_calls(row, place);
        let reached = self.upstream.take();
        assert_eq!(reached.len(), usize::from(answer.status() == 200 && !decides), "{place}: {reached:?}");
        if let Some(seen) = reached.first() {
            fits(seen, &row["upstream"], &format!("{place}, upstream"));
            // A body that a handler read goes on whole.
            if !row["upstream"]["body"].is_string() {
                assert_eq!(seen["body"].as_str().unwrap(), body, "{place}");
            }
            if let Some(expected) = row["token"].as_object() {
                token(seen, expected, place);
            }
        }
    }

    /// Fills in a token with these claims, signed as the placeholder says: `<ES256>` and so on.
    fn signed(&self, text: &str, claims: &Value) -> String {
        let mut filled = text.to_owned();
        for key in self.keys.iter().filter(|key| text.contains(&format!("<{}>", key.key_id()))) {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            let mut claims = claims.clone();
            // Times are written as distances from now.
            for name in ["exp", "nbf", "iat"] {
                if let Some(distance) = claims[name].as_i64() {
                    claims[name] = (i64::try_from(now).unwrap() + distance).into();
                }
            }
            filled = filled.replace(&format!("<{}>", key.key_id()), &key.sign(&claims).unwrap());
        }
        filled
    }

    /// What side services were asked, besides the session store.
    fn compare_calls(&self, row: &Value, place: &str) {
        let mut calls = self.stub.take();
        calls.retain(|call| call["target"] != SESSION);
        if let Some(expected) = row["asked"].as_array() {
            assert_eq!(calls.len(), expected.len(), "{place}: {calls:?}");
            for (call, expected) in calls.iter().zip(expected) {
                fits(call, expected, &format!("{place}, side service"));
            }
        }
    }
}

/// Puts what a table says over what holds otherwise; `REMOVE` leaves nothing there.
fn overlay(under: &mut Value, over: &Value) {
    match (under, over) {
        (_, Value::Null) => {}
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                if value == "REMOVE" {
                    under.remove(key);
                    continue;
                }
                match under.get_mut(key) {
                    Some(known) if known.is_object() => overlay(known, value),
                    _ => drop(under.insert(key.clone(), value.clone())),
                }
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// Compares what a row says of a recorded request: target, body, headers.
fn fits(seen: &Value, expected: &Value, place: &str) {
    for key in ["method", "target"] {
        assert!(
            expected[key].is_null() || expected[key] == seen[key],
            "{place}: {} is not {}",
            seen[key],
            expected[key]
        );
    }
    let body = seen["body"].as_str().unwrap();
    match &expected["body"] {
        Value::Null => {}
        Value::String(text) => assert_eq!(body, text, "{place}"),
        members => {
            let read: Value = serde_json::from_str(body).unwrap();
            for (name, value) in members.as_object().unwrap() {
                assert_eq!(&read[name], value, "{place}: `{name}` in {body}");
            }
        }
    }
    let lines = seen["headers"].as_array().unwrap().iter();
    let lines: Vec<(String, String)> =
        lines.map(|line| (line[0].as_str().unwrap().to_lowercase(), line[1].as_str().unwrap().to_owned())).collect();
    has(&lines, &expected["headers"], place);
}

/// Whether headers are there with these values, or, where the value is `null`, not there.
fn has(lines: &[(String, String)], expected: &Value, place: &str) {
    for (name, value) in expected.as_object().into_iter().flatten() {
        let found: Vec<&str> =
            lines.iter().filter(|(key, _)| *key == name.to_lowercase()).map(|(_, value)| value.as_str()).collect();
        let wanted: Vec<&str> = value.as_str().into_iter().collect();
        assert_eq!(found, wanted, "{place}: `{name}`");
    }
}

fn shown(answer: &Message) -> Vec<(String, String)> {
    answer.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
}

/// Compares claims of the token that the upstream got; `lives` is how long it is good, in seconds.
fn token(seen: &Value, expected: &Map<String, Value>, place: &str) {
    let lines = seen["headers"].as_array().unwrap().iter();
    let line = lines.clone().find(|line| line[0].as_str().unwrap().eq_ignore_ascii_case("authorization")).unwrap();
    let payload = line[1].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for (name, value) in expected {
        if name == "lives" {
            let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
            assert_eq!(Some(life), value.as_i64(), "{place}");
        } else {
            assert_eq!(&claims[name], value, "{place}: `{name}`");
        }
    }
}
