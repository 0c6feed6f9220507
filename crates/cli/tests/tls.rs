//! TLS of every port, and certificates that change while they are served.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward_core::jwt::generate::generate;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::wire::drain;
use tokio_rustls::rustls::ClientConfig;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";

/// One rule for each scheme: `/http` and `/https`.
fn rules(upstream: u16) -> String {
    let rule = |scheme: &str| {
        format!(
            "- id: {scheme}\n  match: {{url: \"{scheme}://<[^/]*>/{scheme}\", methods: [GET, HEAD]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: noop}}]\n  upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
        )
    };
    rule("http") + &rule("https")
}

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules(Recorder::start(true).port))
}

/// Puts certificate and key where the configuration looks for them.
fn install(running: &Running, (certificate, key): (String, String)) {
    running.replace("key.pem", &key);
    running.replace("cert.pem", &certificate);
}

#[test]
fn every_port_can_have_tls_from_files_or_from_the_environment() {
    let authority = Authority::new();
    let (certificate, key) = authority.pem(&["localhost"]);
    let keyward = keyward();
    let (cert_path, key_path) = (keyward.write("cert.pem", &certificate), keyward.write("key.pem", &key));
    let signing = keyward.write("signing.json", &generate("ES256", "k", 0).unwrap().to_string());
    let issuer = free_port();
    let (cert_path, key_path) = (cert_path.display().to_string(), key_path.display().to_string());
    let running = keyward
        .env("SERVE_PROXY_TLS_CERT_PATH", &cert_path)
        .env("SERVE_PROXY_TLS_KEY_PATH", &key_path)
        .env("SERVE_API_TLS_CERT_BASE64", &STANDARD.encode(&certificate))
        .env("SERVE_API_TLS_KEY_BASE64", &STANDARD.encode(&key))
        .env("SERVE_PROMETHEUS_TLS_CERT_PATH", &cert_path)
        .env("SERVE_PROMETHEUS_TLS_KEY_PATH", &key_path)
        .env("ISSUER_INSECURE_OPEN", "true")
        .env("ISSUER_PORT", &issuer.to_string())
        .env("ISSUER_TLS_CERT_PATH", &cert_path)
        .env("ISSUER_TLS_KEY_PATH", &key_path)
        .env("ISSUER_KEYS", &format!("[{{\"path\":\"{}\"}}]", signing.display()))
        .launch();
    let trusts = authority.client(&[b"http/1.1"]);
    running.until("serving", |running| TlsClient::connect(running.metrics, &trusts, PATIENCE).is_ok());
    let ports = [
        (running.proxy, "/https"),
        (running.api, "/health/ready"),
        (running.metrics, "/metrics"),
        (issuer, "/.well-known/jwks.json"),
    ];
    for (port, target) in ports {
        let mut client = TlsClient::connect(port, &trusts, PATIENCE).unwrap();
        assert_eq!(client.get(target, "localhost").unwrap().status(), 200, "{target}");
    }
    for (port, target) in ports {
        for method in ["GET", "POST", "OPTIONS"] {
            let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
            plain.set_read_timeout(Some(PATIENCE)).unwrap();
            let body = "x".repeat(10_000);
            write!(plain, "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n{body}")
                .unwrap();
            plain.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(
                String::from_utf8(drain(&mut plain, 1024)).unwrap(),
                "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
                "{method} {target}"
            );
        }
    }
    // The scheme that rules see is the one that was used.
    let mut client = TlsClient::connect(running.proxy, &trusts, PATIENCE).unwrap();
    assert_eq!(client.get("/http", "localhost").unwrap().status(), 404);
    for (port, target) in ports {
        let both = TlsClient::connect(port, &authority.client(&[b"h2", b"http/1.1"]), PATIENCE).unwrap();
        assert_eq!(both.protocol(), Some(&b"h2"[..]), "{target}");
        let calls = [("GET", target), ("HEAD", target), ("HEAD", "/nothing-here"), ("GET", target)];
        assert_eq!(http2_statuses(port, authority.client(&[b"h2"]), &calls), [200, 200, 404, 200], "{target}");
    }
    assert_eq!(
        http2_statuses(
            running.api,
            authority.client(&[b"h2"]),
            &[("GET", "/decisions/https"), ("HEAD", "/decisions/http"), ("GET", "/rules/none")]
        ),
        [200, 404, 404]
    );
    // A decision over TLS is one about `https`, unless a header says otherwise.
    let mut client = TlsClient::connect(running.api, &trusts, PATIENCE).unwrap();
    assert_eq!(client.get("/decisions/https", "localhost").unwrap().status(), 200);
}

