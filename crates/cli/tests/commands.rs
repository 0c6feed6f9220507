//! The command line from outside: help, exit codes, findings with their places, keys, tokens, the issuer;
//! and every example of the documentation.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, PATIENCE};
use keyward_testkit::wire;
use serde_json::Value;

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// Fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Some file that is there.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

#[test]
fn usage_errors_end_with_255_and_help_with_0() {
    let rows: [(&[&str], i32, &str); 35] = [
        (&[], 0, "Usage: keyward"),
        (&["--help"], 0, "serve"),
        (&["nosuch"], 255, "nosuch"),
        (&["serve", "--nosuch"], 255, "--nosuch"),
        (&["rules", "get"], 255, "ID"),
        (&["rules", "get", "", "-e", "http://127.0.0.1:1"], 255, "cannot be asked for by its id"),
        (&["rules", "get", ".", "-e", "http://127.0.0.1:1"], 255, "cannot be asked for by its id"),
        (&["rules", "get", "..", "-e", "http://127.0.0.1:1"], 255, "cannot be asked for by its id"),
        (&["rules", "list"], 1, "--endpoint http://127.0.0.1:4456"),
        (&["rules", "get", "x"], 1, "--endpoint http://127.0.0.1:4456"),
        (&["credentials", "generate", "--help"], 0, "2048 (usual), 3072, 4096, 8192"),
        (&["rules"], 0, "Usage: keyward rules"),
        (&["health"], 0, "Usage: keyward health"),
        (&["credentials"], 0, "Usage: keyward credentials"),
        (&["version"], 0, "Version:"),
        (&["completions", "bash"], 0, "complete"),
        (&["completion", "zsh"], 0, "compdef"),
        (&["completions", "fish"], 0, "__fish_keyward"),
        (&["man"], 0, ".TH keyward 1"),
        (&["man", "--dir", "/nonexistent"], 1, "cannot be written"),
        (&["config"], 0, "Usage: keyward config"),
        (&["serve", "--disable-telemetry", "--sqa-opt-out", "-c", "/nonexistent.yaml"], 255, "nonexistent.yaml"),
        (&["serve", "proxy", "-c", "/nonexistent.yaml"], 255, "nonexistent.yaml"),
        (&["rules", "explain", "http://h/a b"], 255, "a URL cannot hold ' '; write `%20`"),
        (&["-c", "/nonexistent.yaml", "config", "check", "-c", "/dev/null"], 1, "/nonexistent.yaml"),
        (&["rules", "lint", "--format", "xml"], 255, "text, json"),
        (&["rules", "lint", FILE], 255, "tip: a configuration is named with `-c /"),
        (&["rules", "lint", "/nonexistent"], 255, "unexpected argument '/nonexistent' found\n\nUsage"),
        (&["rules", "explain", "http://h/", "-X", "G T"], 255, "`G T` is not a method"),
        (&["rules", "explain", "http://h/", "--jwks", "/nonexistent"], 255, "hint: check the path"),
        (&["config", "check", "-c", "/"], 1, "it is a directory"),
        (&["config", "check", "-c", "/dev/zero"], 1, "it is not a regular file"),
        (&["config", "check", "-c", "/nonexistent"], 1, "No such file"),
        (&["health", "alive", "-e", "localhost:4456"], 1, "write `http://` or `https://` in front"),
        (&["token", "--key", FILE, "--sub", "a", "--scope", "b"], 1, "Cargo.toml\n  hint: `keyward credentials"),
    ];
    for (arguments, code, expected) in rows {
        let (ended, out, err) = keyward().run(arguments);
        assert_eq!(ended, code, "{arguments:?}: {out}{err}");
        assert!(format!("{out}{err}").contains(expected), "{arguments:?}: {out}{err}");
    }
}

