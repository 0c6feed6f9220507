//! `keyward rules lint` from outside: what it finds in rules, where, and what it says that each rule will do.

#![allow(clippy::unwrap_used)]

use keyward_testkit::process::Keyward;

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

/// One faulty rule takes no other rule of its file with it.
#[test]
fn lint_finds_what_is_wrong_in_each_rule() {
    let rest = "authenticators: [{handler: anonymous}]\n  authorizer: {handler: allow}\n  mutators: [{handler: noop}]";
    let rows = [
        ("match: {urll: \"http://h/\", methods: [GET]}", "rules.yaml:6:11", "did you mean `url`?", "1 error,"),
        (
            "match: {url: \"http://h/\", methods: [GET]}\n  upstream: {url: \"http://u\", preserve_path: true}",
            "rules.yaml:7:31",
            "known keys here: `url`, `strip_path`",
            "1 error,",
        ),
        (
            "match: {url: \"http://h/\", methods: [GET]}\n  errors: [{handler: redirect, to: \"http://l/\"}]",
            "rules.yaml:7:32",
            "did you mean `config.to`?",
            "1 error,",
        ),
        ("match: {url: \"http://h/\", method: [GET]}", "rules.yaml:6:29", "did you mean `methods`?", "1 error,"),
        ("match: [GET]", "rules.yaml:6:10", "expected a map", "1 error,"),
        (
            "match: {url: \"http://h/\", methods: [GET], vebr: x}\n  mutator: []\n  upstream: {uri: \"http://u\"}",
            "rules.yaml:7:3",
            "did you mean `mutators`?",
            "3 errors,",
        ),
        ("match: {url: \"http://h/\", methods: []}", "rules.yaml:6:38", "matches nothing", "0 errors"),
        ("match: {url: \"http://h/\", methods: [\"G T\"]}", "rules.yaml:6:38", "`G T` is not a method", "0 errors"),
        ("match: {url: \"h/<**>\", methods: [GET]}", "rules.yaml:6:16", "`http://` or `https://`", "0 errors"),
        ("match: {url: \"<**>\", methods: [GET]}", "", "", "0 errors, 0 warnings"),
        ("match: {url: \"http://h/\", methods: [GET]}\n  authorizers: []", "rules.yaml:7:3", "both set", "1 error,"),
        (
            "match: {url: \"http://h/\", methods: [GET], url: x}",
            "rules.yaml:6:45",
            "`url` is written twice",
            "1 error,",
        ),
        ("Match: {url: \"http://h/\", methods: [GET]}", "rules.yaml:6:3", "`Match` is taken for `match`", "0 errors"),
        ("match: {url: \"http://h/\", methods: [GET]}\n  ID: x", "rules.yaml:7:3", "`ID` and `id` are", "1 error,"),
    ];
    let config = "access_rules: {matching_strategy: glob}\nauthenticators: {anonymous: {enabled: true}}\n\
                  authorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    for (matches, place, problem, counts) in rows {
        let rules = format!(
            "- id: good\n  match: {{url: \"http://h/good\", methods: [GET]}}\n  {rest}\n- {matches}\n  id: other\n  {rest}\n"
        );
        let (_, out, err) = keyward().with(config, &rules).run(&["rules", "lint"]);
        assert!(
            out.contains("good: decides only") && out.contains("2 rules") && out.contains(counts),
            "{matches}: {out}"
        );
        assert!(err.contains(place) && err.contains(problem), "{matches}: {err}");
    }
}

