//! Bodies that are more than they seem, or less.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::{same_flaw, wire};

const MOST_GROWTH_KIB: u64 = 32 * 1024;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}, jwt: {enabled: true, config: {jwks_urls: ['KEYS'], jwks_max_wait: 100ms}}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";

/// A server with `/any`, and `/token` that takes tokens of keys from a place.
fn serve(keys: &str, behind: u16) -> Running {
    let rule = |id: &str, authenticator: &str| {
        format!(
            "- id: {id}\n  match: {{url: 'http://h/{id}', methods: [GET, POST]}}\n  authenticators: [{{handler: {authenticator}}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  upstream: {{url: 'http://127.0.0.1:{behind}'}}\n"
        )
    };
    let rules = rule("any", "anonymous") + &rule("token", "jwt");
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&CONFIG.replace("KEYS", keys), &rules).start()
}

/// What gzip (RFC 1952) makes of more than half a gibibyte of zeros.
fn packed() -> Vec<u8> {
    // One block of fixed codes (RFC 1951 section 3.2.6): a zero, then 258 more of it again and again.
    let mut bits: Vec<bool> = vec![true, true, false];
    let mut code = |value: u32, length: u32| bits.extend((0..length).rev().map(|at| value >> at & 1 == 1));
    code(0b0011_0000, 8);
    for _ in 0..24 {
        // Length 258 is symbol 285, in eight bits; distance 1 is symbol 0, in five.
        code(0b1100_0101, 8);
        code(0, 5);
    }
    let octet = |part: &[bool]| part.iter().rev().fold(0_u8, |octet, bit| octet << 1 | u8::from(*bit));
    let octets: Vec<u8> = bits.chunks(8).map(octet).collect();
    // Eight of these pairs are thirteen octets, which come again.
    let (begin, again) = (&octets[..2], &octets[2..15]);
    [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", begin, &again.repeat(300_000)].concat()
}

/// Envoy, Envoy Gateway: a packed body took the memory of what it unpacked to. Here bodies pass as they are, and what is
/// read here and comes packed is refused.
fn nothing_is_unpacked() {
    let packed = packed();
    assert!(packed.len() < 8 << 20);
    let shown = packed.clone();
    let behind = upstream(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Ok(Some(request)) = wire::read_request(&mut reader) {
            let is_whole = request.body.is_empty() || request.body == shown;
            let head = format!(
                "HTTP/1.1 {} OK\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
                if is_whole { 200 } else { 500 },
                shown.len()
            );
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&shown)).is_err() {
                return;
            }
        }
    });
    let keys = {
        let packed = packed.clone();
        upstream(move |mut stream| {
            while !read_head(&mut stream).is_empty() {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
                if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&packed)).is_err() {
                    return;
                }
            }
        })
    };
    let running = serve(&format!("http://127.0.0.1:{keys}/"), behind);
    let before = running.resident_kib();
    for coding in ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip, gzip"] {
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /any HTTP/1.1\r\nHost: h\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            packed.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&packed).unwrap();
        let answer = wire::read_response(&mut BufReader::new(stream), false).unwrap();
        assert_eq!((answer.status(), answer.header("content-encoding")), (200, Some("gzip")), "{coding}");
        assert!(answer.body == packed, "{coding}: {} octets", answer.body.len());
    }
    let token = "Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA";
    assert!(running.get("/token", &[("Host", "h"), ("Authorization", token)]).status() >= 400);
    let growth = running.resident_kib().saturating_sub(before);
    assert!(growth <= MOST_GROWTH_KIB, "memory grew by {growth} KiB");
}

same_flaw!(nothing_is_unpacked: cve_2026_48044_packed_bodies, cve_2026_47205_packed_bodies, cve_2026_53716_packed_bodies);

/// Envoy Gateway: memory was set aside for as much as was announced. Here it is taken for what has come, of requests and
/// of answers.
#[test]
fn cve_2026_53717_what_is_only_announced_takes_no_memory() {
    let behind = upstream(|mut stream| {
        let head = read_head(&mut stream);
        if head.starts_with("GET") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\nx");
        }
        wire::drain(&mut stream, u64::MAX);
    });
    let running = serve("http://unset.example/", behind);
    let announced = [
        "GET /any HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n",
        "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 1099511627776\r\n\r\nx",
        "POST /any HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx",
        "POST /any HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffff\r\n",
    ];
    let before = running.resident_kib();
    let mut callers = Vec::new();
    for request in announced.iter().cycle().take(100) {
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        callers.push((request, stream));
    }
    for (_, stream) in callers.iter_mut().filter(|(request, _)| request.starts_with("GET")) {
        assert!(read_head(stream).starts_with("HTTP/1.1 200"));
    }
    let growth = running.resident_kib().saturating_sub(before);
    assert!(growth <= MOST_GROWTH_KIB, "memory grew by {growth} KiB");
}