/// Every command explains itself, and every one takes configuration files.
#[test]
fn every_command_has_help_a_manual_page_and_takes_configuration_files() {
    let server = keyward();
    std::fs::create_dir(server.path("man")).unwrap();
    let directory = server.path("man").display().to_string();
    assert_eq!(server.run(&["man", "--dir", &directory]).0, 0);
    let pages = std::fs::read_dir(server.path("man")).unwrap();
    let pages: Vec<String> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert!(pages.contains(&"keyward-rules-lint.1".to_owned()), "{pages:?}");
    for page in pages.iter().filter(|page| !page.contains("-help")) {
        let command: Vec<&str> = page.strip_suffix(".1").unwrap().split('-').skip(1).collect();
        let (code, help, _) = server.run(&[&command[..], &["--help"]].concat());
        assert!(code == 0 && help.contains("--config <FILE>"), "{page}: {help}");
        let is_group = help.contains("\nCommands:");
        let is_plain = ["version"].contains(&command.first().copied().unwrap_or_default());
        assert!(is_group || is_plain || help.contains("Example"), "{page}: {help}");
    }
}

#[test]
fn findings_come_as_json_too() {
    let server = keyward();
    let path = server.write("config.yaml", "serve: {proxy: {prt: 1}}\n");
    let (code, out, err) = server.config(path).run(&["config", "check", "--format", "json"]);
    let out: Value = serde_json::from_str(&out).unwrap();
    let finding = &out["findings"][0];
    assert_eq!((code, &*err, &out["usable"]), (1, "", &false.into()));
    assert_eq!((&finding["severity"], &finding["line"], &finding["column"]), (&"error".into(), &1.into(), &17.into()));
    let config = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    let rules = "- id: r\n  match: {url: \"http://h/a\", methods: [GET]}\n  authenticators: [{handler: anonymous}]\n  \
                 authorizer: {handler: allow}\n  mutators: [{handler: noop}]\n  upstream: {url: \"https://u/x\"}\n- id: broken\n";
    let (code, out, _) = keyward().with(config, rules).run(&["rules", "lint", "--format", "json"]);
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &out["usable"], &out["rules"][1]["usable"]), (1, &false.into(), &false.into()));
    assert_eq!((&out["rules"][0]["id"], &out["rules"][0]["upstream"]), (&"r".into(), &"https://u".into()));
}

/// A pipeline stops at a rule that would deny, and goes on with one that is only warned about.
#[test]
fn a_check_fails_for_errors_in_rules() {
    let config = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    let rest = "authenticators: [{handler: anonymous}], authorizer: {handler: allow}, mutators: [{handler: noop}]}\n";
    let rule = |start: &str| format!("- {{{start}, {rest}");
    let good = "id: r, match: {url: \"http://h/\", methods: [GET]}";
    let rows = [
        (rule(good), 0, "is usable, 0 warnings\n", 0),
        (rule("id: r, Match: {url: \"http://h/\", methods: []}"), 0, "is usable, 0 warnings\n", 0),
        (
            rule(&format!("{good}, error: []")),
            1,
            "in its rules: 1 error; `keyward rules lint` shows what is wrong\n",
            1,
        ),
        ("- {id: a}\n- {id: b}\n".to_owned(), 1, "in its rules: 2 errors;", 2),
        ("{".to_owned(), 1, "in its rules: 1 error;", 1),
    ];
    for (rules, code, said, errors) in rows {
        let server = keyward().with(config, &rules);
        let (ended, out, err) = server.run(&["config", "check"]);
        assert!(ended == code && out.contains(said) && out.contains("is usable"), "{rules}: {ended} {out}{err}");
        let (ended, out, _) = server.run(&["config", "check", "--format", "json"]);
        let out: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((ended, &out["usable"], &out["rule_errors"]), (code, &true.into(), &errors.into()), "{rules}");
    }
}

