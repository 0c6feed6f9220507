//! Fields of heads and of trailers.

use std::sync::atomic::Ordering;

use crate::{BASIC, PASSWORD, SECRET, answering, assert_refused, keyward, raw};

/// Rule, status, a field that comes back, and whether it holds the credential.
const ROWS: [(&str, &str, &str, bool); 20] = [
    ("bearer", "200 OK", "X-Echo: Bearer s3cr3t/value+0123", true),
    ("bearer", "200 OK", "X-Echo: s3cr3t/value+0123", true),
    ("bearer", "302 Found", "Location: https://a.example/?t=s3cr3t%2Fvalue%2B0123&u=1", true),
    ("bearer", "302 Found", "Location: https://a.example/?t=s3cr3t%2fvalue%2b0123", true),
    ("bearer", "200 OK", "Set-Cookie: t=s3cr3t/value+0123; Path=/", true),
    ("bearer", "304 Not Modified", "ETag: \"s3cr3t/value+0123\"", true),
    ("bearer", "500 Internal Server Error", "X-Debug: {\"a\":\"s3cr3t\\/value+0123\"}", true),
    ("bearer", "401 Unauthorized", "WWW-Authenticate: Bearer error=\"bad s3cr3t/value+0123\"", true),
    ("bearer", "200 OK", "X-Echo: s3cr3t/value+012", false),
    ("bearer", "200 OK", "X-Echo: passw0rd&more", false),
    ("key", "200 OK", "X-Echo: x-api-key=s3cr3t/value+0123", true),
    ("basic", "200 OK", "X-Echo: Basic Y2k6cGFzc3cwcmQmbW9yZQ==", true),
    ("basic", "200 OK", "X-Echo: ci:passw0rd&more", true),
    ("basic", "302 Found", "Location: https://ci:passw0rd%26more@a.example/", true),
    ("basic", "200 OK", "X-Echo: ci", false),
    ("cookie", "200 OK", "Set-Cookie: session=s3cr3t/value+0123", true),
    ("short", "200 OK", "X-Echo: short", false),
    // What a rule itself says is a credential where it stands for one, and else what anybody may know.
    ("written", "200 OK", "X-Echo: s3cr3t/value+0123", true),
    ("named", "200 OK", "X-Echo: s3cr3t/value+0123", false),
    ("none", "200 OK", "X-Echo: s3cr3t/value+0123", false),
];

fn answer(status: &str, field: &str) -> String {
    let body = if status.starts_with("304") { "" } else { "Content-Length: 2\r\n\r\nok" };
    let end = if body.is_empty() { "\r\n" } else { body };
    format!("HTTP/1.1 {status}\r\nX-Before: 1\r\n{field}\r\nSet-Cookie: other=1\r\n{end}")
}