/// The reasons for which the reference calls a rule malformed ([T] of pipeline spec 1.4 and of serving spec 5.2), in our words: each with its
/// place and, where there is one, the remedy.
#[test]
fn rules_are_malformed_for_the_reasons_of_the_reference() {
    const GOOD: [&str; 4] = [
        "match: {url: \"http://h/\", methods: [GET]}",
        "authenticators: [{handler: anonymous}]",
        "authorizer: {handler: allow}",
        "mutators: [{handler: header, config: {headers: {X: y}}}]",
    ];
    // (which line is replaced, by what, where, what is said)
    let rows = [
        (0, "", "1:3", "`match` is missing"),
        (0, "match: {url: \"\", methods: [GET]}", "2:16", "`match.url` is empty"),
        (1, "authenticators: []", "1:3", "`authenticators` must be a list with at least one entry"),
        (1, "authenticators: [{handler: foo}]", "3:20", "there is no authenticator `foo`"),
        (1, "authenticators: [{handler: noop}]", "3:20", "authenticator `noop` is disabled"),
        (2, "", "1:3", "`authorizer` is missing"),
        (2, "authorizer: {handler: foo}", "4:15", "there is no authorizer `foo`"),
        (3, "mutators: []", "1:3", "`mutators` must be a list with at least one entry"),
        (3, "mutators: [{handler: foo}]", "5:14", "there is no mutator `foo`"),
        (3, "mutators: [{handler: noop}]", "5:14", "mutator `noop` is disabled"),
    ];
    let config = "authenticators: {anonymous: {enabled: true}, noop: {enabled: false}}\nauthorizers: {allow: {enabled: true}}\n\
                  mutators: {header: {enabled: true}, noop: {enabled: false}}\n";
    for (replaced, by, place, said) in rows {
        let mut lines = GOOD;
        lines[replaced] = by;
        let (code, out, err) =
            keyward().with(config, &format!("- id: r\n  {}\n", lines.join("\n  "))).run(&["rules", "lint"]);
        // Without a pattern that can be read it matches nothing that it could deny.
        let does = if replaced == 0 { "takes no request" } else { "denies every request" };
        assert!(code == 1 && out.contains(&format!("r: {does}: {said}")), "{by}: {out}");
        assert!(
            err.contains(&format!("error: rule `r`: {said}\n")) && err.contains(&format!("rules.yaml:{place}\n")),
            "{by}: {err}"
        );
        if by == "authorizer: {handler: foo}" {
            let known = "`allow`, `deny`, `keto_engine_acp_ory`, `remote`, `remote_json`";
            assert!(err.contains(known), "{err}");
        }
    }
}

/// Patterns are compiled when rules load: what cannot run is said there, with its place.
#[test]
fn lint_refuses_patterns_that_cannot_be_compiled() {
    let rows = [
        ("regexp", "<**>", "the `*` repeats nothing that can be repeated"),
        ("glob", "a<{}>", "a `{` holds no alternative"),
        ("glob", "a<[c-a]>", "the range `c-a` is upside down"),
        ("glob", "a<b", "unbalanced `<` and `>`"),
        ("regexp", "<(?'o'a)(?'-o'b)>", "balancing groups"),
        ("regexp", "<a\\52->", "an octal escape has three digits"),
        ("regexp", "<(?<=/)a>", "unbalanced `<` and `>`"),
        ("regexp", "<a(b>", "a `(` is not closed"),
        ("regexp", "<(a)\\3>", "a reference to group `3`, which does not exist"),
    ];
    for (strategy, pattern, problem) in rows {
        let config = format!(
            "access_rules: {{matching_strategy: {strategy}}}\nauthenticators: {{anonymous: {{enabled: true}}}}\n\
             authorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n"
        );
        let pattern = pattern.replace('\'', "''");
        let rules = format!(
            "- id: r\n  match:\n    url: 'http://h/{pattern}'\n    methods: [GET]\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n"
        );
        let (code, out, err) = keyward().with(&config, &rules).run(&["rules", "lint"]);
        assert!(out.contains("r: takes no request: `match.url`: "), "{pattern}: {out}");
        let hint = match pattern.as_str() {
            "<**>" => "it looks like a glob: set `access_rules.matching_strategy: glob`",
            _ => "`<...>` holds a",
        };
        for part in [problem, "rules.yaml:3:10", hint] {
            assert!(code == 1 && err.contains(part), "{pattern}: {err}");
        }
    }
}

