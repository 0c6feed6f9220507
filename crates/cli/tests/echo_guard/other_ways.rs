//! Upstreams of HTTP/2, and settings that change.

use http_body_util::Full;
use keyward_testkit::http2_upstream::http2_upstream;
use keyward_testkit::pki::Authority;

use crate::{SECRET, answering, config, keyward, raw};

/// An HTTP/2 upstream over TLS that gives its request's fields back, in a field and in its body.
fn repeating_upstream(authority: &Authority) -> u16 {
    http2_upstream(authority, |request| async move {
        let seen = request.headers()["authorization"].clone();
        let body = format!("{{\"authorization\":{seen:?}}}").replace("Sensitive", "");
        let body = body + seen.to_str().unwrap();
        let answer = http::Response::builder().header("x-echo", seen).header("content-type", "application/json");
        answer.body(Full::new(bytes::Bytes::from(body))).unwrap()
    })
}

#[test]
fn what_comes_back_over_http2_is_found_too() {
    for (settings, status, fields, stars) in [
        ("", 200, 0, true),
        ("headers: off", 200, 1, true),
        ("headers: refuse", 502, 0, false),
        ("bodies: refuse", 502, 0, false),
    ] {
        let authority = Authority::new();
        let port = repeating_upstream(&authority);
        let server = keyward("https://api.example", settings);
        let ca = server.write("ca.pem", &authority.certificate);
        let running = server
            .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("api.example:443:127.0.0.1:{port}"))
            .start();
        for _ in 0..2 {
            let seen = running.get("/bearer", &[]);
            assert_eq!(seen.status(), status, "{settings}: {}", seen.text());
            assert_eq!(seen.headers.iter().filter(|(_, value)| value.contains(SECRET)).count(), fields, "{settings}");
            assert!(!seen.text().contains(SECRET), "{settings}: {}", seen.text());
            assert_eq!(seen.text().contains(&"*".repeat(SECRET.len())), stars, "{settings}: {}", seen.text());
        }
    }
}

#[test]
fn the_settings_change_with_a_reload() {
    let (upstream, _) = answering(&[&format!("HTTP/1.1 200 OK\r\nX-Echo: {SECRET}\r\nContent-Length: 2\r\n\r\nok")]);
    let running = keyward(&upstream, "headers: off").start();
    assert!(raw(&running, "GET", "/bearer", "").contains(SECRET));
    running.replace("config.yaml", &config("headers: refuse"));
    running.until("refusing", |running| raw(running, "GET", "/bearer", "").starts_with("HTTP/1.1 502"));
    running.replace("config.yaml", &config("headers: remove"));
    running.until("removing", |running| {
        let seen = raw(running, "GET", "/bearer", "");
        seen.starts_with("HTTP/1.1 200") && !seen.contains(SECRET)
    });
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (settings, problem) in [
        ("body_bytes: 0", "write 1 to 1048576"),
        ("body_bytes: 1048577", "write 1 to 1048576"),
        ("headers: drop", "echoed_credentials.headers"),
    ] {
        let server = keyward("http://127.0.0.1:1", settings);
        let path = server.path("config.yaml").display().to_string();
        let (code, out, err) = server.run(&["config", "check", "-c", &path]);
        assert!(code != 0 && (out.clone() + &err).contains(problem), "{settings}: {out}{err}");
    }
}
