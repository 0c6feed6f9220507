//! The forwarding path of the real binary: streaming, upgrades, broken streams, limits, drain, reload.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::http2_upstream::http2_upstream;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}, unauthorized: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}, noop: {enabled: true}}
";

/// One rule for `/a`, another with an upgrade for `/ws`.
fn rules(upstream: u16) -> String {
    let rule = |id: &str, path: &str, extra: &str| {
        format!(
            "- id: {id}\n  match: {{url: \"http://<[^/]*>/{path}<.*>\", methods: [GET, POST, PUT, HEAD]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: header, config: {{headers: {{X-Key: the-secret}}}}}}]\n  \
             upstream: {{url: \"http://127.0.0.1:{upstream}\"{extra}}}\n"
        )
    };
    rule("plain", "a", "") + &rule("socket", "ws", ", upgrade: [websocket]")
}

fn keyward(upstream: u16) -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules(upstream))
}

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn bodies_stream_both_ways_without_being_gathered() {
    // The upstream sends a piece, waits for a piece of the request, and so on: gathering would deadlock.
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        let mut piece = [0; 9];
        for _ in 0..3 {
            stream.read_exact(&mut piece).unwrap();
            assert_eq!(&piece, b"4\r\nping\r\n");
            stream.write_all(b"4\r\npong\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        let _ = stream.read(&mut piece);
    });
    let running = keyward(port).start();
    let mut stream = connect(&running);
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nping\r\n").unwrap();
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut pong = [0; 9];
    for round in 0..3 {
        stream.read_exact(&mut pong).unwrap();
        assert_eq!(&pong, b"4\r\npong\r\n");
        if round < 2 {
            stream.write_all(b"4\r\nping\r\n").unwrap();
        }
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut end = [0; 5];
    stream.read_exact(&mut end).unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
    let record = &running.audit(1)[0];
    assert_eq!((&record["bytes_in"], &record["bytes_out"]), (&12.into(), &12.into()));
}

#[test]
fn large_bodies_pass_unchanged() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    let body = "0123456789abcdef".repeat(256 * 1024);
    assert_eq!(running.request("PUT", "/a", &[], &body).status(), 200);
    assert_eq!(recorder.take()[0]["body"].as_str().unwrap().len(), body.len());
}

#[test]
fn a_body_of_unknown_length_passes_with_every_method() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    for method in ["GET", "POST", "PUT"] {
        let request =
            format!("{method} /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(running.send(&request).unwrap().status(), 200);
        assert_eq!(recorder.take()[0]["body"], "hello", "{method}");
    }
}

#[test]
fn a_body_that_is_not_there_is_announced_where_one_is_usual() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    for (method, announced) in [("GET", false), ("HEAD", false), ("POST", true), ("PUT", true)] {
        let answer = running.send(&format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n")).unwrap();
        assert_eq!(answer.status(), 200, "{method}");
        let call = recorder.take().remove(0);
        let lengths = call["headers"].as_array().unwrap().iter().filter(|line| line[0] == "content-length");
        let lengths: Vec<&str> = lengths.map(|line| line[1].as_str().unwrap()).collect();
        assert_eq!(lengths, if announced { vec!["0"] } else { vec![] }, "{method}");
    }
}

/// Serving spec W1: the reference ends such a stream as if it were whole.
#[test]
fn an_upstream_that_dies_in_the_middle_breaks_the_caller_s_stream_too() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n");
        let port = upstream(move |mut stream| {
            read_head(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let running = keyward(port).start();
        let mut stream = connect(&running);
        stream.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let answer = wire::read_response(&mut BufReader::new(stream), false);
        assert!(answer.is_err(), "{head}: {answer:?}");
        let record = &running.audit(1)[0];
        assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"stream_broken".into()));
    }
}

