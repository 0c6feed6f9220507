//! Handshakes that come in pieces, that stop, and certificates that are for somebody else.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::same_flaw;
use keyward_testkit::tls_client::TlsClient;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";

fn rules(upstream: &str) -> String {
    format!(
        "- id: any\n  match: {{url: '<https?>://<[^/]*>/<.*>', methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
         authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  upstream: {{url: '{upstream}'}}\n"
    )
}

/// A server that speaks TLS, and what its callers trust.
fn serve(variables: &[(&str, &str)]) -> (Running, Arc<ClientConfig>) {
    let authority = Authority::new();
    let upstream = format!("http://127.0.0.1:{}", Recorder::start(true).port);
    let mut keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules(&upstream)).with_tls(&authority);
    for (name, value) in variables {
        keyward = keyward.env(name, value);
    }
    (keyward.start(), authority.client(&[b"http/1.1"]))
}

fn honest(running: &Running, config: &Arc<ClientConfig>) -> u16 {
    TlsClient::connect(running.proxy, config, PATIENCE).unwrap().get("/x", "localhost").unwrap().status()
}

/// A handshake's first message, cut into records of so many octets (RFC 8446 section 5.1).
fn hello(connection: &mut ClientConnection, size: usize) -> Vec<Vec<u8>> {
    let mut whole = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut whole).unwrap();
    }
    let (head, message) = whole.split_at(5);
    assert_eq!((head[0], usize::from(u16::from_be_bytes([head[3], head[4]]))), (0x16, message.len()), "one record");
    let record = |part: &[u8]| [&head[..3], &u16::try_from(part.len()).unwrap().to_be_bytes(), part].concat();
    message.chunks(size).map(record).collect()
}

/// Traefik: a first message in pieces got the settings of nobody in particular, which asked for less. Here it gets what it
/// gets as a whole: there is one configuration, whoever asks for whom, and the certificate is the same.
#[test]
fn cve_2026_32305_a_hello_in_pieces_gets_no_less() {
    let (running, config) = serve(&[]);
    let expected = TlsClient::connect(running.proxy, &config, PATIENCE).unwrap().certificate();
    for size in [1, 2, 3, 5, 16, 64, 1000] {
        for at_once in [true, false] {
            let mut socket = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.set_nodelay(true).unwrap();
            let mut connection =
                ClientConnection::new(config.clone(), "localhost".to_owned().try_into().unwrap()).unwrap();
            let records = hello(&mut connection, size);
            if at_once {
                socket.write_all(&records.concat()).unwrap();
            } else {
                records.iter().for_each(|record| socket.write_all(record).unwrap());
            }
            while connection.is_handshaking() {
                connection.complete_io(&mut socket).unwrap_or_else(|error| panic!("{size} {at_once}: {error}"));
            }
            let chain = connection.peer_certificates().unwrap();
            assert_eq!(chain[0].as_ref(), expected, "{size}");
            connection.writer().write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut stream = tokio_rustls::rustls::StreamOwned::new(connection, socket);
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200", "{size}");
        }
    }
    // Neither plaintext nor a piece of a first message opens anything.
    for bytes in
        [&b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], b"\x16\x03\x01\x00\x01\x01GET /x HTTP/1.1\r\n\r\n"]
    {
        let mut socket = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(bytes).unwrap();
        let said = keyward_testkit::wire::drain(&mut socket, 4096);
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("HTTP") || said.starts_with("HTTP/1.0 400 "), "{said}");
    }
    assert_eq!(honest(&running, &config), 200);
}

/// Traefik: handshakes that went no further held on to what they had for ever. Here they have an end, the same for each
/// point at which one can stop, and others are served before it.
fn handshakes_that_stop_are_given_up() {
    const EACH: usize = 30;
    let (running, config) = serve(&[("SERVE_PROXY_TIMEOUT_HANDSHAKE", "2s")]);
    assert_eq!(honest(&running, &config), 200);
    let mut stopped = Vec::new();
    for number in 0..4 * EACH {
        let mut socket = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connection = ClientConnection::new(config.clone(), "localhost".to_owned().try_into().unwrap()).unwrap();
        let records = hello(&mut connection, 40);
        match number % 4 {
            0 => {}
            1 => socket.write_all(&records[0]).unwrap(),
            2 => socket.write_all(&records[..records.len() - 1].concat()).unwrap(),
            // Everything but what ends it.
            _ => {
                socket.write_all(&records.concat()).unwrap();
                socket.read_exact(&mut [0; 5]).unwrap();
            }
        }
        stopped.push(socket);
    }
    for _ in 0..5 {
        assert_eq!(honest(&running, &config), 200);
    }
    for mut socket in stopped {
        // Until the end of the connection, which a reset is, too.
        let _ = std::io::copy(&mut socket, &mut Cursor::new(vec![0; 64 * 1024]).get_mut());
    }
    running.until("the end of all", |running| running.metric("keyward_connections ") == Some(0.0));
    assert_eq!(honest(&running, &config), 200);
}

same_flaw!(handshakes_that_stop_are_given_up: cve_2026_26999_stalled, cve_2026_22045_stalled);

/// Envoy: a name in a certificate ended for the one at an octet that was a part of it for the authority.
fn a_name_with_an_end_inside_is_another_name() {
    let authority = Authority::new();
    let rows = [
        ("api.example", 200),
        ("api.example\0", 502),
        ("api.example\0.other.example", 502),
        ("\0api.example", 502),
        ("other.example\0api.example", 502),
        ("*\0.example", 502),
        ("*.example\0.other.example", 502),
    ];
    for (name, expected) in rows {
        let upstream = Recorder::start_tls(true, authority.server(&[name], &[]));
        let server = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules("https://api.example"));
        let ca = server.write("ca.pem", &authority.certificate);
        let running = server
            .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("api.example:443:127.0.0.1:{}", upstream.port))
            .start();
        assert_eq!(running.get("/x", &[("Host", "h")]).status(), expected, "{name:?}: {}", running.log());
        assert_eq!(upstream.take().len(), usize::from(expected == 200), "{name:?}");
    }
}

same_flaw!(a_name_with_an_end_inside_is_another_name: cve_2025_66220_names, cve_2026_47778_names);
