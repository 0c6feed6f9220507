//! What a caller writes into a head neither takes away nor adds what only the proxy says.

use keyward_testkit::same_flaw;

use crate::stage::{CREDENTIAL, Stage};

/// The values of a field.
fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
}

/// Oathkeeper, Traefik: fields that the proxy had set went with those that `Connection` names.
fn connection_takes_nothing_away_that_was_put_in() {
    let stage = Stage::start();
    let rows = [
        "Connection: X-Api-Key\r\n",
        "connection: x-api-key\r\n",
        "CONNECTION: keep-alive, X-API-KEY\r\n",
        "Connection: close, x-api-key\r\n",
        "Connection: keep-alive\r\nConnection: X-Api-Key\r\n",
        "Connection: X-Api-Key\r\nX-Api-Key: mine\r\n",
    ];
    for fields in rows {
        let seen = stage.fields("GET /with-key/x", fields);
        assert_eq!(values(&seen, "x-api-key"), [CREDENTIAL], "{fields}");
        assert_eq!(values(&seen, "host").len(), 1, "{fields}");
    }
    for name in ["Host", "Content-Length", "Authorization", "Transfer-Encoding"] {
        assert_eq!(stage.request("GET /with-key/x", &format!("Connection: close, {name}\r\n")), "400 closed", "{name}");
    }
}

same_flaw!(connection_takes_nothing_away_that_was_put_in:
    ghsa_w9mr_28mw_j8hg_connection,
    cve_2024_45410_connection,
    cve_2026_29054_connection_in_lower_case,
);

/// Traefik, oauth2-proxy: other ways to write a name arrived beside the proxy's field, and meant the same behind it.
fn other_spellings_of_a_field_do_not_arrive_beside_it() {
    let stage = Stage::start();
    for fields in [
        "X_Api_Key: mine\r\n",
        "X_API-KEY: mine\r\n",
        "x_api_key: mine\r\nX-Api_Key: mine\r\n",
        "x-api-key: mine\r\n",
        "X-API-KEY: mine\r\nX-Api-Key: mine\r\n",
    ] {
        let seen = stage.fields("GET /with-key/x", fields);
        assert_eq!(values(&seen, "x-api-key"), [CREDENTIAL], "{fields}");
        assert!(!seen.iter().any(|(name, _)| name.contains('_')), "{seen:?}");
    }
}

same_flaw!(other_spellings_of_a_field_do_not_arrive_beside_it:
    cve_2026_39858_other_spellings,
    cve_2026_33433_other_spellings,
    cve_2026_54763_other_spellings,
    cve_2025_64484_other_spellings,
);

/// Caddy, APISIX: the caller's own field stayed beside the one that was set, or where nothing was set.
fn a_callers_own_value_gives_way() {
    let stage = Stage::start();
    let seen = stage.fields("GET /with-key/x", "X-Api-Key: mine\r\nX-Api-Key: another\r\n");
    assert_eq!(values(&seen, "x-api-key"), [CREDENTIAL]);
}

same_flaw!(a_callers_own_value_gives_way:
    cve_2026_30851_own_value,
    cve_2026_52845_own_value,
    cve_2026_49230_own_value,
);

/// Oathkeeper, Traefik, heimdall, Envoy: what only a proxy in front may say was believed, or passed on, from anybody.
fn what_a_proxy_in_front_would_say_does_not_come_from_callers() {
    let stage = Stage::start();
    let forwarded = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: other.example\r\nX-Forwarded-Port: 1\r\n\
                     X-Forwarded-Prefix: /admin\r\nX-Forwarded-Uri: /public/\r\nX-Forwarded-Method: DELETE\r\n\
                     X-Forwarded-For: 10.0.0.1, '\"><x>\r\nX-Forwarded-User: root\r\nX-Forwarded-Tls-Client-Cert: c\r\n\
                     Forwarded: for=10.0.0.1;host=other.example;proto=https\r\nX-Real-Ip: 10.0.0.1\r\n\
                     X-Envoy-Original-Path: /public/x\r\nX-Original-Url: /public/x\r\nX-Rewrite-Url: /public/x\r\n";
    let seen = stage.fields("GET /with-key/x", forwarded);
    for (name, value) in &seen {
        let ours = !name.starts_with("x-forwarded-") && name != "forwarded";
        assert!(ours || !value.contains("10.0.0.1") && !value.contains("other.example"), "{name}: {value}");
        let only_a_proxy = ["x-forwarded-prefix", "x-forwarded-port", "x-forwarded-uri", "x-forwarded-user"];
        assert!(!only_a_proxy.contains(&name.as_str()), "{name}: {value}");
    }
    // Nor does any of it move a request to another rule.
    assert_eq!(stage.request("GET /admin/x", forwarded), "401");
    assert_eq!(stage.request("GET /nothing/x", forwarded), "404");
}

