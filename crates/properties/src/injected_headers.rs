//! A header that a rule sets is on the request once, with the rule's value, whatever the caller sent and whatever its
//! token says. A value that cannot be a header's is a denial.
//!
//! The first line is the claims of a token; what follows is the fields of a request.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_core::gate::GatePolicy;
use keyward_core::rule::rule_set::RuleSet;
use keyward_server::proxy::body::RequestBody;
use keyward_server::upstream::http1_head;
use serde_json::Value;

use crate::head::{Arrived, Written};
use crate::signed_claims::signed;
use crate::world::{SECRET, credentialed, sound};

static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    sound(
        r#"
- id: everything
  match: {url: "<**>", methods: [GET]}
  authenticators:
    - handler: jwt
      config: {jwks_urls: ["https://issuer.internal/oct"], allowed_algorithms: [HS256], token_from: {header: X-Token}}
  authorizer: {handler: allow}
  mutators:
    - handler: header
      config:
        headers:
          Authorization: 'Bearer {{ secret "upstream" }}'
          X-User: '{{ print .Subject }}'
          X-Name: '{{ print .Extra.name }}'
          X-Path: '{{ .MatchContext.URL.Path }}'
          X-Agent: '{{ .MatchContext.Header.Get "User-Agent" }}'
  upstream: {url: "http://upstream.internal"}
"#,
    )
});

pub(crate) fn check(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (claims, fields) = data.split_at(end);
    let fields = fields.get(1..).unwrap_or_default();
    let line = format!("GET /a%20b?c HTTP/1.1\r\nHost: h\r\nX-Token: {}\r\n", signed(claims));
    let Some(arrived) = Arrived::read(&[line.as_bytes(), fields, b"\r\n\r\n"].concat()) else { return };
    let policy = GatePolicy { passes_underscores: true, ..GatePolicy::default() };
    let Ok(request) = arrived.admit(&policy) else { return };
    let Ok(credentialed) = credentialed(&RULES, request) else { return };
    let bytes = http1_head(credentialed.into_outgoing(), &RequestBody::Empty);
    let written = Written::read(&bytes);
    assert_eq!(written.values("authorization"), [format!("Bearer {SECRET}").as_bytes()]);
    assert!(written.values("x-token").is_empty(), "the caller's credential went on");
    for name in ["authorization", "x-user", "x-name", "x-path", "x-agent", "host"] {
        assert_eq!((written.values(name).len(), written.looking_like(name)), (1, 1), "{name}");
    }
    // Unless the caller has written it somewhere else, too.
    let encoded = URL_SAFE_NO_PAD.encode(claims);
    let holds = |text: &[u8]| text.windows(encoded.len().max(1)).any(|part| part == encoded.as_bytes());
    assert!(holds(fields) || !holds(&bytes), "the token went on");
    // What was let in is what the token says, by another reader of JSON.
    let claims: Value = serde_json::from_slice(claims).unwrap();
    let subject = claims["sub"].as_str().unwrap_or_default();
    assert_eq!(written.values("x-user"), [subject.trim_matches([' ', '\t']).as_bytes()]);
    assert_eq!(written.values("x-path"), [b"/a b"]);
}
