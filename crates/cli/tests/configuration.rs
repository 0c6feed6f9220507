//! What a configuration does to a running server: without files, and by which names callers reach it.

#![allow(clippy::unwrap_used)]

use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_testkit::process::{Keyward, Running};
use serde_json::json;

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}, deny: {enabled: true}}\n\
                        mutators: {noop: {enabled: true}}\n";

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

/// A rule without an upstream: permitted requests get 502, denied ones 403.
fn rules(url: &str, authorizer: &str) -> String {
    format!(
        "- id: r\n  match: {{url: \"{url}\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
         authorizer: {{handler: {authorizer}}}\n  mutators: [{{handler: noop}}]\n"
    )
}

fn status(running: &Running, host: &str) -> u16 {
    running.get("/a", &[("Host", host)]).status()
}

#[test]
fn without_configuration_files_rules_are_reloaded_all_the_same() {
    let server = keyward();
    let path = server.write("rules.yaml", &rules("http://h/a", "allow"));
    let repository = format!("file://{}", path.display());
    let variables = ["AUTHENTICATORS_ANONYMOUS", "AUTHORIZERS_ALLOW", "AUTHORIZERS_DENY", "MUTATORS_NOOP"];
    let server = variables.iter().fold(server, |server, name| server.env(&format!("{name}_ENABLED"), "true"));
    let running = server.env("ACCESS_RULES_REPOSITORIES", &repository).start();
    let permitted = status(&running, "h");
    running.replace("rules.yaml", &rules("http://h/a", "deny"));
    running.until("the change", |running| status(running, "h") == 403);
    running.signal("HUP");
    running.replace("rules.yaml", &rules("http://h/a", "allow"));
    running.until("the change back", |running| status(running, "h") == permitted);
}

#[test]
fn a_server_without_rules_says_so() {
    let running = keyward().start();
    assert_eq!(status(&running, "h"), 404);
    let log = running.log();
    assert!(log.contains("no configuration file is named") && log.contains("there are no rules"), "{log}");
    // What there is nothing to say of is left out.
    assert!(!log.contains("=\"\""), "{log}");
}

/// It is usable, since the environment can say the rest, but is told of; `{}` is meant so.
#[test]
fn a_file_that_sets_nothing_is_told_of() {
    let rows = [("empty.yaml", "", true), ("remark.yaml", "# later\n", true), ("meant.yaml", "{}\n", false)];
    for (name, text, told) in rows {
        let server = keyward();
        let path = server.write(name, text);
        let (code, out, err) = server.config(path).run(&["config", "check"]);
        let said = format!("{out}{err}");
        assert_eq!(code, 0, "{said}");
        let mentions = said.contains("the file is empty, and sets nothing") && said.contains(name);
        assert_eq!(mentions && said.contains("`access_rules.repositories`"), told, "{name}: {said}");
    }
}

#[test]
fn names_of_this_proxy_match_rules_for_its_own_port() {
    let server = keyward();
    let own = rules(&format!("http://oathkeeper:{}/a", server.proxy), "deny");
    let config = format!(
        "{HANDLERS}serve: {{proxy: {{authorities: [lb.example, \"Two.example:80\", \"three.example:8080\"]}}}}\n"
    );
    let running = server.with(&config, &own).start();
    let own_port = running.proxy;
    let rows = [
        ("lb.example", 403),
        ("LB.example:99", 403),
        ("two.example", 403),
        ("two.example:80", 403),
        ("two.example:81", 404),
        ("three.example:8080", 403),
        ("three.example", 404),
        ("four.example", 404),
        ("localhost", 404),
        (&*format!("localhost:{own_port}"), 403),
        (&*format!("[::1]:{own_port}"), 403),
        (&*format!("oathkeeper:{own_port}"), 403),
    ];
    for (host, expected) in rows {
        assert_eq!(status(&running, host), expected, "{host}");
    }
}

