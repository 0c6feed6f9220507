//! What commands print.

use keyward_testkit::canaries::{Canaries, assert_clean};
use keyward_testkit::process::Keyward;

use crate::stage::Stage;

/// A table that is wrong about everything, so that all is said of what there is.
const TABLE: &str = r#"
env: {PROCESS: "«variable of a table»", MOUNTED: "«mounted variable of a table»"}
secrets: {file: "«secret of a table»", one: "«other secret of a table»", credential: x, vault: x, role: x, aws: x}
tests:
  - name: it is wrong about what is put in
    request:
      url: "http://h/upstream/serves?key=«%caller's query»"
      headers: {Authorization: "Bearer «caller's opaque token»", Cookie: "sid=«caller's cookie»", X-Api-Key: "«caller's key»"}
    expect: {outcome: denied, status: 404, upstream: {headers: {X-1: wrong, X-2: wrong, X-3: wrong, X-8: wrong, Cookie: wrong}, absent: [X-4]}}
  - name: it is wrong about side services
    request: {url: "http://h/oauth2_introspection/ok", headers: {Authorization: "Bearer «caller's opaque token»"}}
    services: [{url: "http://nowhere", body: {access_token: "«token of a table»"}}]
    expect: {outcome: denied, calls: [POST http://elsewhere]}
  - name: it is wrong about a token
    request: {url: "http://h/jwt", token: {claims: {sub: ann, aud: elsewhere, key: "«claim of a table»"}}}
    expect: {outcome: allowed, subject: bob}
"#;

fn assert_prints_nothing(canaries: &Canaries, keyward: &Keyward, arguments: &[&str]) {
    let (_, out, err) = keyward.run(arguments);
    assert!(!out.is_empty() || !err.is_empty(), "{arguments:?}");
    assert_clean(canaries, &format!("{arguments:?}"), format!("{out}\n{err}").as_bytes(), false);
}

#[test]
fn no_secret_of_any_kind_is_in_anything_that_a_command_prints() {
    let stage = Stage::new("text", "remove", false);
    let (canaries, keyward) = (&stage.canaries, stage.keyward());
    let table = keyward.write("table.yaml", &canaries.filled(TABLE)).display().to_string();
    let commands: [&[&str]; 10] = [
        &["config", "check"],
        &["rules", "lint"],
        &["rules", "lint", "--format", "json"],
        &["rules", "test", &table],
        &["rules", "test", "--format", "json", &table],
        &["rules", "test", "--format", "junit", &table],
        &["secrets", "check"],
        &["secrets", "check", "--format", "json"],
        &["rules", "explain", "http://h/nothing"],
        &["rules", "explain", "--format", "json", "http://h/nothing"],
    ];
    for arguments in commands {
        assert_prints_nothing(canaries, keyward, arguments);
    }
    let headers = [
        "Authorization: Basic «basic caller's password»",
        "Cookie: sid=«caller's cookie»",
        "X-Api-Key: «caller's key»",
    ]
    .map(|header| canaries.filled(header));
    let body = canaries.filled("{\"password\": \"«caller's body»\"}");
    for (number, path) in
        stage.paths.iter().filter(|path| path.ends_with("/ok") || path.matches('/').count() == 1).enumerate()
    {
        let url = format!("http://h{path}");
        let mut arguments =
            vec!["rules", "explain", "-X", "POST", "-d", &body, "--format", ["text", "json"][number % 2]];
        arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
        arguments.push(&url);
        assert_prints_nothing(canaries, keyward, &arguments);
    }
    // Where something is asked, it breaks.
    stage
        .cloud
        .fail("HTTP/1.1 400 Bad Request\r\nContent-Length: 40\r\n\r\n{\"__type\": \"InvalidSignatureException\"} ");
    assert_prints_nothing(canaries, keyward, &["secrets", "check"]);
    for (file, text) in [
        ("vault-token", "«token that is unknown»"),
        ("vault-token", "«token of two lines»\nmore"),
        ("approle", "«secret id that is unknown»"),
        ("approle", "«secret id of two lines»\nmore"),
        ("file", "«secret in a file»\u{1}"),
    ] {
        keyward.write(file, &canaries.filled(text));
        assert_prints_nothing(canaries, keyward, &["secrets", "check"]);
        assert_prints_nothing(canaries, keyward, &["rules", "lint"]);
    }
}

/// Files with a mistake beside a secret, or in it.
const MISTAKES: [(&str, &str); 28] = [
    (
        "config.yaml",
        "authenticators: {oauth2_introspection: {enabled: true, config: {introspection_url: 'http://h', pre_authorization: {client_secret: [«secret»]}}}}",
    ),
    (
        "config.yaml",
        "authenticators: {oauth2_introspection: {enabled: true, config: {introspection_url: 'http://h', pre_authorization: {client_secret: {«secret»: x}}}}}",
    ),
    (
        "config.yaml",
        "authenticators: {oauth2_introspection: {enabled: true, config: {introspection_url: 'http://h', pre_authorization: {secret: «secret»}}}}",
    ),
    (
        "config.yaml",
        "authenticators: {oauth2_introspection: {enabled: true, config: {introspection_url: 'http://ann:«%secret»@h:99999', introspection_request_headers: {'a b': «secret»}}}}",
    ),
    (
        "config.yaml",
        "authenticators: {oauth2_introspection: {enabled: true, config: {introspection_url: 'ftp://ann:«%secret»@h', introspection_request_headers: {A: \"«secret»\\n\"}}}}",
    ),
    ("config.yaml", "authenticators:\n  client_secret: «secret»: x\n"),
    ("config.yaml", "authenticators: {client_secret: \"«secret»\\q\"}"),
    ("config.yaml", "authenticators: {client_secret: '«secret»"),
    ("config.json", "{\"authenticators\": {\"client_secret\": \"«secret»\" \"x\"}}"),
    ("config.toml", "[authenticators]\nclient_secret = \"«secret»\n"),
    ("config.toml", "[authenticators]\nclient_secret = «secret»\n"),
    (
        "config.yaml",
        "access_rules: {repositories: ['http://ann:«%secret»@h:99999/?key=«%secret»', 'ftp://ann:«%secret»@h/?key=«%secret»', 'http://ann:«%secret»@']}",
    ),
    (
        "config.yaml",
        "authenticators: {jwt: {enabled: true, config: {jwks_urls: ['http://ann:«%secret»@h:99999/?key=«%secret»', 'ftp://ann:«%secret»@h/?key=«%secret»', [«secret»]]}}}",
    ),
    ("config.yaml", "access_rules: {repositories: [{url: 'http://h/', public_key: '«secret»'}]}"),
    ("config.yaml", "access_rules: {repositories: [{url: 'http://h/', public_key: [«secret»]}]}"),
    ("config.yaml", "access_rules: {repositories: [{url: 'http://h/', secret_key: '«secret»'}]}"),
    (
        "config.yaml",
        "secrets: {sources: [{vault: {address: 'https://h', auth: {approle: {role_id: [«secret»], secret_id: «secret»}}}, secrets: [{name: a, id: b, field: c}]}]}",
    ),
    (
        "config.yaml",
        "secrets: {sources: [{vault: {address: 'https://ann:«%secret»@h', auth: {token: «secret»}}, secrets: [{name: a, id: b, field: c}]}]}",
    ),
    (
        "config.yaml",
        "secrets: {sources: [{aws_secrets_manager: {secret_access_key: «secret»}, secrets: [{name: a, id: b}]}]}",
    ),
    ("config.yaml", "serve: {proxy: {tls: {key: {base64: «secret»}, cert: {base64: «secret»}}}}"),
    ("config.yaml", "serve: {proxy: {tls: {key: {path: FILE}, cert: {path: FILE}}}}"),
    ("config.yaml", "issuer: {clients: [{id: a, secret: «secret»}]}"),
    ("config.yaml", "issuer: {url: 'http://i', keys: [{path: FILE}], clients: [{id: a, secret_path: FILE}]}"),
    ("config.yaml", "mutators: {id_token: {enabled: true, config: {issuer_url: 'http://i', jwks_url: 'file://FILE'}}}"),
    (
        "config.yaml",
        "mutators: {hydrator: {enabled: true, config: {api: {url: 'http://h', auth: {basic: {username: a, password: [«secret»]}}}}}}",
    ),
    (
        "config.yaml",
        "mutators: {header: {enabled: true, config: {headers: {A: '«secret»{{ .Nope', B: \"«secret»\\n\", C: [«secret»]}}}}",
    ),
    ("config.yaml", "mutators: {cookie: {enabled: true, config: {cookies: {'a b': «secret», c: '{{ «secret» }}'}}}}"),
    ("config.yaml", "errors: {handlers: {redirect: {enabled: true, config: {to: 'ftp://ann:«%secret»@h'}}}}"),
];

/// Variables, the same.
const VARIABLES: [(&str, &str); 6] = [
    ("AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG", "{\"pre_authorization\": {\"client_secret\": \"«secret»\""),
    ("AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG", "«secret»"),
    ("AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_PRE_AUTHORIZATION_CLIENT_SECRET", "[«secret»"),
    ("SERVE_PROXY_TLS_KEY_BASE64", "«secret»"),
    ("AUTHENTICATORS_JWT_CONFIG_JWKS_URLS", "http://ann:«%secret»@h:99999/"),
    ("ISSUER_CLIENTS", "[{\"id\": \"a\", \"secret_env\": «secret»}]"),
];

/// Documents of rules and of keys.
const DOCUMENTS: [&str; 5] = [
    "{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"d\": \"«secret»\"}]}",
    "{\"keys\": [{\"kty\": \"oct\", \"alg\": \"HS256\", \"k\": \"«secret»",
    "-----BEGIN PRIVATE KEY-----\n«secret»\n-----END PRIVATE KEY-----\n",
    "«secret»",
    "- id: x\n  match: {url: 'http://h/', methods: [GET]}\n  authenticators: [{handler: anonymous}]\n  authorizer: {handler: allow}\n  \
     mutators: [{handler: header, config: {headers: {A: '«secret»{{ .Nope'}}}, {handler: nope, config: {password: «secret»}}]\n  \
     upstream: {url: 'http://ann:«%secret»@h:99999/'}\n",
];

#[test]
fn no_secret_is_in_what_is_said_of_a_mistake_beside_it() {
    let canaries = Canaries::default();
    let mut said = 0;
    let mut assert_hidden = |keyward: Keyward, what: &str| {
        for arguments in [&["config", "check"][..], &["rules", "lint", "--format", "json"]] {
            let (code, out, err) = keyward.run(arguments);
            said += usize::from(code != 0);
            assert_clean(&canaries, &format!("{arguments:?}: {what}"), format!("{out}\n{err}").as_bytes(), false);
        }
    };
    let keyward = || Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    for (file, text) in MISTAKES {
        for document in if text.contains("FILE") { &DOCUMENTS[..] } else { &DOCUMENTS[..1] } {
            let keyward = keyward();
            let path = keyward.write("document", &canaries.filled(document)).display().to_string();
            let config = keyward.write(file, &canaries.filled(text).replace("FILE", &path));
            assert_hidden(keyward.config(config), &format!("{text} {document}"));
        }
    }
    for (name, value) in VARIABLES {
        assert_hidden(keyward().env(name, &canaries.filled(value)), &format!("{name}={value}"));
    }
    for document in DOCUMENTS {
        assert_hidden(keyward().with("", &canaries.filled(document)), document);
    }
    assert!(said > 50, "most of it is refused: {said}");
}