/// The statuses of whole answers to these requests, all over one connection.
fn http2_statuses(port: u16, config: Arc<ClientConfig>, calls: &[(&str, &str)]) -> Vec<u16> {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = "localhost".to_owned().try_into().unwrap();
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut statuses = Vec::new();
        for (method, target) in calls {
            let request = http::Request::builder().method(*method).uri(format!("https://localhost{target}"));
            let answer = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap());
            let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
            statuses.push(answer.status().as_u16());
            answer.into_body().collect().await.unwrap();
        }
        statuses
    })
}

#[test]
fn a_new_certificate_is_served_to_new_connections_and_a_bad_one_to_none() {
    let authority = Authority::new();
    let keyward = keyward();
    let (first, second) = (authority.pem(&["localhost"]), authority.pem(&["localhost"]));
    let (cert, key) = (keyward.write("cert.pem", &first.0), keyward.write("key.pem", &first.1));
    let tls = format!("cert: {{path: {}}}, key: {{path: {}}}", cert.display(), key.display());
    let more = keyward.write("tls.yaml", &format!("serve: {{proxy: {{tls: {{{tls}}}}}}}\n"));
    let running = keyward.config(more).start();
    let trusts = authority.client(&[b"http/1.1"]);
    let connect = || TlsClient::connect(running.proxy, &trusts, PATIENCE).unwrap();
    let mut old = connect();
    let served_first = old.certificate();
    assert_eq!(old.get("/https", "localhost").unwrap().status(), 200);

    running.replace("cert.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
    running.until("refusing it", |running| running.log().contains("the reload failed"));
    assert!(running.log().contains("`serve.proxy.tls.cert`"), "{}", running.log());
    assert_eq!(connect().certificate(), served_first);

    install(&running, second);
    running.until("the new certificate", |_| connect().certificate() != served_first);
    assert_eq!(connect().get("/https", "localhost").unwrap().status(), 200);
    // The connection that was there before all of this still serves.
    assert_eq!(old.get("/https", "localhost").unwrap().status(), 200);

    // By signal too, and TLS can be left altogether.
    running.replace("tls.yaml", "{}\n");
    running.signal("HUP");
    running.until("plain HTTP", |running| {
        running.send("GET /http HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok_and(|answer| answer.status() == 200)
    });
}

#[test]
fn what_cannot_be_served_stops_the_start_and_names_the_setting() {
    let authority = Authority::new();
    let ((certificate, _), (_, other_key)) = (authority.pem(&["localhost"]), authority.pem(&["localhost"]));
    let (certificate, other_key) = (STANDARD.encode(certificate), STANDARD.encode(other_key));
    let rows: [(&str, &str, &str, &str, &str); 5] = [
        ("CERT_BASE64", &certificate, "KEY_BASE64", &other_key, "not usable together"),
        ("CERT_BASE64", "%", "KEY_BASE64", &other_key, "`serve.api.tls.cert`: it is not standard base64"),
        ("CERT_PATH", "/nonexistent", "KEY_PATH", "/nonexistent", "/nonexistent"),
        ("CERT_PATH", "/nonexistent", "KEY_BASE64", &other_key, "both as `path` or both as `base64`"),
        ("CERT_BASE64", &certificate, "KEY_BASE64", &certificate, "`serve.api.tls.key`: it holds no private key"),
    ];
    for (first, one, second, other, expected) in rows {
        let keyward = keyward().env(&format!("SERVE_API_TLS_{first}"), one);
        let (code, _, err) = keyward.env(&format!("SERVE_API_TLS_{second}"), other).run(&["serve"]);
        assert!(code != 0 && err.contains(expected), "{expected}: {code} {err}");
        assert!(!err.contains(&other_key), "{err}");
    }
}

/// W16: no half of a server.
#[test]
fn a_port_that_is_taken_stops_the_start() {
    for (host, port) in [("SERVE_PROXY", "the proxy"), ("SERVE_API", "the API"), ("SERVE_PROMETHEUS", "metrics")] {
        let taken = keyward_testkit::ports::listener();
        let number = taken.local_addr().unwrap().port().to_string();
        let (code, _, err) = keyward().env(&format!("{host}_PORT"), &number).run(&["serve"]);
        assert!(code == 1 && err.contains("another process listens there"), "{port}: {code} {err}");
    }
}