#[test]
fn a_variable_replaces_a_list_as_a_whole() {
    let server = keyward();
    let (one, two) = (rules("http://one/a", "deny"), rules("http://two/a", "deny"));
    let (one, two) = (server.write("one.yaml", &one), server.write("two.yaml", &two));
    let (one, two) = (format!("file://{}", one.display()), format!("file://{}", two.display()));
    let config = format!("{HANDLERS}access_rules: {{repositories: [\"{one}\", \"{two}\"]}}\n");
    let path = server.write("config.yaml", &config);
    let running = server.config(path).env("ACCESS_RULES_REPOSITORIES", &two).start();
    assert_eq!((status(&running, "one"), status(&running, "two")), (404, 403));
}

/// W30, and what a cluster sets for a service that is called `issuer`.
#[test]
fn variables_of_other_software_do_not_stop_the_start() {
    let others = [
        ("VERSION", "1.2.3"),
        ("PROFILING", "mutex"),
        ("LOG", "debug"),
        ("SERVE", "yes"),
        ("ISSUER_PORT", "tcp://10.0.0.1:80"),
        ("ISSUER_URL", "https://issuer.example.com"),
    ];
    let server = others.iter().fold(keyward(), |server, (name, value)| server.env(name, value));
    let running = server.with(HANDLERS, &rules("http://h/a", "deny")).start();
    assert_eq!(status(&running, "h"), 403);
    for said in ["environment variable `LOG`", "it is not a JSON object, so it is not taken for `serve`"] {
        assert!(running.log().contains(said), "{said}\n{}", running.log());
    }
    assert!(running.log().contains("there is no issuer, so it is not taken for `issuer.port`"), "{}", running.log());
}

#[test]
fn files_of_every_format_are_merged_in_order() {
    let server = keyward();
    let rules_path = server.write("rules.yaml", &rules("http://h/a", "deny"));
    let toml = format!(
        "[access_rules]\nrepositories = [\"file://{}\"]\n\n[authenticators]\nanonymous = {{ enabled = true }}\n\n\
         [authorizers.deny]\nenabled = false\n\n[mutators]\nnoop.enabled = true\n",
        rules_path.display()
    );
    let toml = server.write("base.toml", &toml);
    let json = server.write("more.json", "{\"authorizers\": {\"deny\": {\"enabled\": true}}}");
    let yaml = server.write("last.yaml", "log: {level: warn}\n");
    let running = server.config(toml).config(json).config(yaml).start();
    assert_eq!(status(&running, "h"), 403);
    assert!(!running.log().contains(" INFO "), "{}", running.log());
}

#[test]
fn faults_in_toml_name_their_place() {
    let check = |text: &str| {
        let server = keyward();
        let path = server.write("config.toml", text);
        let (code, out, err) = server.config(path).run(&["config", "check"]);
        (code, out + &err)
    };
    let rows = [
        ("[serve.proxy]\nprt = 1\n", "config.toml:2:1", "unknown key `prt` in `serve.proxy`"),
        ("[serve.proxy]\nworkers = \"two\"\n", "config.toml:2:11", "`serve.proxy.workers` must be a whole number"),
        ("[serve.proxy\n", "config.toml:1:", "not valid TOML"),
        ("[serve]\n[serve]\n", "config.toml:2:", "not valid TOML"),
    ];
    for (text, place, message) in rows {
        let (code, said) = check(text);
        assert!(code != 0 && said.contains(place) && said.contains(message), "{text}: {code} {said}");
    }
}

