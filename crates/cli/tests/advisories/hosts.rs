//! Which host a request is for, and that it is the same for rules and upstreams.

use keyward_testkit::same_flaw;

use crate::stage::Stage;

/// heimdall, Caddy: another way to write a host found another rule, or none.
fn hosts_are_compared_without_regard_to_case() {
    let stage = Stage::start();
    for host in ["api.example", "API.EXAMPLE", "Api.Example", "api.example:80", "API.example.", "api.example."] {
        let play = |target: &str| stage.play(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        assert_eq!(play("/admin/x"), "401", "{host}");
        assert_eq!(play("/public/x"), "200, open GET /public/x", "{host}");
    }
}

same_flaw!(hosts_are_compared_without_regard_to_case: cve_2026_42273_case, cve_2026_27588_case);

/// Envoy: a scheme in capitals was none that the rules knew.
#[test]
fn cve_2023_35944_a_scheme_is_compared_without_regard_to_case() {
    let stage = Stage::start();
    for scheme in ["http", "HTTP", "Http"] {
        let play = |path: &str| {
            stage.play(format!("GET {scheme}://api.example{path} HTTP/1.1\r\nHost: api.example\r\n\r\n").as_bytes())
        };
        assert_eq!(play("/admin/x"), "401", "{scheme}");
        assert_eq!(play("/public/x"), "200, open GET /public/x", "{scheme}");
    }
}

/// RFC 9112 section 3.2.2 lets the target win over `Host`; where they differ, somebody reads the other one.
#[test]
fn two_hosts_that_differ_are_refused() {
    let stage = Stage::start();
    let rows = [
        "GET http://other.example/public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET http://api.example/public/x HTTP/1.1\r\nHost: other.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: api.example\r\nHost: api.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: api.example\r\nHost: other.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://user:word@api.example/public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET ftp://api.example/public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
    ];
    for request in rows {
        let outcome = stage.play(request.as_bytes());
        assert!(!outcome.contains("open") && !outcome.starts_with('2'), "{request}: {outcome}");
    }
}