#[test]
fn a_field_that_holds_the_credential_is_taken_out_and_the_rest_stays() {
    for (rule, status, field, holds) in ROWS {
        let (upstream, _) = answering(&[&answer(status, field)]);
        let running = keyward(&upstream, "").start();
        for method in ["GET", "HEAD"] {
            let seen = raw(&running, method, &format!("/{rule}"), "");
            let value = field.split_once(": ").unwrap().1;
            assert!(seen.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{rule} {field}: {seen}");
            assert_eq!(seen.contains(value), !holds, "{method} {rule} {field}: {seen}");
            assert!(seen.contains("x-before: 1\r\n") && seen.contains("set-cookie: other=1\r\n"), "{field}: {seen}");
            let whole = if method == "HEAD" || status.starts_with("304") { "\r\n\r\n" } else { "\r\n\r\nok" };
            assert!(seen.ends_with(whole), "{method} {field}: {seen}");
        }
        let count = running.metric("keyward_credential_echoes_total{place=\"header\",action=\"removed\"}");
        assert_eq!(count, holds.then_some(2.0), "{rule} {field}");
        for record in running.audit(2) {
            assert_eq!(record["outcome"], "allowed", "{field}");
            assert_eq!(record["reason"] == "credential_echoed", holds, "{field}: {record}");
        }
        let log = running.log();
        assert_eq!(log.contains("the credential that was put into its request"), holds, "{log}");
        assert!(![SECRET, PASSWORD, BASIC].iter().any(|value| log.contains(value)), "{log}");
        assert!(!holds || log.contains(rule) && log.contains(&upstream), "it names rule and upstream: {log}");
    }
}

#[test]
fn an_answer_whose_head_holds_the_credential_can_be_refused_or_passed() {
    for (rule, status, field, holds) in ROWS.into_iter().filter(|row| row.1 == "200 OK") {
        let text = answer(status, field);
        let (upstream, connections) = answering(&[&text]);
        let running = keyward(&upstream, "headers: refuse").start();
        let seen = raw(&running, "GET", &format!("/{rule}"), "");
        if holds {
            assert_refused(&running, &seen, field);
            raw(&running, "GET", &format!("/{rule}"), "");
            assert_eq!(connections.load(Ordering::SeqCst), 2, "{field}: its connection has no other request");
            let count = running.metric("keyward_credential_echoes_total{place=\"header\",action=\"refused\"}");
            assert_eq!(count, Some(2.0));
        } else {
            assert!(seen.starts_with("HTTP/1.1 200 ") && seen.ends_with("ok"), "{field}: {seen}");
        }
        let (upstream, _) = answering(&[&text]);
        let running = keyward(&upstream, "headers: off").start();
        let seen = raw(&running, "GET", &format!("/{rule}"), "");
        assert!(seen.contains(field.split_once(": ").unwrap().1), "{field}: {seen}");
    }
}

#[test]
fn a_caller_s_own_credential_comes_back() {
    let own = "caller-own-credential";
    let (upstream, _) = answering(&[&answer("200 OK", &format!("X-Echo: {own}"))]);
    let running = keyward(&upstream, "").start();
    for rule in ["own", "bearer"] {
        let seen = raw(&running, "GET", &format!("/{rule}"), &format!("X-Own: {own}\r\n"));
        assert!(seen.contains(&format!("x-echo: {own}\r\n")), "{rule}: {seen}");
    }
}

#[test]
fn trailers_that_hold_the_credential_stay_behind_or_break_the_stream() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T, X-U\r\n\r\n";
    let end = format!("2\r\nok\r\n0\r\nX-T: {SECRET}\r\nX-U: 1\r\n\r\n");
    let (upstream, _) = answering(&[head, &end]);
    for (settings, ending) in [
        ("", "2\r\nok\r\n0\r\nx-u: 1\r\n\r\n".to_owned()),
        ("bodies: off", "2\r\nok\r\n0\r\nx-u: 1\r\n\r\n".to_owned()),
        ("headers: off", format!("2\r\nok\r\n0\r\nx-t: {SECRET}\r\nx-u: 1\r\n\r\n")),
        ("headers: refuse", "\r\n".to_owned()),
    ] {
        let running = keyward(&upstream, settings).start();
        let seen = raw(&running, "GET", "/bearer", "TE: trailers\r\n");
        assert!(seen.ends_with(&ending), "{settings}: {seen}");
        if settings == "headers: refuse" {
            assert!(!seen.contains("0\r\n\r\n") && !seen.contains(SECRET), "{seen}");
            let record = running.audit(1).remove(0);
            assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"credential_echoed".into()));
        }
    }
}

#[test]
fn interim_answers_that_hold_the_credential_stay_behind() {
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: <https://a/?{SECRET}>\r\n\r\n");
    let (upstream, _) = answering(&[&interim, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]);
    let seen = raw(&keyward(&upstream, "headers: off").start(), "GET", "/bearer", "");
    assert!(seen.starts_with("HTTP/1.1 200 ") && !seen.contains(SECRET), "{seen}");
}