/// (what is written, what the finding must say)
const BAD_CONFIGURATIONS: [(&str, &[&str]); 27] = [
    (
        "mutators: {id_token: {enabled: true, issuer_url: \"http://i/\"}}\n",
        &[
            "unknown key `issuer_url` in `mutators.id_token`",
            "config.yaml:1:38",
            "did you mean `config.issuer_url`?",
            "1 finding\n",
        ],
    ),
    (
        "errors: {handlers: {redirect: {enabled: true, to: \"http://i/\"}}}\n",
        &["unknown key `to` in `errors.handlers.redirect`", "did you mean `config.to`?"],
    ),
    ("mutators: {id_token: {enabled: true, issuer: x}}\n", &["known keys here: `enabled`, `config`"]),
    ("serve: {proxy: {prt: 1}}\n", &["unknown key `prt`", "config.yaml:1:17", "`port`"]),
    ("serve:\n  proxy:\n    workers: x\n", &["config.yaml:3:14"]),
    ("authenticators: {jwtt: {enabled: true}}\n", &["unknown key `jwtt`", "`jwt`", "config.yaml:1:18"]),
    (
        "mutators: {id_token: {enabled: true, config: {issuer_url: 7}}}\n",
        &["`mutators.id_token.config.issuer_url` must be a text, found a number", "config.yaml:1:59"],
    ),
    (
        "serve: {proxy: {cors: {enabled: 7}}}\n",
        &["`serve.proxy.cors.enabled` must be true or false", "config.yaml:1:33"],
    ),
    ("access_rules: {repositories: [\"s3://bucket\"]}\n", &["it names no object: write `s3://bucket/KEY`", ":1:"]),
    (
        "authenticators: {jwt: {enabled: true, config: {jwks_urls: [1], scope_strategy: exakt}}}\n",
        &["`authenticators.jwt.config.jwks_urls[0]` must be a text", "must be one of"],
    ),
    ("a: 1\na: 2\n", &["`a` is written twice", "config.yaml:2:1"]),
    ("a: [1\n", &["not valid YAML or JSON"]),
    ("serve: {proxy: {workers: 70000}}\n", &["a whole number from 0 to 65535", "config.yaml:1:26"]),
    ("serve: {proxy: {timeout: {idle: 1m30s}}}\n", &["`serve.proxy.timeout.idle`: `1m30s` is not a duration", ":1:33"]),
    ("serve: {proxy: {timeout: {idle: 5}}}\n", &["must be a duration such as `15s`, found a number", ":1:33"]),
    ("access_rules: {repositories: [1]}\n", &["`access_rules.repositories[0]` must be a text", "1 finding\n"]),
    ("issuer: {host: here, insecure_open: true}\n", &["`issuer.host`: `here` is not an address", "config.yaml:1:16"]),
    ("serve: {proxy: {authorities: [\"http://h/\"]}}\n", &["`http://h/` is not `host` or `host:port`"]),
    ("serve: {proxy: {limits: {headers: 0}}}\n", &["no request could pass", "config.yaml:1:35"]),
    ("serve: {proxy: {limits: {requests: 0}}}\n", &["`serve.proxy.limits.requests`", "no request could pass", ":1:36"]),
    (
        "serve: {proxy: {limits: {queue_time: 1ms}}}\n",
        &["`serve.proxy.limits.queue_time`", "write at least `5ms`", ":1:38"],
    ),
    ("access_rules: {matching_strategy: globb}\n", &["must be one of `glob`, `regexp`", "config.yaml:1:35"]),
    ("authenticators: {jwt: [1]}\n", &["`authenticators.jwt` must be a map, found a list", "config.yaml:1:23"]),
    ("errors: {fallback: [jsn]}\n", &["there is no error handler `jsn`", "config.yaml:1:21"]),
    ("errors: {fallback: [redirect]}\n", &["error handler `redirect` is disabled", "config.yaml:1:21"]),
    (
        "serve: {proxy: {prt: 1}}\nlog: {levle: info}\nmutators:\n  hdr: {enabled: true}\n",
        &["config.yaml:1:17", "config.yaml:2:7", "config.yaml:4:3", "3 findings"],
    ),
    ("issuer: {port: 8080}\n", &["`issuer.clients` is empty", "insecure_open"]),
];

