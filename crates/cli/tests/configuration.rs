//! What a configuration does to a running server: without files, and by which names callers reach it.

#![allow(clippy::unwrap_used)]

use keyward_testkit::process::{Keyward, Running};

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
