//! A server that knows a secret of every kind there is. Whoever adds a kind writes `«ITS NAME»` where it stands.

use keyward_testkit::canaries::Canaries;
use keyward_testkit::clouds::{Cloud, Entry};
use keyward_testkit::collector::Collector;
use keyward_testkit::pki::Authority;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::tokens::Es256;
use keyward_testkit::vault::{APPROLE, Double, MOUNT, Server};
use serde_json::{Value, json};

use crate::services::{STATES, Services};

const CONFIG: &str = r#"
log: {level: trace, format: FORMAT}
serve:
  proxy:
    TLS
    limits: {body_bytes: 4096}
    upstream: {response_header_timeout: 300ms}
    echoed_credentials: {headers: ECHO, bodies: ECHO}
  prometheus: {tls: {cert: {path: "DIR/cert.pem"}, key: {path: "DIR/key.pem"}}}
access_rules:
  matching_strategy: regexp
  refresh_interval: 1s
  cache_dir: "DIR/cache"
  repositories:
    - "file://DIR/rules.json"
    - "s3://bucket/rules.json?endpoint=CLOUD"
    - "http://ann:«%password of a repository»@127.0.0.1:SIDE/rules?key=«%key of a repository»"
    - url: "http://ann:«%password of a signed repository»@127.0.0.1:SIDE/signed.yaml?key=«%key of a signed repository»"
      public_key: SIGNER
secrets:
  env_dir: "DIR/env"
  refresh_interval: 1s
  sources:
    - {file: "DIR/file"}
    - {directory: "DIR/tokens"}
    - {systemd: true}
    - {vault: {address: "VAULT", mount: MOUNT, auth: {token_file: "DIR/vault-token"}}, secrets: [{name: vault, id: app, field: token}]}
    - vault: {address: "VAULT", mount: secret, auth: {approle: {role_id: «role id», secret_id_file: "DIR/approle", mount: APPROLE}}}
      secrets: [{name: role, id: role, field: token}]
    - {aws_secrets_manager: {region: eu-central-1}, secrets: [{name: aws, id: app}]}
authenticators:
  anonymous: {enabled: true, config: {subject: ann}}
  jwt:
    enabled: true
    config:
      allowed_algorithms: [ES256]
      target_audience: [here]
      jwks_urls:
        - "http://ann:«%password of a key set»@127.0.0.1:SIDE/keys?key=«%key of a key set»"
        - "azblob://container/keys.json"
        - "file://DIR/keys.json"
  oauth2_introspection:
    enabled: true
    config:
      introspection_url: "http://127.0.0.1:1/unset"
      introspection_request_headers: {X-Introspector: «header for introspection»}
      pre_authorization:
        enabled: true
        client_id: ann
        client_secret: «client secret of pre_authorization»
        token_url: "http://127.0.0.1:SIDE/token"
  oauth2_client_credentials: {enabled: true, config: {token_url: "http://127.0.0.1:1/unset"}}
  cookie_session: {enabled: true, config: {check_session_url: "http://127.0.0.1:1/unset", additional_headers: {X-Store: «header for a session store»}}}
  bearer_token: {enabled: true, config: {check_session_url: "http://127.0.0.1:1/unset"}}
authorizers: {allow: {enabled: true}, deny: {enabled: true}, remote: {enabled: true}, remote_json: {enabled: true}}
mutators:
  noop: {enabled: true}
  header: {enabled: true}
  cookie: {enabled: true}
  hydrator: {enabled: true}
  id_token: {enabled: true, config: {issuer_url: "http://issuer", jwks_url: "file://DIR/id-token.json"}}
errors:
  fallback: [json]
  handlers: {json: {enabled: true, config: {verbose: true}}, redirect: {enabled: true, config: {to: "http://elsewhere/"}}, www_authenticate: {enabled: true}}
tracing:
  provider: otel
  providers: {otlp: {server_url: "127.0.0.1:TRACES", insecure: true, authorization_header: "Bearer «credential for traces»"}}
issuer:
  host: 127.0.0.1
  port: ISSUER
  url: http://issuer
  keys: [{path: "DIR/issuer.json"}]
  clients: [{id: ann, secret_env: CLIENT, scopes: [a]}, {id: bob, secret_path: "DIR/client", scopes: [a]}]