/// Serving spec 2.7, W32, and what is accepted without effect.
#[test]
fn what_has_no_effect_is_said_and_stops_nothing() {
    let server = keyward();
    let config = format!(
        "{}sqa: {{opt_out: true}}\nprofiling: cpu\nversion: v0.40.6\n\
         tracing: {{provider: jaeger, providers: {{otlp: {{server_url: \"h:4318\", insecure: true, authorization_header: s3cr3t}}}}}}\n\
         log: {{format: gelf, leak_sensitive_values: true, redaction_text: x, additional_redacted_headers: [X-A]}}\n",
        HANDLERS.replace("mutators: {", "mutators: {header: {enabled: false, note: idle, config: {nosuch: 1}}, ")
    );
    let running = server.with(&config, &rules("http://h/a", "deny")).start();
    assert_eq!(status(&running, "h"), 403);
    let log = running.log();
    for said in [
        "`sqa` has no effect",
        "`profiling` has no effect",
        "`tracing.provider` has no effect: no traces are exported",
        "`log.leak_sensitive_values` has no effect",
        "`note` has no effect: `mutators.header` is not enabled",
    ] {
        assert!(log.contains(said), "{said}\n{log}");
    }
    assert!(!log.contains("s3cr3t") && log.lines().all(|line| line.starts_with("{\"version\":\"1.1\"")), "{log}");
    for (text, message) in [
        ("version: nope\n", "`version`: it is not a version"),
        ("profiling: mutex\n", "`profiling` must be one of"),
        ("tracing: {provider: nope}\n", "`tracing.provider` must be one of"),
        ("tracing: {providers: {otlp: {url: x}}}\n", "unknown key `url` in `tracing.providers.otlp`"),
    ] {
        let server = keyward();
        let path = server.write("config.yaml", text);
        let (code, out, err) = server.config(path).run(&["config", "check"]);
        assert!(code != 0 && (out.clone() + &err).contains(message), "{text}: {code} {out} {err}");
    }
}

/// A handler's settings are read when a rule uses them: the check says what is wrong there, once, and points to
/// `rules lint` for the rest.
#[test]
fn a_check_finds_what_is_wrong_in_the_settings_that_rules_use() {
    let rows = [
        ("jwks_urls: [\"s3://b\"]", "config.yaml:2:44", "it names no object: write `s3://b/KEY`"),
        ("jwks_urls: [notaurl]", "config.yaml:2:44", "it is not a location of a key set"),
        ("jwks_urls: []", "config.yaml:2:44", "`jwks_urls` is empty"),
        (
            "jwks_urls: [\"HTTP://i/k\"], allowed_algorithms: [HS256]",
            "config.yaml:2:44",
            "must not travel over plain http",
        ),
        ("jwks_urls: [\"https://i/k\"], allowed_algorithms: [none]", "config.yaml:2:81", "`none` is not supported"),
        (
            "jwks_urls: [\"https://i/k\"], allowed_algorithms: [none, rs256]",
            "config.yaml:2:81",
            "algorithm `none`, `rs256` is not supported",
        ),
    ];
    let rule = |id: &str| {
        format!(
            "- id: {id}\n  match: {{url: \"http://h/{id}\", methods: [GET]}}\n  authenticators: [{{handler: jwt}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n"
        )
    };
    let rules = [rule("a"), rule("b"), rule("c").replace("noop", "no")].concat();
    for (settings, place, said) in rows {
        let config = format!(
            "authenticators:\n  jwt: {{enabled: true, config: {{{settings}}}}}\nauthorizers: {{allow: {{enabled: true}}}}\n\
             mutators: {{noop: {{enabled: true}}}}\n"
        );
        let (code, out, err) = keyward().with(&config, &rules).run(&["config", "check"]);
        assert_eq!(code, 1, "{settings}: {out}{err}");
        assert!(err.contains(place) && err.matches(said).count() == 1, "{settings}: {err}");
        assert!(out.contains("in its rules: 1 error; `keyward rules lint`"), "{settings}: {out}");
    }
}

#[test]
fn a_check_says_which_algorithms_are_passed_over() {
    let rules = "- id: a\n  match: {url: \"http://h/a\", methods: [GET]}\n  authenticators: [{handler: jwt}]\n  \
                 authorizer: {handler: allow}\n  mutators: [{handler: noop}]\n";
    for (allowed, unknown) in [("RS256, none", "`none`"), ("rs256, ES256, HS1", "`rs256`, `HS1`"), ("RS256, ES256", "")]
    {
        let config = format!(
            "authenticators:\n  jwt: {{enabled: true, config: {{jwks_urls: [\"https://i/k\"], trusted_issuers: [i], target_audience: [a], \
             allowed_algorithms: [{allowed}]}}}}\nauthorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n"
        );
        let (code, out, err) = keyward().with(&config, rules).run(&["rules", "lint"]);
        let said = format!("algorithm {unknown} is not supported: tokens that are signed with it are refused");
        assert_eq!(
            (code, err.contains(&said), err.contains("not supported")),
            (0, !unknown.is_empty(), !unknown.is_empty()),
            "{allowed}: {out}{err}"
        );
    }
}

