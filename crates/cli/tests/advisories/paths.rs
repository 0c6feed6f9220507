//! What is matched is what goes out, however a path is written.

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::Keyward;
use keyward_testkit::same_flaw;

use crate::stage::Stage;

/// Oathkeeper, heimdall, Kong, Traefik: the rule was found by another path than the one the upstream resolved.
fn dot_segments_are_resolved_before_anything_looks() {
    Stage::start().all(&[
        ("GET /public/a", "200, open GET /public/a"),
        ("GET /public/../admin/x", "401"),
        ("GET /public/./../admin/x", "401"),
        ("GET /public/x/../../admin/x", "401"),
        ("GET /admin/../public/x", "200, open GET /public/x"),
        ("GET /public/..", "404"),
        ("GET /../admin/x", "400 closed"),
        ("GET /public/%2e%2e/admin/x", "401"),
        ("GET /public/.%2E/admin/x", "401"),
        ("GET /public/..%2fadmin/x", "400 closed"),
        ("GET /public/..%5cadmin/x", "400 closed"),
        ("GET /public/..\\admin/x", "400 closed"),
        ("GET /public/%252e%252e/admin/x", "200, open GET /public/%252e%252e/admin/x"),
        ("GET //admin/x", "401"),
        ("GET /public//../admin/x", "401"),
    ]);
}

same_flaw!(dot_segments_are_resolved_before_anything_looks:
    ghsa_p224_6x5r_fjpm_cve_2026_33494_dot_segments,
    cve_2026_42274_dot_segments,
    ghsa_3q34_rx83_r6mq_dot_segments,
    cve_2021_27306_a_path_around_the_token,
);

/// heimdall: one way to write an encoded slash was refused, the other was not.
fn both_ways_to_write_an_encoded_slash_are_one() {
    let stage = Stage::start();
    for (lower, upper) in [("/public/a%2fb", "/public/a%2Fb"), ("/public%2f..%2fadmin/x", "/public%2F..%2Fadmin/x")] {
        let [lower, upper] = [lower, upper].map(|target| stage.request(&format!("GET {target}"), ""));
        assert_eq!(lower.to_lowercase(), upper.to_lowercase());
        assert!(!lower.contains("protected"), "{lower}");
    }
}

same_flaw!(both_ways_to_write_an_encoded_slash_are_one:
    cve_2026_42272_encoded_slashes,
    ghsa_43jv_5j4x_qv67_encoded_slashes,
);

/// heimdall, mending the above: what was encoded came out decoded.
#[test]
fn ghsa_r9fw_vxmp_hwf2_what_is_encoded_stays_so() {
    Stage::start().all(&[
        ("GET /public/a%20b%2Cc%3Fd%23e", "200, open GET /public/a%20b%2Cc%3Fd%23e"),
        ("GET /public/100%25", "200, open GET /public/100%25"),
        ("GET /public/%E2%82%AC", "200, open GET /public/%E2%82%AC"),
        ("GET /public/x?q=%2e%2e%2f%26", "200, open GET /public/x?q=%2e%2e%2f%26"),
    ]);
}

/// Traefik: what was rewritten after the match could mean something else again.
fn what_is_cut_off_opens_no_way_up() {
    Stage::start().all(&[
        ("GET /stripped/a", "200, open GET /a"),
        ("GET /stripped/", "200, open GET /"),
        ("GET /stripped/../admin/x", "401"),
        ("GET /stripped//admin/x", "200, open GET /admin/x"),
        ("GET /stripped/stripped/a", "200, open GET /stripped/a"),
        ("GET /stripped/%2e%2e/admin/x", "401"),
        ("GET /stripped/..;/admin", "400 closed"),
        ("GET /strippedx/a", "404"),
    ]);
}

same_flaw!(what_is_cut_off_opens_no_way_up:
    cve_2025_66490_rewriting,
    cve_2025_47952_rewriting,
    cve_2025_32431_rewriting,
    cve_2026_40912_rewriting,
    cve_2026_48020_rewriting,
    cve_2026_65600_rewriting,
    cve_2026_67309_rewriting,
);

/// Traefik, HAProxy, Envoy, oauth2-proxy: a fragment in a target was cut by one and read by the other.
fn a_fragment_is_no_part_of_a_request() {
    Stage::start().all(&[
        ("GET /admin/x#/public/", "400 closed"),
        ("GET /public/x#", "400 closed"),
        ("GET /public/x?q#/../admin/x", "400 closed"),
        ("GET http://api.example/public/x#y", "400 closed"),
        ("GET /public/%23/x", "200, open GET /public/%23/x"),
    ]);
}

same_flaw!(a_fragment_is_no_part_of_a_request:
    cve_2023_47106_fragment,
    cve_2023_45539_fragment,
    cve_2021_32779_fragment,
    cve_2026_41059_fragment,
);

/// Envoy: parameters of a path's segments hid dots from the one who looked, and not from the one behind.
fn parameters_of_segments_hide_nothing() {
    Stage::start().all(&[
        ("GET /public/..;/admin/x", "400 closed"),
        ("GET /public/..;x=1/admin/x", "400 closed"),
        ("GET /public/.;/x", "400 closed"),
        ("GET /public/a;x=1/b", "200, open GET /public/a;x=1/b"),
        ("GET /admin;x=1/x", "404"),
    ]);
}

same_flaw!(parameters_of_segments_hide_nothing:
    cve_2026_73511_parameters,
    cve_2026_73551_parameters,
    cve_2026_73553_parameters,
);

