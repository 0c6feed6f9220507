//! What is on the ports beside the proxy's, and that it can be reached in one way only.

use keyward_testkit::process::PATIENCE;
use keyward_testkit::same_flaw;
use keyward_testkit::wire;

use crate::stage::{CREDENTIAL, Stage};

fn status(port: u16, request: &str) -> u16 {
    wire::exchange(port, format!("{request}\r\n\r\n").as_bytes(), PATIENCE).unwrap().status()
}

/// Caddy: a page of another origin, or another way to write a path, could change the configuration.
fn the_api_reads_and_changes_nothing() {
    let stage = Stage::start();
    let api = stage.running.api;
    assert_eq!(status(api, "GET /rules HTTP/1.1\r\nHost: h"), 200);
    let foreign = "Host: h\r\nOrigin: https://other.example\r\nContent-Type: application/json\r\nContent-Length: 2";
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/rules", "/rules/admin", "/load", "/config", "/config/", "/stop", "/reload"] {
            let answer = status(api, &format!("{method} {path} HTTP/1.1\r\n{foreign}\r\n\r\n{{}}"));
            assert!((400..500).contains(&answer), "{method} {path}: {answer}");
        }
    }
    // Nothing is held back by its path, so that another way to write one has nothing to open.
    let rules = stage.running.api("/rules").unwrap().text();
    for path in ["//rules", "/rules/../rules", "/%72ules", "/rules%2f", "/x/../rules", "/rules;x", "/RULES"] {
        let answer = stage.running.api(path).unwrap();
        assert!((400..500).contains(&answer.status()) || answer.text() == rules, "{path}: {}", answer.status());
    }
    let answer =
        wire::exchange(api, format!("GET /rules HTTP/1.1\r\n{foreign}\r\n\r\n{{}}").as_bytes(), PATIENCE).unwrap();
    assert_eq!(answer.header("access-control-allow-origin"), None);
    // The rules that were there are there still.
    assert_eq!(stage.request("GET /public/x", ""), "200, open GET /public/x");
}

same_flaw!(the_api_reads_and_changes_nothing:
    cve_2026_27589_other_origins,
    cve_2026_45692_other_spellings,
    ghsa_gx7w_56w6_g48x_other_spellings,
);

/// Envoy Gateway, Pomerium: the port for metrics showed all that an administrator may see, or what developers need.
fn each_port_has_what_is_its_own() {
    let stage = Stage::start();
    let running = &stage.running;
    let rows = [
        (running.metrics, &["/rules", "/decisions/x", "/config_dump", "/health/ready", "/debug/pprof/"][..]),
        (running.api, &["/debug/pprof/", "/debug/vars", "/config_dump", "/stats", "/env"]),
        (running.proxy, &["/rules", "/metrics", "/debug/pprof/", "/health/ready", "/.well-known/jwks.json"]),
    ];
    for (port, paths) in rows {
        for path in paths {
            assert_eq!(status(port, &format!("GET {path} HTTP/1.1\r\nHost: h")), 404, "{port} {path}");
        }
    }
    for path in ["/rules", "/rules/admin", "/health/ready"] {
        let answer = running.api(path).unwrap();
        assert!(!answer.text().contains(CREDENTIAL), "{path}");
    }
}

same_flaw!(each_port_has_what_is_its_own:
    cve_2025_24030_the_port_for_metrics,
    cve_2022_24797_debugging,
    cve_2024_39315_what_is_shown,
);
