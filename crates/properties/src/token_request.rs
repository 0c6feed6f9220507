//! Only a client with its secret gets a token, and only within its grant; no answer holds a secret.
//!
//! Up to an empty line it is fields of the request, then its body.

use std::sync::{Arc, LazyLock};

use form_urlencoded::parse;
use http::Request;
use http_body_util::BodyExt;
use keyward_core::document::Node;
use keyward_core::jwt::sign::SigningKey;
use keyward_core::jwt::verify::TokenVerifier;
use keyward_core::jwt::{Algorithm, KeySet, TokenCache};
use keyward_core::pipeline::step::Step;
use keyward_server::issuer::keys::SigningKeys;
use keyward_server::issuer::routes::Issuer;
use keyward_server::issuer::settings::IssuerSettings;
use serde_json::{Value, json};

use crate::world::{Fixed, SECRET, at_once, outside};

/// Seconds.
const LONGEST: i64 = 600;

struct Stage {
    issuer: Issuer,
    verifier: TokenVerifier,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let settings = json!({
        "url": "https://issuer.internal/", "audience": "proxy", "keys": [{"path": "unused"}],
        "clients": [
            {"id": "ci", "secret_env": "CI", "scopes": ["jira:read", "jira:write"], "max_ttl": "10m"},
            {"id": "a b+c", "secret_env": "OTHER", "scopes": ["okta:read"], "max_ttl": "10m"},
        ],
    });
    let settings = IssuerSettings::check(&Node::from_json(&settings, "settings")).unwrap();
    let key = keyward_core::jwt::generate::generate("EdDSA", "k1", 0).unwrap().to_string();
    let key = SigningKey::read(key.as_bytes(), None, None).unwrap();
    let published = json!({"keys": [key.public_jwk()]}).to_string();
    let source = Arc::new(Fixed(Arc::new(KeySet::parse(published.as_bytes()).unwrap())));
    let verifier = TokenVerifier::new(vec![source], vec![Algorithm::EdDSA], Arc::new(TokenCache::new(0)));
    let issuer = Issuer::with_keys(&settings, SigningKeys::of(key), &*outside().secrets);
    let issuer = issuer.unwrap_or_else(|problem| panic!("{problem}"));
    Stage { issuer, verifier }
});

pub(crate) fn check(data: &[u8]) {
    let (fields, body) = match data.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (&[][..], data),
    };
    let mut request = Request::builder().method("POST").uri("/token");
    for line in fields.split(|byte| *byte == b'\n') {
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
        }
    }
    let Ok(request) = request.body(()) else { return };
    let (head, ()) = request.into_parts();
    let answer = STAGE.issuer.token_answer(&head, body);
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let bytes = at_once(answer.into_body().collect()).unwrap().to_bytes();
    let shown = bytes.escape_ascii();
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{shown}");
    if status != 200 {
        assert!(matches!(status, 400 | 401) && json["error"].is_string(), "{status} {shown}");
        return;
    }
    let form: Vec<(String, String)> = parse(body).into_owned().collect();
    let value = |name: &str| {
        let mut values = form.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert!(values.next().is_none(), "{name} was given twice");
        first
    };
    assert_eq!(value("grant_type"), Some("client_credentials"));
    for name in ["scope", "ttl", "client_id"] {
        value(name);
    }
    // Either way, once.
    let presents = head.headers.get_all("authorization").iter().count() + usize::from(value("client_secret").is_some());
    assert_eq!(presents, 1, "{}", data.escape_ascii());
    assert!(value("client_secret").is_none_or(|secret| secret == SECRET));
    let ttl = json["expires_in"].as_i64().unwrap();
    assert!((1..=LONGEST).contains(&ttl), "{ttl}");
    let scope = json["scope"].as_str().unwrap();
    let token = json["access_token"].as_str().unwrap();
    let Step::Ready(Ok(verified)) = STAGE.verifier.verify(token) else {
        panic!("a token that nobody accepts: {token}")
    };
    let caller = verified.caller();
    let granted: &[&str] = match caller.subject() {
        "ci" => &["jira:read", "jira:write"],
        "a b+c" => &["okta:read"],
        other => panic!("{other:?} is no client"),
    };
    assert!(value("client_id").is_none_or(|id| id == caller.subject() || head.headers.contains_key("authorization")));
    assert!(!scope.is_empty() && scope.split(' ').all(|one| granted.contains(&one)), "{scope}");
    assert_eq!(caller.scopes().collect::<Vec<_>>().join(" "), scope);
    let audience: Vec<&str> = caller.audience().collect();
    assert_eq!((audience, caller.issuer()), (vec!["proxy"], Some("https://issuer.internal/")));
}
