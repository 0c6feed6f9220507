//! Connections that would become something else, and what is sent before they do.

use std::io::{Read, Write};

use keyward_testkit::ports::listener;
use keyward_testkit::same_flaw;

use crate::stage::Stage;

/// Traefik, Envoy: CONNECT went through, or brought the process down.
fn connect_is_refused_and_everybody_else_is_served() {
    let stage = Stage::start();
    let rows = [
        "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\nGET /admin/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "CONNECT /public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "CONNECT api.example HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "TRACE /public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
    ];
    for request in rows {
        let outcome = stage.play(request.as_bytes());
        assert!(outcome.starts_with('4') && outcome.ends_with("closed"), "{request}: {outcome}");
        assert_eq!(stage.request("GET /public/x", ""), "200, open GET /public/x");
    }
}

same_flaw!(connect_is_refused_and_everybody_else_is_served: cve_2026_71324_connect, cve_2026_73547_connect);

/// Envoy, Pingora, nghttpx: what came after the head of an upgrade went to the upstream before it had agreed.
fn nothing_follows_an_upgrade_before_the_upstream_agrees() {
    let stage = Stage::start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let second = "GET /admin/x HTTP/1.1\r\nHost: api.example\r\n\r\n";
    // The recorder answers 200, which is no agreement: what follows is the caller's next request, judged by itself.
    let request = format!("GET /socket/x HTTP/1.1\r\nHost: api.example\r\n{upgrade}\r\n{second}");
    let outcome = stage.play(request.as_bytes());
    assert!(outcome.starts_with("200") && outcome.matches("protected").count() == 1, "{outcome}");
    // With a body it is no upgrade that anybody could agree to.
    for length in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
        let request = format!("GET /socket/x HTTP/1.1\r\nHost: api.example\r\n{upgrade}{length}\r\n\r\n4\r\nab");
        let outcome = stage.play(request.as_bytes());
        assert!(outcome.starts_with('4'), "{length}: {outcome}");
    }
    // Where the rule lists none, there is none to agree to; an offer to speak HTTP/2 is declined (RFC 9113 section 3.1).
    assert_eq!(stage.request("GET /with-key/x", upgrade), "403");
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let seen = stage.fields("GET /with-key/x", h2c);
    let of_this_hop = ["upgrade", "http2-settings", "connection"];
    assert!(!seen.iter().any(|(name, _)| of_this_hop.contains(&name.as_str())), "{seen:?}");
}

same_flaw!(nothing_follows_an_upgrade_before_the_upstream_agrees:
    cve_2026_73548_upgrade,
    cve_2025_64763_upgrade,
    rustsec_2026_0033_upgrade,
    cve_2026_58055_upgrade,
);

/// Envoy: 200 was taken for the agreement to an upgrade.
#[test]
fn cve_2024_23326_only_101_is_an_agreement() {
    let stage = Stage::start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let outcome = stage.request("GET /socket/x", upgrade);
    assert_eq!(outcome, "200, protected GET /socket/x");
}

/// Go: an expectation that nobody answers held up a connection, or spoiled the next answer on it.
#[test]
fn cve_2024_24791_an_expectation_spoils_nothing() {
    let stage = Stage::start();
    for _ in 0..3 {
        let request =
            "POST /public/x HTTP/1.1\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(stage.play(request.as_bytes()), "200, open POST /public/x body");
        assert_eq!(stage.request("GET /public/y", ""), "200, open GET /public/y");
    }
    let odd = "POST /public/x HTTP/1.1\r\nHost: api.example\r\nExpect: something\r\nContent-Length: 4\r\n\r\nbody";
    assert!(stage.play(odd.as_bytes()).starts_with("417"));
}

/// Go: credentials went along when an answer sent the request elsewhere.
fn redirects_are_the_callers_to_follow() {
    let stage = Stage::start();
    let elsewhere = listener();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://127.0.0.1:{}/stolen", elsewhere.local_addr().unwrap().port());
    for status in [301, 302, 303, 307, 308] {
        stage.protected.script(vec![serde_json::json!({
            "path": "/with-key/moved", "status": status, "headers": {"Location": location},
        })]);
        assert_eq!(
            stage.request("GET /with-key/moved", ""),
            format!("{status}, protected GET /with-key/moved"),
            "{}",
            stage.running.log()
        );
    }
    let came = elsewhere.accept().map(|(mut stream, _)| {
        let mut text = [0; 512];
        let _ = stream.write(b"");
        stream.read(&mut text)
    });
    assert_eq!(came.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

same_flaw!(redirects_are_the_callers_to_follow:
    cve_2023_45289_redirects,
    cve_2024_45336_redirects,
    cve_2025_4673_redirects,
);