"#;

/// What a rule puts in; each is a header of its own, for whoever cannot do without one of them gets none.
const INJECTED: [&str; 9] = [
    "Bearer {{ env \"PROCESS\" }}",
    "Token token=\"{{ env \"MOUNTED\" }}\"",
    "{{ secret \"file\" }}",
    "{{ secret \"one\" }}",
    "Basic {{ printf `ann:%s` (secret \"credential\") | b64enc }}",
    "{{ secret \"vault\" }}",
    "{{ secret \"role\" }}",
    "{{ secret \"aws\" }}",
    "«text of a rule in a header»",
];

/// What patterns of rules begin with: with TLS and without, by any name.
const ANYWHERE: &str = "<https?>://<[^/]*>";

/// The server, and what plays with it.
pub(crate) struct Stage {
    pub(crate) canaries: Canaries,
    pub(crate) services: Services,
    pub(crate) cloud: Cloud,
    pub(crate) vault: Double,
    pub(crate) traces: Collector,
    pub(crate) issuer: u16,
    pub(crate) authority: Authority,
    /// Signs the tokens of callers.
    pub(crate) key: Es256,
    /// The paths of rules.
    pub(crate) paths: Vec<String>,
    keyward: Option<Keyward>,
}

impl Stage {
    pub(crate) fn new(format: &str, echo: &str, tls: bool) -> Self {
        let canaries = Canaries::default();
        let key = Es256::new("caller");
        let keys = json!({"keys": [key.jwk()]}).to_string();
        let well = canaries.filled(
            r#"{"active": true, "sub": "ann", "subject": "ann", "aud": ["here"], "token_type": "bearer", "expires_in": 60,
                "access_token": "«token of a token endpoint»", "extra": {"data": "«extra data of a session»"},
                "header": {"X-Hydrated": ["«header of a hydrator»"]}}"#,
        );
        let documents = vec![
            ("/keys", keys.clone()),
            ("/rules", json!([rule("/behind/a/url", "noop", "http://127.0.0.1:1")]).to_string()),
            ("/token", well.clone()),
            ("/signed.yaml", include_str!("../signed/rules.yaml").to_owned()),
            ("/signed.yaml.minisig", include_str!("../signed/rules.yaml.minisig").to_owned()),
        ];
        let services = Services::start(well, documents);
        let (cloud, vault, traces) = (Cloud::start(), Double::start(), Collector::start());
        let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));

        cloud.aws_key("KEY", &canaries.of("AWS secret access key"), Some(&canaries.of("AWS session token")));
        cloud.account("account", &canaries.of("Azure account key"));
        cloud.put("/account/container/keys.json", keys.clone());
        cloud.put("/bucket/rules.json", json!([rule("/in/a/store", "noop", "http://127.0.0.1:1")]).to_string());
        cloud.secret(Entry::text(
            "app",
            "11111111-1111-1111-1111-111111111111",
            &canaries.of("value in AWS Secrets Manager"),
        ));
        vault.token(&canaries.of("Vault token"), 0);
        vault.put("app", &json!({"token": canaries.of("value in Vault")}));
        let [id, secret, issued] = ["role id", "secret id", "token of an AppRole"].map(|kind| canaries.of(kind));
        vault.app_role(&id, &secret, &issued);
        vault.logins(3600, true);
        vault.put("role", &json!({"token": canaries.of("value in Vault for a role")}));

        let authority = Authority::new();
        let (certificate, private) = authority.pem(&["localhost"]);
        canaries.add("TLS key", private.lines().nth(1).unwrap());
        for name in ["id-token", "issuer"] {
            let (_, generated, _) = keyward.run(&["credentials", "generate", "--alg", "ES256", "--kid", name]);
            let set: Value = serde_json::from_str(&generated).unwrap();
            canaries.add(&format!("signing key of {name}"), set["keys"][0]["d"].as_str().unwrap());
            keyward.write(&format!("{name}.json"), &generated);
        }
        for (file, text) in [
            ("env/MOUNTED", "«variable in a file»"),
            ("file", "«secret in a file»"),
            ("tokens/one", "«secret in a directory»"),
            ("systemd/credential", "«systemd credential»"),
            ("vault-token", "«Vault token»"),
            ("approle", "«secret id»"),
            ("client", "«client secret in a file»"),
            ("cert.pem", &certificate),
            ("key.pem", &private),
            ("keys.json", &keys),
        ] {
            keyward.write(file, &canaries.filled(text));
        }
        let issuer = free_port();
        let directory = keyward.path("").display().to_string();
        let port_tls = "tls: {cert: {path: \"DIR/cert.pem\"}, key: {path: \"DIR/key.pem\"}}";
        let places = [
            ("TLS\n", if tls { &format!("{port_tls}\n") } else { "\n" }),
            ("SIGNER", include_str!("../signed/public_key").trim()),
            ("DIR", directory.trim_end_matches('/')),
            ("FORMAT", format),
            ("ECHO", echo),
            ("CLOUD", &cloud.url()),
            ("VAULT", &vault.url()),
            ("APPROLE", APPROLE),
            ("MOUNT", MOUNT),
            ("SIDE", &services.port.to_string()),
            ("ISSUER", &issuer.to_string()),
            ("TRACES", &traces.port.to_string()),
        ];
        let config = places.iter().fold(canaries.filled(CONFIG), |text, (name, value)| text.replace(name, value));
        let rules = rules(&canaries, &services);
        let paths = rules.iter().map(path_of).collect();
        keyward.write("rules.json", &Value::from(rules).to_string());
        let path = keyward.write("config.yaml", &config);
        let systemd = keyward.path("systemd").display().to_string();
        let mut keyward = keyward.config(path).env("CREDENTIALS_DIRECTORY", &systemd);
        for (name, value) in [
            ("PROCESS", "«variable of the process»"),
            ("CLIENT", "«client secret in a variable»"),
            ("AWS_ACCESS_KEY_ID", "KEY"),
            ("AWS_SECRET_ACCESS_KEY", "«AWS secret access key»"),
            ("AWS_SESSION_TOKEN", "«AWS session token»"),
            ("AWS_ENDPOINT_URL", &cloud.url()),
            ("AZURE_STORAGE_ACCOUNT", "account"),
            ("AZURE_STORAGE_KEY", "«Azure account key»"),
            ("AZURE_STORAGE_DOMAIN", &cloud.url()),
            ("UNRELATED_PASSWORD", "«variable that nothing names»"),
        ] {
            keyward = keyward.env(name, &canaries.filled(value));
        }
        Self { canaries, services, cloud, vault, traces, issuer, authority, key, paths, keyward: Some(keyward) }
    }

    /// What has not been started.
    pub(crate) fn keyward(&self) -> &Keyward {
        self.keyward.as_ref().unwrap()
    }

    pub(crate) fn start(&mut self) -> Running {
        self.keyward.take().unwrap().start()
    }

    /// All that anything that Keyward speaks to was sent.
    pub(crate) fn received(&self) -> Vec<u8> {
        let asked =
            self.cloud.asked().iter().map(|message| format!("{message:?} {}", message.text())).collect::<String>();
        let front = self.vault.front();
        let tokens = front.tokens().into_iter().collect::<Vec<_>>().join(" ");
        let logins = front.bodies().into_iter().map(|body| body.to_string()).collect::<String>();
        let traces = self.traces.exports().iter().map(|export| format!("{:?} ", export.headers)).collect::<String>();
        let [asked, tokens, logins, traces] = [asked, tokens, logins, traces].map(String::into_bytes);
        [self.services.received(), asked, tokens, logins, traces].concat()
    }
}