#[test]
fn findings_name_the_place_and_the_remedy() {
    for (text, expected) in BAD_CONFIGURATIONS {
        let server = keyward().without_env("SERVE_PROXY_LIMITS_QUEUE_TIME");
        let path = server.write("config.yaml", text);
        let (code, out, err) = server.config(path).run(&["config", "check"]);
        assert_eq!(code, 1, "{text}");
        let findings = out + &err;
        for part in expected {
            assert!(findings.contains(part), "{text}: `{part}` is missing in\n{findings}");
        }
    }
    let (code, _, findings) = keyward().env("SERVE_PROXY_PORT", "many").run(&["config", "check"]);
    assert!(code == 1 && findings.contains("environment variable `SERVE_PROXY_PORT`"), "{findings}");
}

/// A value that may be a secret is repeated neither in a message nor with the line it stands on.
#[test]
fn findings_do_not_repeat_secrets() {
    let values = [
        ("mutators", "header", "{headers: {Authorization: [Bearer s3cr3t]}}"),
        ("mutators", "header", "{headers: {X-Key: [s3cr3t]}}"),
        ("mutators", "header", "{header: {X-Key: s3cr3t}}"),
        ("mutators", "header", "{headers: {\"X Key\": s3cr3t}}"),
        ("mutators", "header", "{headers: {X-Key: \"s3cr3t\\n\"}}"),
        ("mutators", "header", "{headers: {X-Key: \"s3cr3t {{ nosuch }}\"}}"),
        ("authenticators", "jwt", "{jwks_urls: [\"https://me:s3cr3t@h:x/\"]}"),
        ("authenticators", "jwt", "{jwks_urls: [\"me:s3cr3t@h\"]}"),
        ("authenticators", "bearer_token", "{check_session_url: \"https://me:s3cr3t@h:x/\"}"),
        ("authenticators", "oauth2_introspection", "{introspection_url: \"ftp://me:s3cr3t@h/\"}"),
    ];
    for (group, id, config) in values {
        let global = format!("{group}: {{{id}: {{enabled: true, config: {config}}}}}\n");
        let server = keyward();
        let path = server.write("config.yaml", &global);
        let (_, out, err) = server.config(path).run(&["config", "check"]);
        assert!(!format!("{out}{err}").contains("s3cr3t"), "{config}: {out}{err}");
        let (authenticators, mutators) = match group {
            "mutators" => ("{handler: anonymous}".to_owned(), format!("{{handler: {id}, config: {config}}}")),
            _ => (format!("{{handler: {id}, config: {config}}}"), "{handler: noop}".to_owned()),
        };
        broken_without_secret(&format!("[{authenticators}]"), &format!("[{mutators}]"), "http://h");
    }
    for url in ["https://me:s3cr3t@h/", "ftp://me:s3cr3t@h/", "https://h/?key=s3cr3t"] {
        broken_without_secret("[{handler: anonymous}]", "[{handler: noop}]", url);
    }
}

fn broken_without_secret(authenticators: &str, mutators: &str, upstream: &str) {
    let config = "authenticators: {anonymous: {enabled: true}, jwt: {enabled: true}, bearer_token: {enabled: true}, \
                  oauth2_introspection: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                  mutators: {header: {enabled: true}, noop: {enabled: true}}\n";
    let rules = format!(
        "- id: r\n  match: {{url: \"http://h/\", methods: [GET]}}\n  authenticators: {authenticators}\n  \
         authorizer: {{handler: allow}}\n  mutators: {mutators}\n  upstream: {{url: \"{upstream}\"}}\n"
    );
    let (code, out, err) = keyward().with(config, &rules).run(&["rules", "lint"]);
    assert!(code == 1 && out.contains("1 rule, 1 error"), "{rules}{out}{err}");
    assert!(!format!("{out}{err}").contains("s3cr3t"), "{rules}{out}{err}");
}