#[test]
fn upstreams_that_cannot_be_reached_or_do_not_answer() {
    let silent = upstream(|stream| {
        thread::sleep(Duration::from_secs(5).min(stream.read_timeout().unwrap().unwrap_or(PATIENCE)))
    });
    let closed = keyward_testkit::ports::free_port();
    let garbage = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"this is not HTTP\r\n\r\n");
    });
    // A short limit only where it is what is waited for: a busy machine may delay the others.
    let rows = [
        (closed, "10s", 502, "upstream_connect"),
        (garbage, "10s", 502, "upstream_exchange"),
        (silent, "300ms", 504, "upstream_timeout"),
    ];
    for (port, limit, status, reason) in rows {
        let running = keyward(port).env("SERVE_PROXY_UPSTREAM_RESPONSE_HEADER_TIMEOUT", limit).start();
        let answer = running.get("/a", &[]);
        assert_eq!((answer.status(), answer.text()), (status, String::new()), "{reason}");
        assert_eq!(running.audit(1)[0]["reason"], reason);
        assert_eq!(running.metric(&format!("keyward_upstream_errors_total{{reason=\"{reason}\"}}")), Some(1.0));
    }
}

#[test]
fn upgrades_pass_where_the_rule_lists_them() {
    let port = upstream(|mut stream| {
        let head = read_head(&mut stream).to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(answer).unwrap();
        let mut frame = [0; 4];
        while stream.read_exact(&mut frame).is_ok() {
            stream.write_all(&frame).unwrap();
        }
    });
    let running = keyward(port).start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
    let mut stream = connect(&running);
    stream.write_all(format!("GET /ws HTTP/1.1\r\nHost: h\r\n{upgrade}").as_bytes()).unwrap();
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101") && head.to_ascii_lowercase().contains("upgrade: websocket"), "{head}");
    let mut frame = [0; 4];
    // Bytes that would be violations in a request head are data now.
    for ping in [b"ping", b"\n\0\n\r"] {
        stream.write_all(ping).unwrap();
        stream.read_exact(&mut frame).unwrap();
        assert_eq!(&frame, ping);
    }
    drop(stream);
    let record = &running.audit(1)[0];
    assert_eq!((&record["status"], &record["bytes_in"], &record["bytes_out"]), (&101.into(), &8.into(), &8.into()));
    // The other rule lists none.
    let answer = running.send(&format!("GET /a HTTP/1.1\r\nHost: h\r\n{upgrade}")).unwrap();
    assert_eq!(answer.status(), 403);
    running.audit(2);
    assert!(running.log().contains("write `upstream.upgrade: [websocket]`"), "{}", running.log());
}

/// CVE-2026-73548: an upstream that switches without being asked must not get a tunnel.
#[test]
fn an_unasked_switch_of_protocols_is_refused() {
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    let running = keyward(port).start();
    assert_eq!(running.get("/a", &[]).status(), 502);
}

#[test]
fn upstream_connections_are_kept_and_a_dead_one_is_replaced() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_WORKERS", "1").start();
    for _ in 0..5 {
        assert_eq!(running.get("/a", &[]).status(), 200);
    }
    // This upstream closes after every answer without saying so.
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let running = keyward(port).env("SERVE_PROXY_WORKERS", "1").start();
    for _ in 0..5 {
        assert_eq!(running.get("/a", &[]).status(), 200);
    }
}

#[test]
fn callers_may_speak_http2_with_prior_knowledge_and_over_tls() {
    let recorder = Recorder::start(true);
    let authority = Authority::new();
    for tls in [false, true] {
        let mut server = keyward(recorder.port);
        if tls {
            server = server.with_tls(&authority);
            let https = rules(recorder.port).replace("http://<[^/]*>", "https://<[^/]*>");
            server.write("rules.yaml", &https);
        }
        let running = server.start();
        let (status, version, body) = http2_get(running.proxy, tls.then_some(authority.certificate.as_str()));
        assert_eq!((status, version), (200, http::Version::HTTP_2), "{}", running.log());
        assert_eq!(body, "{\"method\": \"GET\", \"target\": \"/a/h2\"}");
    }
    assert!(recorder.take().iter().all(|seen| seen["headers"].to_string().contains("the-secret")));
}

