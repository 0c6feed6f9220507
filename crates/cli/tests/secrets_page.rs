//! The examples of `docs/secrets.md`, run against the real binary.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use keyward_testkit::process::Keyward;

/// The text of the fenced block with this name.
fn block(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/secrets.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, after) = page.split_once(&format!("```{name}\n")).unwrap_or_else(|| panic!("no block `{name}`"));
    after.split_once("```").unwrap().0.to_owned()
}

/// The page's configuration with its files, below the directory of the test.
fn server() -> (Keyward, String) {
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    for file in ["var/run/secrets/env/JIRA_BASIC_AUTH", "etc/keyward/okta-token", "var/run/secrets/tokens/datadog"] {
        server.write(file, "s3cr3t\n");
    }
    let root = server.path("").display().to_string();
    let root = root.trim_end_matches('/').to_owned();
    let here =
        |text: String| text.replace(" /var/run", &format!(" {root}/var/run")).replace(" /etc", &format!(" {root}/etc"));
    (server, here(block("yaml config")))
}

#[test]
fn the_rule_compiles_and_injects_the_secret() {
    let (server, config) = server();
    let table = server.write("table.yaml", &block("yaml test")).display().to_string();
    let server = server.with(&config, &block("yaml rules"));
    let (code, out, err) = server.run(&["rules", "lint"]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, err) = server.run(&["rules", "test", &table]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn the_rule_that_sends_the_secret_elsewhere_is_refused_as_shown() {
    let (server, config) = server();
    let (code, _, err) = server.with(&config, &block("yaml rules denied")).run(&["rules", "lint"]);
    assert_eq!(code, 1);
    let shown = block("text lint");
    assert!(shown.lines().all(|line| err.contains(line)), "{err}");
}

#[test]
fn the_check_prints_what_is_shown() {
    let (server, config) = server();
    let root = server.path("").display().to_string();
    let (code, out, err) = server.with(&config, "[]").run(&["secrets", "check"]);
    assert_eq!(code, 0, "{out}{err}");
    // Columns are as wide as the paths of this test; versions and ages are those of its files.
    let plain = |text: &str| {
        let text = text.replace(root.trim_end_matches('/'), "");
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.iter().position(|word| *word == "version") {
                Some(at) => words[..=at].join(" "),
                None => words.join(" "),
            }
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    let shown = block("console");
    let (_, shown) = shown.split_once('\n').unwrap();
    assert_eq!(plain(&out), plain(shown), "{out}");
}
