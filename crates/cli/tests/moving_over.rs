//! What `rules lint` and `config check` tell a team whose rules were written for Oathkeeper: where requests come out
//! differently here, with the row of `conformance/differences.toml` and what to write instead.

#![allow(clippy::unwrap_used)]

use keyward_testkit::process::Keyward;

const HANDLERS: &str = "
authenticators:
  anonymous: {enabled: true}
  bearer_token: {enabled: true, config: {check_session_url: 'http://s/'}}
  cookie_session: {enabled: true, config: {check_session_url: 'http://s/', only: [sid]}}
authorizers:
  allow: {enabled: true}
  remote: {enabled: true, config: {remote: 'http://r/'}}
  remote_json: {enabled: true, config: {remote: 'http://r/', payload: '{}'}}
mutators: {noop: {enabled: true}, header: {enabled: true, config: {headers: {X-User: '{{ print .Subject }}'}}}}
";

/// (code, standard output, standard error) of a command for rules under a strategy.
fn run(command: &[&str], strategy: &str, rules: &str) -> (i32, String, String) {
    let config = format!("access_rules: {{matching_strategy: {strategy}}}\n{HANDLERS}");
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, rules).run(command)
}

fn rule(id: &str, url: &str, methods: &str, authenticator: &str) -> String {
    format!(
        "- id: {id}\n  match: {{url: '{url}', methods: [{methods}]}}\n  authenticators: [{{handler: {authenticator}}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: header}}]\n  upstream: {{url: 'http://u'}}\n"
    )
}

/// A protected list that another rule would open, as in a real gateway; what loses its slash to nobody or to several
/// rules; and what is no different.
#[test]
fn lint_says_which_rule_loses_a_path_with_a_slash() {
    // (strategy, rules as (URL, methods, authenticator), what is said; nothing when empty)
    type Rules = &'static [(&'static str, &'static str, &'static str)];
    let rows: [(&str, Rules, &[&str]); 13] = [
        (
            "regexp",
            &[("http://h/event", "GET", "cookie_session"), ("http://h/event/<.*>", "GET", "anonymous")],
            &[
                "rule `r0`: Oathkeeper removes the slash of `GET http://h/event/` and leaves it to this rule; rule `r1` takes \
                 it here, which asks for no credential [trailing-slash]",
                "rules.yaml:1:3",
                "write `http://h/event</?>`, and let rule `r1` want something behind the slash, such as `<.+>` for `<.*>`",
            ],
        ),
        (
            "regexp",
            &[("http://h/event</?>", "GET", "cookie_session"), ("http://h/event/<.+>", "GET", "anonymous")],
            &[],
        ),
        (
            "glob",
            &[("http://h/event", "GET", "anonymous"), ("http://h/event/<**>", "GET", "anonymous")],
            &["rule `r1` takes it here [trailing-slash]", "`http://h/event<{,/}>`", "`<?**>` for `<**>`"],
        ),
        ("glob", &[("http://h/event<{,/}>", "GET", "anonymous"), ("http://h/event/<?**>", "GET", "anonymous")], &[]),
        (
            "regexp",
            &[("http://h/login", "GET, POST", "anonymous"), ("http://h/login/<.*>", "PUT", "anonymous")],
            &[
                "`GET http://h/login/` and leaves it to this rule; no rule takes it here [trailing-slash]",
                "</?>` to take",
            ],
        ),
        (
            "regexp",
            &[("http://h/login", "GET, post", "cookie_session"), ("http://h/login/<.*>", "POST", "anonymous")],
            &["`post http://h/login/`", "rule `r1` takes it here, which asks"],
        ),
        (
            "regexp",
            &[("http://h/<[a-z]*>", "GET", "anonymous")],
            &[
                "rule `r0`",
                "`GET http://h/a/` and leaves it to this rule; no rule takes it here",
                "`http://h/<[a-z]*></?>`",
            ],
        ),
        (
            "regexp",
            &[("http://h/users/<[0-9]+>", "GET", "anonymous")],
            &["`GET http://h/users/1/`", "no rule takes it here"],
        ),
        (
            "regexp",
            &[
                ("http://h/place", "GET", "anonymous"),
                ("http://h/place/<.*>", "GET", "anonymous"),
                ("http://h/<[a-z]+>/<.*>", "GET", "anonymous"),
            ],
            &["rule `r0`", "several rules take it here, and it is denied [trailing-slash]"],
        ),
        ("regexp", &[("http://h/", "GET", "anonymous"), ("http://h<.+>/x</?>", "PUT", "anonymous")], &[]),
        ("regexp", &[("http://h/a<.*>", "GET", "anonymous")], &[]),
        // Nothing is taken away from anybody.
        ("regexp", &[("http://h/a/<.*>", "GET", "anonymous")], &[]),
        // No example can be made up, or none that is a request.
        ("regexp", &[("http://h/<[x-z]{2}>", "GET", "anonymous"), ("<.*>/a", "GET", "anonymous")], &[]),
    ];
    for (strategy, rules, expected) in rows {
        let text: String = rules
            .iter()
            .enumerate()
            .map(|(n, (url, methods, authenticator))| rule(&format!("r{n}"), url, methods, authenticator))
            .collect();
        let (code, out, err) = run(&["rules", "lint"], strategy, &text);
        assert_eq!(code, 0, "{rules:?}: {out}{err}");
        assert_eq!(err.matches("[trailing-slash]").count(), usize::from(!expected.is_empty()), "{rules:?}: {err}");
        for part in expected {
            assert!(err.contains(part), "{rules:?}: `{part}` is missing in\n{err}");
        }
    }
}