#[test]
fn keys_and_tokens_work_together_with_the_issuer() {
    let server = keyward();
    let (code, keys, _) = server.run(&["credentials", "generate", "--alg", "ES256", "--kid", "k1"]);
    assert_eq!(code, 0);
    let path = server.write("keys.json", &keys);
    let path = path.display().to_string();
    let (code, token, err) = server.run(&["token", "--key", &path, "--sub", "me", "--scope", "a", "--scope", "b"]);
    assert_eq!((code, token.trim().split('.').count()), (0, 3), "{err}");
    assert_eq!(server.run(&["token", "--key", "/nonexistent", "--sub", "me", "--scope", "a"]).0, 1);

    let port = free_port();
    let config = format!(
        "issuer:\n  host: 127.0.0.1\n  port: {port}\n  url: https://issuer.example\n  keys: [{{path: {path}}}]\n  \
         clients:\n    - {{id: ci, secret_env: CI_SECRET, kind: ci, scopes: [\"jira:read\", \"jira:write\"]}}\n"
    );
    let running = keyward().with(&config, "[]").env("CI_SECRET", "correct horse battery").start();
    let ask = |body: &str, authorization: &str| {
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: i\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             {authorization}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = wire::exchange(port, request.as_bytes(), PATIENCE).unwrap();
        (answer.status(), serde_json::from_str::<Value>(&answer.text()).unwrap())
    };
    let grant = "grant_type=client_credentials";
    let right = "client_id=ci&client_secret=correct+horse+battery";
    let (status, answer) = ask(&format!("{grant}&{right}&scope=jira:read"), "");
    assert_eq!((status, &answer["token_type"], &answer["expires_in"]), (200, &"Bearer".into(), &900.into()));
    let basic = "Authorization: Basic Y2k6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\r\n";
    assert_eq!(ask(grant, basic).1["scope"], "jira:read jira:write");
    let rows = [
        (format!("{grant}&client_id=ci&client_secret=wrong+horse+battery"), 401, "invalid_client"),
        (format!("{grant}&client_id=other&client_secret=correct+horse+battery"), 401, "invalid_client"),
        (grant.to_owned(), 401, "invalid_client"),
        (format!("{grant}&{right}&scope=admin"), 400, "invalid_scope"),
        (format!("grant_type=password&{right}"), 400, "unsupported_grant_type"),
        (format!("{grant}&{right}&ttl=99999"), 400, "invalid_request"),
        (format!("{grant}&{grant}&{right}"), 400, "invalid_request"),
    ];
    for (body, status, error) in rows {
        let (answered, answer) = ask(&body, "");
        assert_eq!((answered, &answer["error"]), (status, &error.into()), "{body}");
    }
    let keys =
        wire::exchange(port, b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n", PATIENCE);
    let keys: Value = serde_json::from_str(&keys.unwrap().text()).unwrap();
    assert_eq!(keys["keys"][0]["kid"], "k1");
    assert!(keys["keys"][0].get("d").is_none());
    assert!(!running.log().contains("horse"));
}

#[test]
fn tokens_that_could_not_be_used_are_not_signed() {
    let server = keyward();
    let (_, keys, _) = server.run(&["credentials", "generate", "--alg", "ES256"]);
    let path = server.write("keys.json", &keys).display().to_string();
    let rows: [(&[&str], i32, &str); 7] = [
        (&["--key", &path, "--scope", "a", "--ttl", "0"], 255, "--ttl"),
        (&["--key", &path, "--scope", "a", "--ttl", "-5"], 255, "-5"),
        (&["--key", &path, "--scope", ""], 255, "it is empty"),
        (&["--key", &path, "--scope", "  "], 255, "it is empty"),
        (&["--key", &path, "--scope", "a \"b\""], 255, "is not a scope"),
        (
            &["--key", "/dev/zero", "--scope", "a"],
            1,
            "the key cannot be read: it is not a regular file\n  --> /dev/zero\n  hint: ",
        ),
        (&["--key", &path, "--scope", " a  b "], 0, "."),
    ];
    for (arguments, code, expected) in rows {
        let (ended, out, err) = server.run(&[&["token", "--sub", "me"], arguments].concat());
        assert!(ended == code && format!("{out}{err}").contains(expected), "{arguments:?}: {ended} {out}{err}");
    }
}

/// Accepted as the reference accepts it, but not without a word.
#[test]
fn what_has_no_effect_or_does_not_exist_is_warned_about() {
    let config = "access_rules: {matching_strategy: glob}\nsecrets: {env_dir: /nonexistent/secrets}\n\
                  authenticators: {anonymous: {enabled: true}, jwt: {enabled: true}}\n\
                  authorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    let rules = "- id: r\n  match: {url: \"http://h/a<**>\", methods: [GET]}\n  authenticators:\n    - handler: jwt\n      config:\n        \
                 jwks_urls: [\"file:///k.json\"]\n        trusted_issuers: [i]\n        target_audience: [a]\n        jwks_ttl: 5m\n  \
                 authorizer: {handler: allow}\n  mutators: [{handler: noop}]\n";
    let (code, out, err) = keyward().with(config, rules).run(&["rules", "lint"]);
    assert!(code == 0 && out.contains("0 errors, 3 warnings"), "{out}{err}");
    for expected in [
        "`jwks_ttl` has no effect in a rule",
        "rules.yaml:9:9",
        "config.yaml:2:20",
        "`secrets.env_dir` is not a directory",
    ] {
        assert!(err.contains(expected), "{expected}: {err}");
    }
    let (code, _, err) = keyward().with(config, rules).run(&["config", "check"]);
    assert!(code == 0 && err.contains("is not a directory"), "{err}");
    let running = keyward().with(config, "[]").start();
    assert!(running.log().contains("is not a directory"), "{}", running.log());
}

#[test]
fn a_forgotten_option_is_asked_for() {
    let keyward = keyward();
    let file = keyward.write("config.yaml", "").display().to_string();
    let (code, _, err) = keyward.run(&["serve", &file, "-c", "/nonexistent.yaml"]);
    assert!(code == 255 && err.contains(&format!("did you mean `-c {file}`?")), "{code} {err}");
    for command in [["config", "check"], ["rules", "lint"]] {
        let (code, _, err) = keyward.run(&command);
        assert!(code == 0 && err.contains("warning: no configuration file is named"), "{command:?} {code} {err}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let (code, _, err) = keyward().run(&["health", "alive", "-e", &endpoint]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("no connection to 127.0.0.1:{port}")) && !err.contains("upstream"), "{err}");
}

#[test]
fn health_tells_alive_from_ready() {
    let running = keyward().with("", "[]").start();
    let endpoint = format!("http://127.0.0.1:{}", running.api);
    let (code, out, _) = keyward().run(&["health", "alive", "--endpoint", &endpoint]);
    assert_eq!((code, out.as_str()), (0, "{\n\t\"status\": \"ok\"\n}\n"));
    let (code, _, err) = keyward().run(&["health", "ready", "--endpoint", &endpoint]);
    assert!(code == 1 && err.contains("rules_loaded"), "{err}");
}

/// Everything the README and the reference show is what the binary takes.
#[test]
fn the_documentation_s_examples_are_usable() {
    let readme = blocks(&document("README.md"), "yaml");
    let [config, rules] = &readme[..] else { panic!("the README shows a configuration and a rule") };
    let server = keyward().env("JIRA_BASIC_AUTH", "user:token");
    let config =
        server.write("config.yaml", &config.replace("file://./", &format!("file://{}/", server.path("").display())));
    server.write("rules.yaml", rules);
    let server = server.config(config);
    assert_eq!(server.run(&["config", "check"]).0, 0);
    let (code, out, err) = server.run(&["rules", "lint"]);
    assert!(code == 0 && out.contains("1 rule, 0 errors"), "{out}{err}");
    for block in blocks(&document("docs/reference.md"), "yaml") {
        let server = keyward();
        let path = server.write("config.yaml", &block);
        let (code, _, err) = server.config(path).run(&["config", "check"]);
        assert_eq!(code, 0, "{block}{err}");
    }
}

#[test]
fn the_demo_checks_itself() {
    let begun = Instant::now();
    let (code, out, err) = keyward().run(&["demo", "--check"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("every answer was right") && begun.elapsed() < PATIENCE * 3);
}
