//! An upstream over TLS is who the rule says it is, or it gets nothing.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::{Authority, self_signed_server};
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::upstream;
use keyward_testkit::wire;
use serde_json::Value;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
";

/// A server with one rule for each port, `/0` and so on; all go to `https://api.example`, which leads to that port.
fn serve(ports: &[u16], authority: &Authority) -> Keyward {
    let rules: String = ports
        .iter()
        .enumerate()
        .map(|(number, port)| {
            format!(
                "- id: r{number}\n  match: {{url: \"http://h/{number}\", methods: [GET]}}\n  \
                 authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
                 mutators: [{{handler: header, config: {{headers: {{X-Key: the-secret}}}}}}]\n  \
                 upstream: {{url: \"https://api.example:{port}\"}}\n"
            )
        })
        .collect();
    let resolve: Vec<String> = ports.iter().map(|port| format!("api.example:{port}:127.0.0.1")).collect();
    let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules);
    let ca = server.write("ca.pem", &authority.certificate).display().to_string();
    server.env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca).env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve.join(","))
}

fn get(running: &Running, number: usize) -> wire::Message {
    running.get(&format!("/{number}"), &[("Host", "h")])
}

#[test]
fn an_upstream_that_is_not_who_it_should_be_sees_no_request() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let name = "api.example";
    let rows: [(&str, Arc<ServerConfig>); 11] = [
        ("expired", authority.server_between(&[name], [2020, 2021])),
        ("not yet valid", authority.server_between(&[name], [2090, 2091])),
        ("another name", authority.server(&["other.example"], &[])),
        ("a name below", authority.server(&["x.api.example"], &[])),
        ("a wildcard for what is below", authority.server(&["*.api.example"], &[])),
        ("a wildcard for everything", authority.server(&["*.example.org", "*"], &[])),
        ("the address only", authority.server(&["127.0.0.1"], &[])),
        // Envoy CVE-2025-66220.
        ("the name with an end inside", authority.server(&["api.example\0.evil.example"], &[])),
        ("signed by itself", self_signed_server(&[name])),
        ("an authority that is not trusted", stranger.server(&[name], &[])),
        ("an authority of the same name, expired too", stranger.server_between(&[name], [2020, 2021])),
    ];
    let recorders: Vec<Recorder> = rows.iter().map(|(_, config)| Recorder::start_tls(true, config.clone())).collect();
    let good = Recorder::start_tls(true, authority.server(&[name], &[]));
    let mut ports: Vec<u16> = recorders.iter().map(|recorder| recorder.port).collect();
    ports.push(good.port);
    let running = serve(&ports, &authority).start();
    for (number, (row, _)) in rows.iter().enumerate() {
        let answer = get(&running, number);
        assert_eq!((answer.status(), answer.text()), (502, String::new()), "{row}");
        assert_eq!(recorders[number].take(), Vec::<Value>::new(), "{row}");
        assert_eq!(running.audit(number + 1)[number]["reason"], "upstream_connect", "{row}");
    }
    assert_eq!(running.log().matches("invalid peer certificate").count(), rows.len(), "{}", running.log());
    assert_eq!(get(&running, rows.len()).status(), 200, "{}", running.log());
    assert_eq!(good.take_header("x-key"), ["the-secret"]);
}

/// A ServerHello of TLS 1.1 (RFC 4346 section 7.4.1.3), with a cipher suite of that time.
fn tls_1_1_hello() -> Vec<u8> {
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    hello
}

/// What a scripted server does with a connection before it listens to the end.
type Opening = fn(&mut TcpStream);

fn read_some(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 1]);
}

#[test]
fn an_upstream_that_does_not_speak_tls_sees_no_request() {
    let rows: [(&str, Opening); 7] = [
        ("TLS 1.1", |stream| {
            read_some(stream);
            let _ = stream.write_all(&tls_1_1_hello());
        }),
        ("plaintext, when it has heard something", |stream| {
            read_some(stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!");
        }),
        ("plaintext at once", |stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!");
        }),
        ("a refusal in plaintext", |stream| {
            read_some(stream);
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
        }),
        ("an alert", |stream| {
            read_some(stream);
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
        }),
        ("application data before the handshake", |stream| {
            read_some(stream);
            let _ = stream.write_all(b"\x17\x03\x03\x00\x10HTTP/1.1 200 OK!");
        }),
        ("nothing but the end", |stream| {
            read_some(stream);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }),
    ];
    let heard: Vec<Arc<Mutex<Vec<u8>>>> = rows.iter().map(|_| Arc::default()).collect();
    let ports: Vec<u16> = rows
        .iter()
        .zip(&heard)
        .map(|((_, opening), heard)| {
            let (opening, heard) = (*opening, heard.clone());
            upstream(move |mut stream| {
                opening(&mut stream);
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                heard.lock().unwrap().extend(wire::drain(&mut stream, 1 << 20));
            })
        })
        .collect();
    let running = serve(&ports, &Authority::new()).start();
    for (number, (row, _)) in rows.iter().enumerate() {
        let answer = get(&running, number);
        assert_eq!((answer.status(), answer.text()), (502, String::new()), "{row}");
        assert_eq!(running.audit(number + 1)[number]["reason"], "upstream_connect", "{row}");
        running.until("the end of the connection", |_| !heard[number].lock().unwrap().is_empty());
        let bytes = heard[number].lock().unwrap().clone();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        // A record of application data begins like this.
        assert!(!has(b"the-secret") && !has(b"GET ") && !has(b"\x17\x03\x03"), "{row}: {bytes:?}");
    }
}