/// As in the reference; otherwise every rule would match twice, and be denied.
#[test]
fn a_repository_that_is_named_twice_is_read_once() {
    let rules = "- id: a\n  match: {url: \"http://h/<.*>\", methods: [GET]}\n  authenticators: [{handler: noop}]\n  \
                 authorizer: {handler: allow}\n  mutators: [{handler: noop}]\n";
    let server = keyward();
    let file = server.write("r.yaml", rules).display().to_string();
    let config = format!(
        "access_rules: {{repositories: [\"file://{file}\", \"file://{file}\"]}}\nauthenticators: {{noop: {{enabled: true}}}}\n\
         authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n"
    );
    let config = server.write("c.yaml", &config);
    let (code, out, err) = server.config(config).run(&["rules", "lint"]);
    assert!(code == 0 && out.contains("1 rule, 0 errors, 1 warning,"), "{out}{err}");
    assert!(err.contains("is named twice and read once"), "{err}");
}

#[test]
fn a_check_names_what_means_something_different_from_oathkeeper() {
    let server = keyward();
    let path = server
        .write("config.yaml", "authenticators:\n  jwt: {enabled: true}\nserve:\n  proxy: {timeout: {read: 5s}}\n");
    let server = server.config(path);
    let (code, out, _) = server.run(&["config", "check"]);
    assert_eq!(code, 0, "{out}");
    for said in [
        "config.yaml:2:3: `authenticators.jwt`: tokens without `exp` are refused",
        "[missing-exp]",
        "[timeouts-are-for-pauses]",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
    let (_, out, _) = server.run(&["config", "check", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&read["differences"][0]["row"], &read["differences"][0]["line"]), (&"missing-exp".into(), &2.into()));
}

/// 2,000 of these tokens take more than 14 MiB where they are remembered.
#[test]
fn verified_tokens_take_the_memory_they_may() {
    let key = generate("ES256", "k", 0).unwrap();
    let signing = SigningKey::read(key.to_string().as_bytes(), None, None).unwrap();
    let claims = |number| json!({"sub": format!("s-{number}"), "exp": 4_000_000_000_u64, "text": "x".repeat(3000)});
    let tokens: Vec<_> = (0..2500).map(|number| format!("Bearer {}", signing.sign(&claims(number)).unwrap())).collect();
    let rules = rules("http://h/a", "deny").replace("anonymous", "jwt");
    // In KiB: what 2,000 requests add to what the first 500 took.
    let rows = [(0, 0..6 << 10), (1 << 20, 0..6 << 10), (64 << 20, 10 << 10..64 << 10)];
    for (limit, expected) in rows {
        let server = keyward();
        let keys = server.write("keys.json", &json!({"keys": [key]}).to_string());
        let config = format!("{HANDLERS}serve: {{proxy: {{workers: 1, limits: {{token_cache_bytes: {limit}}}}}}}\n",)
            .replace(
                "anonymous: {enabled: true}",
                &format!(
                    "jwt: {{enabled: true, config: {{jwks_urls: ['file://{}'], allowed_algorithms: [ES256]}}}}",
                    keys.display()
                ),
            );
        let running = server.with(&config, &rules).start();
        let show = |tokens: &[String]| {
            for token in tokens {
                let headers = [("Host", "h"), ("Authorization", token), ("Connection", "close")];
                assert_eq!(running.get("/a", &headers).status(), 403);
            }
            running.resident_kib()
        };
        let (first, others) = tokens.split_at(500);
        let before = show(first);
        let grown = show(others).saturating_sub(before);
        assert!(expected.contains(&grown), "{limit}: {grown} KiB");
    }
}