/// Envoy: an escaped slash was one for the upstream, and none for the rules.
#[test]
fn cve_2021_29492_an_escaped_slash_reaches_no_other_rule() {
    Stage::start().all(&[
        ("GET /public%2f..%2fadmin%2fx", "400 closed"),
        ("GET /public%5c..%5cadmin%5cx", "400 closed"),
        ("GET %2fadmin/x", "400 closed"),
    ]);
}

/// heimdall: a query became a part of the path, also for who only asks for a decision.
#[test]
fn cve_2026_32811_a_query_is_no_part_of_the_path() {
    let stage = Stage::start();
    stage.all(&[
        ("GET /public/x?/../../admin/x", "200, open GET /public/x?/../../admin/x"),
        ("GET /admin/x?/public/", "401"),
        ("GET /nothing?/public/x", "404"),
    ]);
    let headers = [("Host", "api.example")];
    for (target, status) in [("/admin/x?/public/", 401), ("/public/x?/admin/", 200), ("/nothing?/public/x", 404)] {
        let path = format!("/decisions{target}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: api.example\r\n\r\n");
        let answer =
            keyward_testkit::wire::exchange(stage.running.api, request.as_bytes(), keyward_testkit::process::PATIENCE);
        assert_eq!(answer.unwrap().status(), status, "{target} {headers:?}");
    }
}

/// oauth2-proxy: what may pass without a token was looked for in path and query.
#[test]
fn cve_2025_54576_a_query_opens_no_path() {
    Stage::start().all(&[("GET /admin/x?x=/public/", "401"), ("GET /admin/public/?/public/x", "401")]);
}

/// Caddy: paths were compared without regard to case, but not where they were encoded.
#[test]
fn cve_2026_27587_encoded_or_not_a_letter_is_itself() {
    Stage::start().all(&[
        ("GET /ADMIN/x", "404"),
        ("GET /%61dmin/x", "401"),
        ("GET /%41dmin/x", "404"),
        ("GET /%70ublic/x", "200, open GET /public/x"),
    ]);
}

/// Envoy: an expression read bytes as one encoding, and the rules as another.
#[test]
fn cve_2026_73552_bytes_that_are_no_ascii_are_encoded_or_refused() {
    let stage = Stage::start();
    for bytes in [&b"\xe9"[..], b"\xc3\xa9", b"\xff\xfe", b"\x80"] {
        let request = [b"GET /public/", bytes, b" HTTP/1.1\r\nHost: api.example\r\n\r\n"].concat();
        assert_eq!(stage.play(&request), "400 closed", "{bytes:?}");
    }
    stage.all(&[("GET /public/%E9", "400 closed"), ("GET /public/%C3%A9", "200, open GET /public/%C3%A9")]);
}

/// Go: a query that one parser gives up on went on without being looked at, or differently.
fn queries_pass_as_they_are() {
    Stage::start().all(&[
        ("GET /public/x?a=1;b=2", "200, open GET /public/x?a=1;b=2"),
        ("GET /public/x?a=%zz", "200, open GET /public/x?a=%zz"),
        ("GET /public/x?&&==&a&a=1&a=2", "200, open GET /public/x?&&==&a&a=1&a=2"),
    ]);
}

same_flaw!(queries_pass_as_they_are: cve_2022_2880_queries, cve_2026_39825_queries);

/// Go: many parameters took memory. They are not read here; a target has a greatest length.
#[test]
fn cve_2025_61726_a_query_is_bounded_and_not_taken_apart() {
    let stage = Stage::start();
    let query = "a&".repeat(3900);
    let outcome = stage.request(&format!("GET /public/x?{query}"), "");
    assert_eq!(outcome, format!("200, open GET /public/x?{query}"));
    assert_eq!(stage.request(&format!("GET /public/x?{}", "a&".repeat(5000)), ""), "414 closed");
}

/// Authelia: which of several rules decided depended on where they stood. Here the order of rules means nothing: exactly
/// one matches, or nobody is let in.
#[test]
fn cve_2026_48794_the_order_of_rules_decides_nothing() {
    const CONFIG: &str = "authenticators: {anonymous: {enabled: true}, unauthorized: {enabled: true}}\n\
                          authorizers: {allow: {enabled: true}, deny: {enabled: true}}\nmutators: {noop: {enabled: true}}\n";
    let behind = Recorder::start(true);
    let rule = |id: &str, path: &str, authenticator: &str, authorizer: &str| {
        format!(
            "- id: {id}\n  match: {{url: \"http://h/{path}\", methods: [GET]}}\n  authenticators: [{{handler: {authenticator}}}]\n  \
             authorizer: {{handler: {authorizer}}}\n  mutators: [{{handler: noop}}]\n  upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
            behind.port
        )
    };
    let rules = [
        rule("open", "open/<.*>", "anonymous", "allow"),
        rule("wide", "<open|shut>/x", "anonymous", "allow"),
        rule("shut", "shut/<.*>", "unauthorized", "allow"),
        rule("never", "shut/<y.*>", "anonymous", "deny"),
    ];
    let expected =
        [("/open/y", 200), ("/open/x", 500), ("/shut/x", 500), ("/shut/z", 401), ("/shut/y", 500), ("/x", 404)];
    for turn in 0..rules.len() {
        for backwards in [false, true] {
            let mut order: Vec<String> = rules.iter().cycle().skip(turn).take(rules.len()).cloned().collect();
            if backwards {
                order.reverse();
            }
            let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &order.concat()).start();
            for (path, status) in expected {
                assert_eq!(running.get(path, &[("Host", "h")]).status(), status, "{path} {turn} {backwards}");
            }
            assert_eq!(behind.take().len(), 1);
        }
    }
}