same_flaw!(what_a_proxy_in_front_would_say_does_not_come_from_callers:
    ghsa_vhr5_ggp3_qq85_cve_2026_33495_forwarded_proto,
    cve_2026_35051_forwarded_prefix,
    cve_2026_54764_forwarded_port,
    cve_2026_40575_forwarded_uri,
    cve_2026_57210_forwarded_values,
    ghsa_4jgr_pg2m_m988_forwarded_host,
    cve_2023_27487_internal_fields,
    cve_2024_45806_internal_fields,
);

/// heimdall: the text of `Host` went into `Forwarded` as it was.
#[test]
fn ghsa_4jgr_pg2m_m988_a_host_is_a_host() {
    let stage = Stage::start();
    for host in
        ["api.example;proto=https", "api.example\"", "api.example, x", "api example", "a@api.example", "api.example/x"]
    {
        let request = format!("GET /public/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(stage.play(request.as_bytes()), "400 closed", "{host}");
    }
}

/// oauth2-proxy: whoever called itself a health check needed no token.
#[test]
fn cve_2026_34457_the_name_of_a_program_opens_nothing() {
    let stage = Stage::start();
    for agent in ["kube-probe/1.30", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/2.0"] {
        assert_eq!(stage.request("GET /admin/x", &format!("User-Agent: {agent}\r\n")), "401", "{agent}");
    }
    for path in ["/health/alive", "/ping", "/ready", "/metrics"] {
        assert_eq!(stage.request(&format!("GET {path}"), "User-Agent: kube-probe/1.30\r\n"), "404", "{path}");
    }
}

/// Envoy: of several fields with one name the check saw one, and the upstream another.
#[test]
fn cve_2021_32777_what_is_checked_is_what_goes_on() {
    let stage = Stage::start();
    let outcome = stage.request("GET /public/x", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n");
    assert_eq!(outcome, "401");
    for name in ["X-HTTP-Method-Override", "X-Http-Method", "x-method-override"] {
        assert_eq!(stage.request("GET /public/x", &format!("{name}: DELETE\r\n")), "400 closed", "{name}");
    }
}

/// Traefik: a request with a credential was shown to another service, for its page about an error.
fn an_answer_to_a_denial_shows_the_request_to_nobody() {
    let stage = Stage::start();
    let fields = "Authorization: Bearer secret-token\r\nCookie: session=secret-cookie\r\n";
    assert_eq!(stage.request("GET /admin/x", fields), "401");
    assert_eq!(stage.request("GET /nothing/x", fields), "404");
    let told = stage.running.log();
    assert!(!told.contains("secret-token") && !told.contains("secret-cookie"), "{told}");
}

same_flaw!(an_answer_to_a_denial_shows_the_request_to_nobody:
    cve_2026_41181_error_pages,
    cve_2022_23469_credentials_in_the_log,
);

/// Go: a first `Connection` without names hid those of a second one, and names of what a proxy sets took it away.
#[test]
fn cve_2021_33197_every_connection_field_counts_and_none_takes_what_is_set() {
    let stage = Stage::start();
    let rows = [
        "Connection:\r\nConnection: X-Mine\r\nX-Mine: a\r\n",
        "Connection: \r\nConnection: x-mine\r\nX-Mine: a\r\n",
        "Connection: ,\r\nConnection: , ,X-Mine,\r\nX-Mine: a\r\n",
        "Connection: keep-alive\r\nConnection:\r\nConnection: X-MINE\r\nX-Mine: a\r\n",
        "Connection: X-Api-Key, X-Mine\r\nX-Mine: a\r\n",
    ];
    for fields in rows {
        let seen = stage.fields("GET /with-key/x", fields);
        assert!(values(&seen, "x-mine").is_empty(), "{fields}: {seen:?}");
        assert_eq!(values(&seen, "x-api-key"), [CREDENTIAL], "{fields}");
    }
    for names in ["X-Forwarded-For", "X-Mine, X-Forwarded-For", "Forwarded", "X-Forwarded-Host, X-Mine"] {
        let outcome = stage.request("GET /with-key/x", &format!("Connection:\r\nConnection: {names}\r\nX-Mine: a\r\n"));
        assert_eq!(outcome, "400 closed", "{names}");
    }
}
