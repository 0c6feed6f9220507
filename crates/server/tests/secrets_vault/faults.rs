//! Answers that no Vault in order gives. They come from the double alone.

use std::io::Write;
use std::time::Duration;

use keyward_server::http_client::Limits;
use keyward_server::secrets::backend::Wanted;
use keyward_testkit::scripted::{drip, read_head, upstream};
use keyward_testkit::vault::{Double, Server};

use crate::asked::{Asked, GIVEN, LIMITS, VALUE, by_file, fill, said, wanted};

#[test]
fn faults_are_bounded_and_named() {
    let ok = |length: usize, body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    let status = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let malformed = "the answer about `app` is not what Vault answers; check that `address` is that of a Vault";
    let rows = [
        ("oversized", ok(99_000_000, "{"), "the answer is larger than 65536 bytes; check `address`"),
        ("truncated", ok(99, "{\"data\":"), "; check `address`, and the way to it"),
        ("no JSON", ok(18, VALUE), malformed),
        ("another JSON", ok(24, &format!("{{\"a\":\"{VALUE}\"}}")), malformed),
        ("KV of the first version", ok(33, &format!("{{\"data\":{{\"a\":\"{VALUE}\"}}}}")), malformed),
        ("nonsense", "nonsense\r\n\r\n".to_owned(), "; check `address`, and the way to it"),
        (
            "an error of the server",
            status("500 Internal Server Error"),
            "Vault answered 500 for `app`; Vault failed, or is a standby that finds no active node",
        ),
        ("a gateway", status("502 Bad Gateway"), "Vault answered 502 for `app`; what stands before Vault does not"),
        ("haste", status("429 Too Many Requests"), "a longer `refresh_interval` asks less often"),
        (
            "a standby",
            status("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"),
            "redirects are not followed: a standby",
        ),
        (
            "a bad request",
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\n{\"errors\":[\"\"]}".to_owned(),
            "`keyward-test` must be a KV engine, version 2",
        ),
        (
            "a port for TLS, which answers a request without",
            "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n".to_owned(),
            "is not what Vault answers; check that `address` is that of a Vault, and begins with `https` if",
        ),
        ("a seal", status("503 Service Unavailable"), "Vault is sealed or not ready: unseal it"),
    ];
    for (what, answer, expected) in rows {
        let double = Double::start();
        let good = fill(&double);
        double.token(GIVEN, 0);
        let asked = Asked::of(&double, by_file);
        assert_eq!(asked.say("app"), good, "{what}");
        double.front().fault(answer.as_bytes());
        let said = asked.say("app");
        assert!(said.contains(expected), "{what}: {said}");
        assert_eq!(asked.say("app"), good, "{what}");
    }
}

/// However many values are wanted, a Vault that does not answer is asked once.
#[test]
fn a_vault_that_does_not_answer_is_asked_once() {
    let many: Vec<Wanted> = (0..100).map(|number| wanted(&format!("{number}"), Some("token"), None)).collect();
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        drip(&mut stream, &[b' '; 1000]);
    });
    let limits = Limits { time: Duration::from_millis(300), ..LIMITS };
    let asked = Asked::at(&format!("http://127.0.0.1:{port}"), limits, by_file, |_| ());
    for outcome in asked.fetch(&many) {
        assert!(said(&outcome).contains("no complete answer within 300 ms"), "{}", said(&outcome));
    }
}