fn http2_get(port: u16, ca: Option<&str>) -> (u16, http::Version, String) {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let scheme = if ca.is_some() { "https" } else { "http" };
        let request =
            http::Request::get(format!("{scheme}://localhost:{port}/a/h2")).body(Empty::<bytes::Bytes>::new());
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let answer = match ca {
            None => {
                let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request.unwrap()).await.unwrap()
            }
            Some(ca) => {
                let directory = tempfile::tempdir().unwrap();
                std::fs::write(directory.path().join("ca.pem"), ca).unwrap();
                keyward_server::upstream::tls::install_provider();
                let files = [directory.path().join("ca.pem")];
                let config = keyward_server::upstream::tls::client_config(&files, &[b"h2"]).unwrap();
                let name = "localhost".to_owned().try_into().unwrap();
                let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
                let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request.unwrap()).await.unwrap()
            }
        };
        let (status, version) = (answer.status().as_u16(), answer.version());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, version, String::from_utf8_lossy(&body).into_owned())
    })
}

/// An upstream that speaks HTTP/2 over TLS, and says what it saw.
fn telling_upstream(authority: &Authority) -> u16 {
    http2_upstream(authority, |request| async move {
        let credential = request.headers().get("x-key").is_some_and(|value| value == "the-secret");
        let seen = format!("{:?} {} {credential}", request.version(), request.uri());
        http::Response::new(http_body_util::Full::new(bytes::Bytes::from(seen)))
    })
}

#[test]
fn upstreams_may_speak_http2_and_must_be_who_they_are() {
    let authority = Authority::new();
    let port = telling_upstream(&authority);
    let rules = rules(1).replace("http://127.0.0.1:1", "https://api.example");
    let server = |resolve: &str| {
        let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules);
        let ca = server.write("ca.pem", &authority.certificate);
        server
            .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", resolve)
    };
    let running = server(&format!("api.example:443:127.0.0.1:{port}")).start();
    for _ in 0..3 {
        let answer = running.get("/a/x?q=1", &[]);
        assert_eq!(answer.text(), "HTTP/2.0 https://api.example/a/x?q=1 true", "{}", running.log());
    }
    // Another name's certificate, and an authority that is not trusted, get no credential.
    let other = Authority::new();
    for config in [authority.server(&["other.example"], &[]), other.server(&["api.example"], &[])] {
        let imposter = Recorder::start_tls(true, config);
        let running = server(&format!("api.example:443:127.0.0.1:{}", imposter.port)).start();
        assert_eq!(running.get("/a", &[]).status(), 502);
        assert!(imposter.take().is_empty());
        assert!(running.log().contains("certificate"), "{}", running.log());
    }
}

#[test]
fn limits_on_bodies_and_heads() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_LIMITS_BODY_BYTES", "10").start();
    assert_eq!(running.request("POST", "/a", &[], "0123456789").status(), 200);
    assert_eq!(running.request("POST", "/a", &[], "0123456789x").status(), 413);
    let chunked =
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
    assert_eq!(running.send(chunked).unwrap().status(), 413);
    assert_eq!(running.get("/a", &[("X-Long", &"x".repeat(9000))]).status(), 431);
    assert_eq!(running.get(&format!("/a{}", "x".repeat(9000)), &[]).status(), 414);
}

/// Apart from the others: a caller that a busy machine delays would be cut off too.
#[test]
fn a_head_that_comes_too_slowly_is_cut_off() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_TIMEOUT_HEADER", "300ms").start();
    let mut slow = connect(&running);
    slow.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\nX-").unwrap();
    let mut told = String::new();
    // To the end, and not to the end of this test's patience.
    slow.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    assert!(recorder.take().is_empty());
}

