//! `secrets` in the configuration, hosts that secrets are bound to, and `keyward secrets check`.

#![allow(clippy::unwrap_used)]

use std::fs;

use keyward_testkit::process::Keyward;
use serde_json::Value;

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}, remote: \
                        {enabled: true}}\nmutators: {noop: {enabled: true}, header: {enabled: true}, cookie: {enabled: \
                        true}, id_token: {enabled: true, config: {issuer_url: \"http://i\", jwks_url: \"file://KEYS\"}}}\n";

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

#[test]
fn what_is_wrong_with_sources_is_said_with_its_place() {
    let rows = [
        ("sources: [{fil: /x}]", "1:22", "did you mean `file`?"),
        ("sources: [{hosts: [a]}]", "1:21", "write one of `file`, `directory`, `systemd`"),
        ("sources: [{file: /x, directory: /y}]", "1:32", "`file` and `directory` are two"),
        ("sources: [{file: \"\"}]", "1:28", "it names no path"),
        ("sources: [{systemd: false}]", "1:31", "write `systemd: true`"),
        ("sources: [{directory: /x, name: y}]", "1:37", "`name` does not go with `directory`"),
        ("sources: [{directory: /x, secrets: [{name: a, id: b}]}]", "1:37", "`secrets` does not go with `directory`"),
        ("sources: [{file: /x, hosts: []}]", "1:39", "`hosts` is empty"),
        ("sources: [{file: /x, hosts: [\"https://a\"]}]", "1:39", "`https://a` is not a host"),
        ("sources: [{file: /x, hosts: a}]", "1:39", "must be a list"),
        ("sources: [{file: /x/a}, {file: /y/a}]", "1:35", "the secret `a` is there twice"),
        ("sources: {file: /x}", "1:20", "must be a list"),
        ("max_stale: 10s", "1:22", "no value would last until the next refresh"),
        ("max_stale: 1000h", "1:22", "write at most `168h`"),
        ("refresh_interval: 1ms", "1:29", "write at least `1s`"),
        ("max_stael: 1h", "1:11", "did you mean `max_stale`?"),
    ];
    for (written, place, message) in rows {
        let (code, _, err) = keyward().with(&format!("secrets: {{{written}}}\n"), "[]").run(&["config", "check"]);
        assert_eq!(code, 1, "{written}");
        assert!(err.contains(&format!("config.yaml:{place}")) && err.contains(message), "{written}: {err}");
    }
}

/// What a rule sends its secrets to is settled when it is compiled.
#[test]
fn secrets_go_only_where_they_are_bound_to() {
    let header = |template: &str| format!("[{{handler: header, config: {{headers: {{A: '{template}'}}}}}}]");
    let bound = header("{{ secret \"bound\" }}");
    let free = header("{{ secret \"free\" }}");
    let allow = "{handler: allow}";
    let remote = |host: &str, name: &str| {
        format!(
            "{{handler: remote, config: {{remote: \"http://{host}/\", headers: {{A: '{{{{ secret \"{name}\" }}}}'}}}}}}"
        )
    };
    let noop = "[{handler: noop}]".to_owned();
    let cookie = "[{handler: cookie, config: {cookies: {A: '{{ secret \"bound\" }}'}}}]".to_owned();
    let claims = "[{handler: id_token, config: {claims: '{\"k\": \"{{ secret \"bound\" }}\"}'}}]".to_owned();
    let rows = [
        ("{url: \"https://acme.net\"}", allow.to_owned(), &bound, ""),
        ("{url: \"https://ACME.net:444\"}", allow.to_owned(), &bound, ""),
        ("{url: \"https://x.sub.net:8443\"}", allow.to_owned(), &bound, ""),
        (
            "{url: \"https://x.sub.net\"}",
            allow.to_owned(),
            &bound,
            "the secret `bound` may be sent to `acme.net`, `*.sub.net:8443` only, and the upstream is `x.sub.net:443`",
        ),
        ("{url: \"https://acme.net.evil.com\"}", allow.to_owned(), &bound, "add `acme.net.evil.com` to `hosts`"),
        ("{url: \"https://evil.com\"}", allow.to_owned(), &cookie, "the upstream is `evil.com:443`"),
        ("{url: \"https://evil.com\"}", allow.to_owned(), &claims, "the upstream is `evil.com:443`"),
        ("{url: \"https://evil.com\"}", allow.to_owned(), &free, ""),
        (
            "{url: \"https://acme.net\", preserve_host: true}",
            allow.to_owned(),
            &bound,
            "remove `upstream.preserve_host`",
        ),
        ("{url: \"https://evil.com\", preserve_host: true}", allow.to_owned(), &free, ""),
        ("{}", allow.to_owned(), &bound, "the rule has no `upstream.url`"),
        ("{}", allow.to_owned(), &free, ""),
        ("{url: \"https://evil.com\"}", remote("acme.net", "bound"), &noop, ""),
        ("{url: \"https://acme.net\"}", remote("evil.com", "bound"), &noop, "a side service is `evil.com:80`"),
        ("{url: \"https://acme.net\"}", remote("evil.com", "free"), &bound, ""),
    ];
    for (upstream, authorizer, mutators, message) in rows {
        let server = keyward();
        let keys = server.run(&["credentials", "generate", "--alg", "ES256"]).1;
        let keys = server.write("keys.json", &keys);
        server.write("bound", "s3cr3t");
        server.write("free", "s3cr3t");
        let at = |name: &str| server.path(name).display().to_string();
        let config = format!(
            "{}secrets:\n  sources:\n    - {{file: {}, hosts: [acme.net, \"*.sub.net:8443\"]}}\n    - {{file: {}}}\n",
            HANDLERS.replace("KEYS", &keys.display().to_string()),
            at("bound"),
            at("free")
        );
        let rules = format!(
            "- id: r\n  match: {{url: \"http://h/\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {authorizer}\n  mutators: {mutators}\n  upstream: {upstream}\n"
        );
        let (code, out, err) = server.with(&config, &rules).run(&["rules", "lint"]);
        let text = format!("{upstream} {authorizer} {mutators}: {out}{err}");
        assert_eq!(code, i32::from(!message.is_empty()), "{text}");
        assert!(err.contains(message) && !text.contains("s3cr3t"), "{text}");
        if !message.is_empty() {
            assert!(err.contains("rule `r`: ") && err.contains("rules.yaml:"), "{text}");
        }
    }
}

#[test]
fn a_name_that_no_source_has_is_named_with_the_nearest() {
    let server = keyward();
    let path = server.write("jira-token", "s3cr3t");
    let config = format!("{HANDLERS}secrets: {{sources: [{{file: {}}}]}}\n", path.display());
    let rules = "- id: r\n  match: {url: \"http://h/\", methods: [GET]}\n  authenticators: [{handler: anonymous}]\n  \
                 authorizer: {handler: allow}\n  mutators: [{handler: header, config: {headers: {A: '{{ secret \
                 \"jira-tokn\" }}'}}}]\n";
    let (code, _, err) = server.with(&config, rules).run(&["rules", "lint"]);
    assert_eq!(code, 1);
    assert!(
        err.contains("secret `jira-tokn`: no source has it") && err.contains("did you mean `jira-token`?"),
        "{err}"
    );
}

#[test]
fn every_source_is_tried_and_no_value_is_printed() {
    let server = keyward();
    server.write("env/TOKEN", "s3cr3t-1\n");
    server.write("all/one", "s3cr3t-2");
    server.write("all/two", "s3cr3t-3");
    server.write("all/..data/hidden", "s3cr3t-4");
    let only = server.write("only", "s3cr3t-5");
    server.write("credentials/unit", "s3cr3t-6");
    let credentials = server.path("credentials").display().to_string();
    let config = |more: &str| {
        format!(
            "secrets:\n  env_dir: {}\n  sources:\n    - {{directory: {}}}\n    - {{file: {}, name: named}}\n    - \
             {{systemd: true}}\n{more}",
            server.path("env").display(),
            server.path("all").display(),
            only.display()
        )
    };
    let sound = server.write("sound.yaml", &config(""));
    let faulty =
        server.write("faulty.yaml", &config("    - {file: /nonexistent/x}\n    - {directory: /nonexistent}\n"));
    let (sound, faulty) = (sound.display().to_string(), faulty.display().to_string());
    let server = server.env("CREDENTIALS_DIRECTORY", &credentials);

    let (code, out, err) = server.run(&["secrets", "check", "-c", &sound]);
    assert_eq!(code, 0, "{out}{err}");
    for name in
        ["env:TOKEN  env_dir `", "one ", "two ", "named ", "unit ", "systemd `systemd`", "5 secrets, nothing missing"]
    {
        assert!(out.contains(name), "{name}: {out}");
    }
    assert!(!out.contains("hidden") && !out.contains("s3cr3t"), "{out}");

    let (code, out, err) = server.run(&["secrets", "check", "-c", &faulty]);
    assert_eq!(code, 1, "{out}{err}");
    for text in ["missing\n  `/nonexistent/x`: No such file", "hint: check the path", "2 missing"] {
        assert!(out.contains(text), "{text}: {out}");
    }

    let (code, out, _) = server.run(&["secrets", "check", "--format", "json", "-c", &faulty]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["complete"]), (1, &Value::Bool(false)));
    let secrets = shown["secrets"].as_array().unwrap();
    let problems: Vec<_> = secrets.iter().filter(|row| !row["problem"].is_null()).collect();
    assert_eq!((secrets.len(), problems.len()), (7, 2), "{out}");
    assert!(problems.iter().all(|row| row["remedy"].is_string() && row["version"].is_null()), "{out}");
    assert!(secrets.iter().any(|row| row["name"] == "one" && row["age_seconds"].is_u64()), "{out}");

    // What is no file is named.
    fs::remove_file(&only).unwrap();
    fs::create_dir(&only).unwrap();
    let (code, out, _) = server.run(&["secrets", "check", "-c", &sound]);
    assert!(code == 1 && out.contains("is not a regular file"), "{out}");
}

#[test]
fn a_source_that_cannot_be_read_here_is_a_warning_of_the_configuration() {
    let (code, _, err) =
        keyward().with("secrets: {sources: [{file: /nonexistent/x}]}\n", "[]").run(&["config", "check"]);
    assert_eq!(code, 0, "{err}");
    for text in ["warning: secrets of file `x` cannot be read: ", "config.yaml:1:21", "hint: check the path"] {
        assert!(err.contains(text), "{text}: {err}");
    }
}

#[test]
fn without_sources_there_is_nothing_to_check() {
    let (code, out, _) = keyward().run(&["secrets", "check"]);
    assert_eq!(code, 0);
    assert!(out.contains("no source of secrets is configured"), "{out}");
    // What systemd passes is there only in a service.
    let (code, out, _) = keyward().with("secrets: {sources: [{systemd: true}]}\n", "[]").run(&["secrets", "check"]);
    assert!(code == 1 && out.contains("`CREDENTIALS_DIRECTORY` is not set"), "{out}");
}
