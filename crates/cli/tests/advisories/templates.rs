//! What callers say is data to templates, however it is written.

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Keyward;
use keyward_testkit::tokens::Es256;
use serde_json::{Value, json};

/// What templates of this server can read, and no caller may.
const CANARY: &str = "canary-8c1f2a";

/// Texts that mean something to templates, to shells, to Go, to Caddy and to JSON.
const TEXTS: &[&str] = &[
    "{{ env \"CANARY\" }}",
    "{{env `CANARY`}}",
    "{{ .Extra.secret }}",
    "{{ print .Subject }}",
    "{{{{ env \"CANARY\" }}}}",
    "{{ `{{ env \"CANARY\" }}` }}",
    "{{/* */}}",
    "{{",
    "}}",
    "{env.CANARY}",
    "{{env.CANARY}}",
    "{$CANARY}",
    "$CANARY",
    "${CANARY}",
    "$(printenv CANARY)",
    "`printenv CANARY`",
    "%CANARY%",
    "%s%v%!",
    "$1$2\\1",
    "\\x7b\\x7b env \"CANARY\" \\x7d\\x7d",
    "\", \"admin\": true, \"x\": \"",
];

/// Caddy, and the way around its mending: what a caller had put into a field was expanded once more.
#[test]
fn cve_2026_30852_what_a_template_writes_is_not_one() {
    let (key, behind) = (Es256::new("k"), Recorder::start(true));
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let keys = server.write("keys.json", &json!({"keys": [key.jwk()]}).to_string());
    let config = format!(
        "access_rules: {{matching_strategy: regexp}}\n\
         authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: ['file://{}'], allowed_algorithms: [ES256]}}}}}}\n\
         authorizers:\n  allow: {{enabled: true}}\n  \
         remote_json: {{enabled: true, config: {{remote: 'http://127.0.0.1:{port}/check', payload: '{{\"subject\": {{{{ .Subject | toJson }}}}}}'}}}}\n\
         mutators:\n  header: {{enabled: true, config: {{headers: {{}}}}}}\n",
        keys.display(),
        port = behind.port
    );
    let rules = format!(
        "- id: r\n  match: {{url: 'http://h/<(.*)>', methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
         authorizer: {{handler: remote_json}}\n  mutators:\n    - handler: header\n      config:\n        headers:\n          \
         X-Subject: '{{{{ .Subject }}}}'\n          X-Claim: '{{{{ .Extra.text }}}}'\n          \
         X-Own: '{{{{ env \"CANARY\" }}}}'\n          X-Printed: '{{{{ printf \"%s\" .Extra.text }}}}'\n          \
         X-Field: '{{{{ .MatchContext.Header.Get \"X-Text\" }}}}'\n  upstream: {{url: 'http://127.0.0.1:{}'}}\n",
        behind.port
    );
    let running = server.env("CANARY", CANARY).with(&config, &rules).start();
    for text in TEXTS {
        let claims = json!({"sub": text, "text": text, "exp": 4_000_000_000_u64});
        let token = format!("Bearer {}", key.sign(&json!({}), &claims));
        let answer = running.get("/x", &[("Host", "h"), ("Authorization", &token), ("X-Text", text)]);
        assert_eq!(answer.status(), 200, "{text}: {}", running.log());
        let [checked, seen] = &behind.take()[..] else { panic!("{text}: two requests") };
        let body: Value = serde_json::from_str(checked["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, json!({"subject": text}));
        let value = |name: &str| {
            let fields = seen["headers"].as_array().unwrap();
            let line = fields.iter().find(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            line.unwrap()[1].as_str().unwrap().to_owned()
        };
        for name in ["x-subject", "x-claim", "x-printed", "x-field"] {
            assert_eq!(value(name), *text, "{name}");
        }
        assert_eq!(value("x-own"), CANARY);
    }
}