/// A connection counts from when it is accepted until its end is noticed, and a busy machine may do both
/// late: so callers come again until the earlier ones are gone.
fn admitted(running: &Running) -> TcpStream {
    let begun = Instant::now();
    loop {
        let mut stream = connect(running);
        stream.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let head = read_head(&mut stream);
        if head.starts_with("HTTP/1.1 200") {
            return stream;
        }
        assert!(begun.elapsed() < PATIENCE, "{head}: {}", running.log());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_connection_over_the_limit_is_told_so() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_LIMITS_CONNECTIONS", "2").start();
    // Two idle connections are the limit.
    let idle = [admitted(&running), admitted(&running)];
    running.until("counting both", |running| running.metric("keyward_connections ") == Some(2.0));
    assert_eq!(recorder.take().len(), 2);
    assert_eq!(running.get("/a", &[]).status(), 503);
    assert!(recorder.take().is_empty());
    drop(idle);
    drop(admitted(&running));
}

#[test]
fn idle_connections_end_and_waiting_ones_do_not() {
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_millis(900));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let running = keyward(port).env("SERVE_PROXY_TIMEOUT_IDLE", "200ms").start();
    let mut stream = connect(&running);
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn sigterm_drains_and_every_record_is_written() {
    let (begun, begins) = std::sync::mpsc::channel();
    let port = upstream(move |mut stream| {
        read_head(&mut stream);
        begun.send(()).unwrap();
        thread::sleep(Duration::from_millis(500));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    });
    let mut running = keyward(port).start();
    let mut stream = connect(&running);
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    running.signal("TERM");
    let answer = wire::read_response(&mut BufReader::new(stream), false).unwrap();
    assert_eq!((answer.status(), answer.text()), (200, "done".to_owned()));
    assert!(running.wait().success());
    assert_eq!(running.audit(1)[0]["outcome"], "allowed");
    assert!(TcpStream::connect(("127.0.0.1", running.proxy)).is_err());
}

#[test]
fn a_change_takes_effect_and_a_bad_one_leaves_the_last_good_rules() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    assert_eq!(running.get("/a", &[]).status(), 200);
    let good = rules(recorder.port);
    running.replace("rules.yaml", "- id: [\n");
    running.until("refusing the broken file", |running| running.log().contains("the last good rules go on serving"));
    assert!(running.log().contains("rules.yaml:"), "{}", running.log());
    assert_eq!(running.get("/a", &[]).status(), 200);
    assert_eq!(running.metric("keyward_reload_failures_total"), Some(1.0));
    running.replace("rules.yaml", &good.replace("/a<", "/b<"));
    running.until("the change", |running| running.get("/b", &[]).status() == 200);
    assert_eq!(running.get("/a", &[]).status(), 404);
    // The configuration too, by signal.
    running.replace("config.yaml", &CONFIG.replace("anonymous: {enabled: true}", "anonymous: {enabled: false}"));
    running.signal("HUP");
    running.until("the handler's end", |running| running.get("/b", &[]).status() == 500);
    running.replace("config.yaml", "authenticators: {nosuch: {enabled: true}}\n");
    running.until("refusing the configuration", |running| running.log().contains("unknown key `nosuch`"));
    assert_eq!(running.get("/b", &[]).status(), 500);
}

/// RFC 9110 section 5.5: white space around a value is no part of it, wherever the value comes from.
#[test]
fn spaces_around_an_injected_value_are_not_sent() {
    let (heads, seen) = std::sync::mpsc::channel();
    let port = upstream(move |mut stream| {
        heads.send(read_head(&mut stream)).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let rules = rules(port).replace("X-Key: the-secret", "X-Key: '  a b  ', X-Made: '{{ print .Subject }} '");
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules).start();
    assert_eq!(running.get("/a", &[]).status(), 204);
    let head = seen.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    assert!(head.contains("\r\nx-key: a b\r\n") && head.contains("\r\nx-made: anonymous\r\n"), "{head}");
}