/// Where nothing is put in the place of the credential that is removed, the upstream sees nobody.
#[test]
fn lint_says_whose_upstream_does_not_learn_who_calls() {
    let protected = |rest: &str| {
        format!(
            "- id: r\n  match: {{url: 'http://h/<.*>', methods: [GET]}}\n  authenticators: [{{handler: cookie_session}}]\n  {rest}\n"
        )
    };
    let allow = "authorizer: {handler: allow}\n  mutators: [{handler: noop}]";
    let asking = |handler: &str, config: &str| {
        format!("authorizer: {{handler: {handler}, config: {{{config}}}}}\n  mutators: [{{handler: noop}}]")
    };
    let forwarding = "forward_response_headers_to_upstream: [X-User]";
    let upstream = "\n  upstream: {url: 'http://u'}";
    let rows = [
        (protected(&format!("{allow}{upstream}")), true),
        (protected(&format!("{}{upstream}", asking("remote_json", ""))), true),
        (protected(&format!("{}{upstream}", asking("remote_json", forwarding))), false),
        (protected(&format!("{}{upstream}", asking("remote", ""))), true),
        (protected(&format!("{}{upstream}", asking("remote", forwarding))), false),
        (protected(&format!("{allow}\n  upstream: {{url: 'http://u', forward_caller_credential: true}}")), false),
        (protected(allow), false),
        (protected(&format!("authorizer: {{handler: allow}}\n  mutators: [{{handler: header}}]{upstream}")), false),
        (protected(&format!("{allow}{upstream}")).replace("cookie_session", "anonymous"), false),
    ];
    for (rules, expected) in rows {
        let (code, out, err) = run(&["rules", "lint"], "regexp", &rules);
        let said = err.contains(
            "rule `r`: Oathkeeper passes the caller's credential on; here it is removed, and nothing tells the upstream \
             who calls [caller-credential]",
        ) && err.contains("`upstream.forward_caller_credential: true`")
            && err.contains("rules.yaml:1:3");
        assert_eq!((code, said), (0, expected), "{rules}{out}{err}");
    }
}

#[test]
fn config_check_lists_in_short_what_is_different_for_rules() {
    let noop =
        |id: &str, url: &str| rule(id, url, "GET", "bearer_token").replace("{handler: header}", "{handler: noop}");
    let d = rule("d", "http://h/d</?>", "GET", "cookie_session");
    let rules = [noop("a", "http://h/a"), noop("b", "http://h/b"), noop("c", "http://h/ws/<.*>"), d].concat();
    let config = format!("{HANDLERS}serve: {{proxy: {{cors: {{debug: true}}}}}}\n");
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let (code, out, err) = server.with(&config, &rules).run(&["config", "check"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    for line in [
        "`serve.proxy.cors.debug`: it has no effect: no request is printed [cors-debug]\n",
        "rule `a`: Oathkeeper passes the caller's credential on; here it is removed, and nothing tells the upstream who calls, \
         and so with 2 more [caller-credential]\n",
        "rule `d`: Oathkeeper passes the caller's credential on, beside what mutators set; here it is removed \
         [caller-credential]\n",
        "no rule takes it here, and so with 1 more [trailing-slash]\n",
        "rules.yaml:13:3: rule `c` takes `http://h/ws/`; Oathkeeper removes the slash and finds no rule [trailing-slash]\n",
        "rule `c`: where callers upgrade to websockets, they are denied without `upstream.upgrade: [websocket]` \
         [upgrade-needs-permission]\n",
        "`keyward rules lint` shows what is different for each rule):\n",
    ] {
        assert!(out.contains(line), "`{line}` is missing in\n{out}");
    }
}