/// nginx CVE-2026-1642: what comes in plaintext before the handshake was taken for the answer. The handshake behind it
/// would be good.
#[test]
fn cve_2026_1642_bytes_before_the_handshake_are_no_answer() {
    let authority = Authority::new();
    let config = authority.server(&["api.example"], &[]);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let injections: [&'static [u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!",
        b"\r\n",
        b"\x17\x03\x03\x00\x05evil!",
        b"\x15\x03\x03\x00\x02\x02\x00",
    ];
    let ports = injections.map(|injection| {
        let (config, seen) = (config.clone(), seen.clone());
        upstream(move |mut stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            if stream.write_all(injection).is_err() {
                return;
            }
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut tls = BufReader::new(StreamOwned::new(connection, stream));
            if let Ok(Some(request)) = wire::read_request(&mut tls) {
                seen.lock().unwrap().push(request.start);
                let _ = tls.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal");
            }
        })
    });
    let running = serve(&ports, &authority).start();
    for number in 0..injections.len() {
        let answer = get(&running, number);
        assert!(!answer.text().contains("evil"), "{number}: {answer:?}");
        assert_eq!(answer.status(), 502, "{number}: {}", running.log());
    }
    assert!(seen.lock().unwrap().is_empty(), "{seen:?}");
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let port = upstream(|mut stream| drop(stream.read(&mut [0; 1]).and_then(|_| stream.read_to_end(&mut Vec::new()))));
    let server = serve(&[port], &Authority::new()).env("SERVE_PROXY_UPSTREAM_CONNECT_TIMEOUT", "300ms");
    let running = server.start();
    assert_eq!(get(&running, 0).status(), 504);
    assert_eq!(running.audit(1)[0]["reason"], "upstream_timeout");
}

/// Caddy CVE-2026-27586: an authority's file that could not be read meant that anybody was trusted.
#[test]
fn cve_2026_27586_a_ca_file_that_cannot_be_read_stops_the_start_and_the_reload() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let recorder = Recorder::start_tls(true, authority.server(&["api.example"], &[]));
    let imposter = Recorder::start_tls(true, stranger.server(&["api.example"], &[]));
    let ports = [recorder.port, imposter.port];
    let truncated = authority.certificate[..authority.certificate.len() / 2].to_owned();
    let garbage = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
    let rows = [Some(""), Some("no certificate"), Some(truncated.as_str()), Some(garbage), None];
    for contents in rows {
        let server = serve(&ports, &authority);
        let path = server.path("ca.pem");
        match contents {
            Some(text) => drop(server.write("ca.pem", text)),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let (code, _, err) = server.run(&["serve"]);
        let said = err.contains("`serve.proxy.upstream.ca_files`") && err.contains("ca.pem");
        assert!(code != 0 && said, "{contents:?}: {code} {err}");
    }
    let (code, _, err) = {
        let server = serve(&ports, &authority);
        std::fs::remove_file(server.path("ca.pem")).unwrap();
        std::fs::create_dir(server.path("ca.pem")).unwrap();
        server.run(&["serve"])
    };
    assert!(code != 0 && err.contains("`serve.proxy.upstream.ca_files`"), "a directory: {code} {err}");

    let running = serve(&ports, &authority).start();
    let as_before = |running: &Running| {
        assert_eq!((get(running, 0).status(), get(running, 1).status()), (200, 502), "{}", running.log());
        assert_eq!(imposter.take(), Vec::<Value>::new());
    };
    as_before(&running);
    for (number, contents) in rows.into_iter().enumerate() {
        match contents {
            Some(text) => running.replace("ca.pem", text),
            None => std::fs::remove_file(running.path("ca.pem")).unwrap(),
        }
        running.signal("HUP");
        let failures = f64::from(u32::try_from(number + 1).unwrap());
        running.until("refusing it", |running| {
            running.metric("keyward_reload_failures_total").is_some_and(|count| count >= failures)
        });
        as_before(&running);
    }
    // Who is trusted changes with the file, for new connections and for those that were kept.
    running.replace("ca.pem", &stranger.certificate);
    running.signal("HUP");
    running.until("trusting another", |running| get(running, 0).status() == 502 && get(running, 1).status() == 200);
}

/// What makes something less safe says so in its name, and nothing of that kind is about TLS.
#[test]
fn no_setting_switches_verification_off() {
    let (code, schema, _) = Keyward::new(env!("CARGO_BIN_EXE_keyward")).run(&["config", "schema"]);
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut names = Vec::new();
    collect(&schema, &mut names);
    assert!(names.iter().any(|name| name == "ca_files"), "{names:?}");
    let words = ["insecure", "skip", "verify", "verification", "tls_no", "allow_invalid", "check_certificate"];
    names.retain(|name| words.iter().any(|word| name.to_ascii_lowercase().contains(word)));
    names.sort();
    names.dedup();
    // Of traces, which are not exported; a token without an end; an issuer for anybody.
    let known = ["insecure", "insecure_allow_missing_exp", "insecure_open"];
    assert_eq!(names, known);
}

/// The names of all properties.
fn collect(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| collect(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}
