//! Rules that cannot be compiled come while others serve: each denies what it matches, and takes nothing else along.

use keyward_testkit::conformance::recorder::Recorder;

use crate::{CONFIG, metric, rules, start, status, under_load};

/// A rule for `/bad`, with what is wrong with it.
fn bad(url: &str, authorizer: &str, mutator: &str, upstream: u16) -> String {
    format!(
        "- id: bad\n  match: {{url: \"http://<[^/]*>/{url}\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: {authorizer}}}\n  mutators: [{mutator}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    )
}

#[test]
fn a_bad_rule_that_comes_with_a_reload_denies_and_the_others_serve() {
    let upstream = Recorder::start(true);
    let running = start(&upstream);
    let config = CONFIG.replace("noop: {enabled: true}", "noop: {enabled: true}, header: {enabled: true}");
    running.replace("config.yaml", &config);
    running.until("the configuration", |running| metric(running, "keyward_reloads_total") == 1.0);
    let header = |value: &str| format!("{{handler: header, config: {{headers: {{X: '{{{{ {value} }}}}'}}}}}}");
    let good = |path: &str| rules(path, &upstream);
    // What is wrong, and what a request for it gets.
    let rows = [
        ("an unknown handler", bad("bad", "no_such", "{handler: noop}", upstream.port), 500),
        ("a handler that is off", bad("bad", "remote", "{handler: noop}", upstream.port), 500),
        ("a variable that is missing", bad("bad", "allow", &header("env \"NO_SUCH\""), upstream.port), 500),
        ("a secret that is missing", bad("bad", "allow", &header("secret \"no-such\""), upstream.port), 500),
        ("a template that is cut off", bad("bad", "allow", &header("env"), upstream.port), 500),
        // It cannot say what it matches.
        ("a bad pattern", bad("<[ba>d", "allow", "{handler: noop}", upstream.port), 404),
    ];
    let requests = under_load(&running, || {
        for (number, (what, rule, expected)) in rows.iter().enumerate() {
            let path = format!("round-{number}");
            running.replace("rules.yaml", &(good(&path) + rule));
            running.until(what, |running| status(running, &path) == 200);
            assert_eq!(
                (status(&running, "bad"), metric(&running, "keyward_rules_broken ")),
                (*expected, 1.0),
                "{what}"
            );
            assert_eq!(running.api("/health/ready").unwrap().status(), 200, "{what}");
        }
        running.replace("rules.yaml", &good("last"));
        running.until("the way back", |running| status(running, "last") == 200);
    });
    assert!(requests > 0);
    assert_eq!((status(&running, "bad"), metric(&running, "keyward_rules_broken ")), (404, 0.0));
    assert_eq!(metric(&running, "keyward_reload_failures_total"), 0.0);
}
