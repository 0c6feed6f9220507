//! What a refusal tells about what was wrong. That the time it takes tells nothing either is shown beside the code:
//! `server/src/issuer/clients.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, PATIENCE};
use keyward_testkit::{same_flaw, wire};

/// Traefik: an unknown name was refused otherwise than a wrong password. Here every refusal is the same octets.
fn unknown_names_are_refused_as_wrong_secrets_are() {
    let server = || Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let (code, keys, _) = server().run(&["credentials", "generate", "--alg", "ES256", "--kid", "k1"]);
    assert_eq!(code, 0);
    let (server, port) = (server(), free_port());
    let path = server.write("keys.json", &keys).display().to_string();
    let config = format!(
        "issuer:\n  host: 127.0.0.1\n  port: {port}\n  url: https://issuer.example\n  keys: [{{path: {path}}}]\n  \
         clients:\n    - {{id: ci, secret_env: CI_SECRET, kind: ci, scopes: [read]}}\n    \
         - {{id: other, secret_env: OTHER_SECRET, kind: ci, scopes: [read]}}\n"
    );
    let running = server
        .with(&config, "[]")
        .env("CI_SECRET", "correct-horse-battery")
        .env("OTHER_SECRET", "another-horse-battery")
        .start();
    let ask = |id: &str, secret: &str, in_body: bool| {
        let basic = STANDARD.encode(format!("{id}:{secret}"));
        let (field, body) = match in_body {
            true => (String::new(), format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")),
            false => (format!("Authorization: Basic {basic}\r\n"), "grant_type=client_credentials".to_owned()),
        };
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: i\r\nContent-Type: application/x-www-form-urlencoded\r\n{field}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut answer = wire::exchange(port, request.as_bytes(), PATIENCE).unwrap();
        answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        answer
    };
    let rows = [
        ("ci", "wrong-horse-battery"),
        ("ci", "correct-horse-batterx"),
        ("ci", "another-horse-battery"),
        ("ci", ""),
        ("nobody", "correct-horse-battery"),
        ("nobody", ""),
        ("CI", "correct-horse-battery"),
        ("c", "correct-horse-battery"),
        ("", "correct-horse-battery"),
    ];
    for in_body in [true, false] {
        assert_eq!(ask("ci", "correct-horse-battery", in_body).status(), 200, "{}", running.log());
        let expected = ask("nobody", "nothing-right", in_body);
        assert_eq!(expected.status(), 401);
        for (id, secret) in rows {
            let answer = ask(id, secret, in_body);
            let [got, wanted] = [&answer, &expected].map(|answer| (&answer.start, &answer.headers, answer.text()));
            assert_eq!(got, wanted, "{id} {secret}");
        }
    }
}

same_flaw!(unknown_names_are_refused_as_wrong_secrets_are: cve_2026_32595_refusals, cve_2026_41263_refusals);