/// A mistyped `methods` leaves a rule without any: that is said, rather than an empty list shown.
#[test]
fn a_rule_without_a_method_is_called_so() {
    let config = "access_rules: {matching_strategy: glob}\nauthenticators: {anonymous: {enabled: true}}\n\
                  authorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    let rows = [
        ("method: [GET]", "takes no method: unknown key `method` (did you mean `methods`?)", "unknown key `method`"),
        ("methods: []", "takes no method: it has none in `match.methods`", "it has no method"),
    ];
    for (methods, explained, linted) in rows {
        let rules = format!(
            "- id: r\n  match: {{url: \"http://h/\", {methods}}}\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n"
        );
        let server = keyward().with(config, &rules);
        let (_, out, err) = server.run(&["rules", "explain", "http://h/"]);
        assert!(out.contains(&format!("the URL fits, but the rule {explained}\n")), "{methods}: {out}{err}");
        let (_, out, _) = server.run(&["rules", "lint"]);
        assert!(out.contains(&format!("r: takes no request: {linted}\n")), "{methods}: {out}");
    }
}

#[test]
fn lint_says_what_each_rule_will_do() {
    let rules = "
- id: good
  match: {url: \"http://h/<**>\", methods: [GET]}
  authenticators: [{handler: anonymous}]
  authorizer: {handler: allow}
  mutators: [{handler: header, config: {headers: {X-Key: \"{{ env \\\"KEY\\\" }}\"}}}]
  upstream: {url: \"https://api.example\"}
- id: bad
  match: {url: \"http://h/bad\", methods: [GET]}
  authenticators: [{handler: anonymus}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
";
    let config = "access_rules: {matching_strategy: glob}\nauthenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\nmutators: {header: {enabled: true}}\n";
    let (code, out, err) = keyward().with(config, rules).env("KEY", "v4lue").run(&["rules", "lint"]);
    assert_eq!(code, 1);
    assert!(out.contains("good: forwards to https://api.example, sets x-key"), "{out}");
    assert!(out.contains("bad: denies every request") && out.contains("2 rules, 1 error,"), "{out}");
    assert!(
        err.contains("rules.yaml:10:") && err.contains("did you mean `anonymous`?") && !err.contains("v4lue"),
        "{err}"
    );
    // The same rules with the secret missing: now both are broken.
    let (_, out, err) = keyward().with(config, rules).run(&["rules", "lint"]);
    assert!(out.contains("good: denies every request") && err.contains("KEY"), "{out}{err}");
}

/// A proxy that was moved without its rules answers each request with 404.
#[test]
fn rules_for_a_port_where_nothing_listens_are_hinted_at() {
    let config = "access_rules: {matching_strategy: glob}\n\
                  authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    let rows: [(&[&str], &str); 5] = [
        (&["http://h:4455/a"], "rule `r0`: it is for port 4455, and the proxy listens on 5455"),
        (&["http://h/a", "http://h:4455/b", "https://i:8443/<**>"], "rule `r1`: it is for port 4455"),
        (&["http://h:4455/b", "https://i:8443/<**>"], "is not for this rule, and so with 1 more\n"),
        (&["http://h:5455/a", "http://h:5456/b", "https://h/c", "http://<**>/c", "http://h:<**>/d"], ""),
        (&["http://[::1]/a", "http://[::1]:5455/b"], ""),
    ];
    for (urls, said) in rows {
        let rule = |(index, url): (usize, &&str)| {
            format!(
                "- id: r{index}\n  match: {{url: \"{url}\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
                 authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n"
            )
        };
        let rules: String = urls.iter().enumerate().map(rule).collect();
        let server = keyward().with(config, &rules).env("SERVE_PROXY_PORT", "5455").env("SERVE_API_PORT", "5456");
        for command in [["rules", "lint"], ["config", "check"]] {
            let (code, out, err) = server.run(&command);
            assert_eq!((code, err.contains("it is for port")), (0, !said.is_empty()), "{urls:?}: {out}{err}");
            assert!(err.contains(said), "{urls:?}: {err}");
        }
    }
}