fn path_of(rule: &Value) -> String {
    let url = rule["match"]["url"].as_str().unwrap();
    url.strip_prefix(ANYWHERE).unwrap().to_owned()
}

/// One rule for everything that can happen.
fn rules(canaries: &Canaries, services: &Services) -> Vec<Value> {
    let injected: serde_json::Map<String, Value> =
        (1..).zip(INJECTED).map(|(number, text)| (format!("X-{number}"), canaries.filled(text).into())).collect();
    let injected = json!([
        {"handler": "header", "config": {"headers": injected}},
        {"handler": "cookie", "config": {"cookies": {"session": canaries.of("text of a rule in a cookie")}}},
    ]);
    let well = services.url("serves");
    let mut rules = Vec::new();
    for state in STATES[1..].iter().copied().chain(["serves", "bad_head", "no_http", "cut", "echoes", "stalls"]) {
        let mut one = rule(&format!("/upstream/{state}"), "noop", &services.url(state));
        one["mutators"] = injected.clone();
        rules.push(one);
    }
    for state in STATES {
        let url = services.url(state);
        let remote = json!({"X-Remote": canaries.of("header for an authorizer"), "X-Secret": "{{ secret \"file\" }}"});
        let basic = json!({"basic": {"username": "ann", "password": canaries.of("password for a hydrator")}});
        let retry = json!({"give_up_after": "100ms", "max_delay": "10ms"});
        let payload = r#"{"key": {{ secret "file" | toJson }}, "who": {{ .Subject | toJson }}}"#;
        for (kind, handler, config) in [
            ("authenticators", "oauth2_introspection", json!({"introspection_url": url})),
            ("authenticators", "oauth2_client_credentials", json!({"token_url": url})),
            ("authenticators", "cookie_session", json!({"check_session_url": url, "preserve_path": true})),
            (
                "authenticators",
                "bearer_token",
                json!({"check_session_url": url, "token_from": {"query_parameter": "token"}}),
            ),
            ("authorizer", "remote", json!({"remote": url, "headers": remote, "retry": retry})),
            (
                "authorizer",
                "remote_json",
                json!({"remote": url, "headers": remote, "payload": payload, "retry": retry}),
            ),
            ("mutators", "hydrator", json!({"api": {"url": url, "auth": basic, "retry": retry}})),
        ] {
            let mut one = rule(&format!("/{handler}/{state}"), "noop", &well);
            let reference = json!({"handler": handler, "config": config});
            one[kind] = if kind == "authorizer" { reference } else { json!([reference]) };
            rules.push(one);
        }
    }
    // What a store says of a session, and the caller's own credential, as a rule's.
    let mut session = rule("/session", "header", &services.url("echoes"));
    session["authenticators"] = json!([{"handler": "cookie_session", "config": {"check_session_url": services.url("ok"), "preserve_path": true}}]);
    session["mutators"][0]["config"] = json!({"headers": {"Authorization": "Bearer {{ .Extra.data }}"}});
    rules.push(session);
    for (path, mutators) in [
        ("/id_token", json!([{"handler": "id_token"}])),
        (
            "/template",
            json!([{"handler": "header", "config": {"headers": {"X": "{{ fail (printf `%s%s` .Subject (env `PROCESS`)) }}"}}}]),
        ),
        ("/broken", json!([{"handler": "header", "config": {"headers": {"X": "{{ fail (env `PROCESS`) }}"}}}])),
        (
            "/missing",
            json!([{"handler": "header", "config": {"headers": {"X": "{{ secret \"file\" }}{{ secret \"none\" }}"}}}]),
        ),
    ] {
        let mut one = rule(path, "noop", &services.url("echoes"));
        one["mutators"] = mutators;
        rules.push(one);
    }
    let mut denied = rule("/denied", "noop", &well);
    denied["authorizer"] = json!({"handler": "deny"});
    rules.push(denied);
    let mut jwt = rule("/jwt", "noop", &well);
    jwt["authenticators"] = json!([{"handler": "jwt"}]);
    let mut redirecting = jwt.clone();
    redirecting["id"] = "/redirecting".into();
    redirecting["match"]["url"] = format!("{ANYWHERE}/redirecting").into();
    redirecting["errors"] = json!([{"handler": "redirect", "config": {"return_to_query_param": "back"}}]);
    rules.extend([jwt, redirecting]);
    rules
}

fn rule(path: &str, mutator: &str, upstream: &str) -> Value {
    json!({
        "id": path,
        "match": {"url": format!("{ANYWHERE}{path}"), "methods": ["GET", "POST"]},
        "authenticators": [{"handler": "anonymous"}],
        "authorizer": {"handler": "allow"},
        "mutators": [{"handler": mutator}],
        "upstream": {"url": upstream},
    })
}
