//! The life of callers' connections at the real binary: how they begin, wait, change and end.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::http2_frames::{END_STREAM, Frame, GOAWAY, PREFACE, SETTINGS, frame, headers};
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::wire;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn rules(upstream: u16) -> String {
    format!(
        "- id: any\n  match: {{url: \"http://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\", upgrade: [websocket]}}\n"
    )
}

fn keyward(upstream: u16) -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules(upstream))
}

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits for the other side to close or reset; false when it does neither.
fn ends(stream: &mut TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

/// An upstream that switches protocols and sends back what it gets.
fn switching() -> u16 {
    upstream(|mut stream| {
        read_head(&mut stream);
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(answer).unwrap();
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            stream.write_all(&bytes[..count]).unwrap();
        }
    })
}

#[test]
fn connections_that_ask_for_nothing_do_not_hold_up_the_drain() {
    let mut running = keyward(1).env("SERVE_PROXY_SHUTDOWN_TIMEOUT", "60s").start();
    let silent = [connect(&running), connect(&running)];
    // The first byte of `POST`, or of HTTP/2's preface.
    (&silent[1]).write_all(b"P").unwrap();
    running.until("accepting both", |running| running.metric("keyward_connections ") == Some(2.0));
    running.signal("TERM");
    assert!(running.wait().success());
}

#[test]
fn beginnings_that_could_be_either_protocol_are_limited_in_time() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_TIMEOUT_HEADER", "300ms").start();
    let mut stream = connect(&running);
    stream.write_all(b"P").unwrap();
    assert!(ends(&mut stream));
    // In pieces, but in time.
    let mut stream = connect(&running);
    for piece in ["P", "OST / HTTP/1.1\r\n", "Host: h\r\nContent-Length: 1\r\n\r\nx"] {
        stream.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
}

/// Each in the version of HTTP that it speaks, with an end that lets it read that.
#[test]
fn who_finds_every_place_taken_is_told_in_its_own_version() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_LIMITS_CONNECTIONS", "1").start();
    running.until("nobody's being connected", |running| running.metric("keyward_connections ") == Some(0.0));
    let _taken = connect(&running);
    running.until("taking the place", |running| running.metric("keyward_connections ") == Some(1.0));
    let settings = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &headers(1, END_STREAM, &[(":method", "GET")])].concat();
    for (said, is_http2) in [(&settings[..], true), (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false), (b"", false)] {
        let mut stream = connect(&running);
        stream.write_all(said).unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        if !is_http2 {
            assert!(heard.starts_with(b"HTTP/1.1 503 ") && heard.ends_with(b"\r\n\r\n"), "{heard:?}");
            continue;
        }
        let mut reader = &heard[..];
        let frames = [Frame::read(&mut reader).unwrap(), Frame::read(&mut reader).unwrap()];
        assert_eq!(frames.each_ref().map(|frame| frame.kind), [SETTINGS, GOAWAY]);
        assert_eq!((frames[1].number(0), frames[1].number(4), reader.len()), (0, 0, 0));
    }
    assert_eq!(running.metric("keyward_connections_shed_total{reason=\"open\"}"), Some(3.0));
    assert!(recorder.take().is_empty());
}

#[test]
fn http2_connections_end_when_idle() {
    use http_body_util::Empty;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).env("SERVE_PROXY_TIMEOUT_IDLE", "200ms").start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", running.proxy)).await.unwrap();
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        let ended = tokio::spawn(connection);
        let request = http::Request::get("http://h/").body(Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        // It still could send: only the server can have ended it.
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap();
        drop(sender);
    });
}

/// hyper does not hold connections that have been quiet for a while.
/// Longer than it takes until a connection on which nothing comes is put to rest.
#[test]
fn a_head_that_takes_seconds_is_waited_for_on_a_kept_connection_too() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    let mut stream = connect(&running);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for pieces in [&["GET / HTTP/1.1\r\nHost: h\r\n\r\n"][..], &["GET / HTTP/1.1\r\nHo", "st: h\r\n\r\n"]] {
        for (number, piece) in pieces.iter().enumerate() {
            std::thread::sleep(Duration::from_secs(if number == 0 { 0 } else { 6 }));
            stream.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(wire::read_response(&mut reader, false).unwrap().status(), 200, "{pieces:?}");
    }
}

#[test]
fn connections_that_have_rested_are_served_again_and_end_with_the_drain() {
    const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    // They rest after two looks, of which there are four in the limit.
    let rest = || std::thread::sleep(Duration::from_millis(2500));
    let start = |server: Keyward| {
        server.env("SERVE_PROXY_TIMEOUT_IDLE", "4s").env("SERVE_PROXY_SHUTDOWN_TIMEOUT", "60s").start()
    };
    let recorder = Recorder::start(true);
    let authority = Authority::new();
    let secure = keyward(recorder.port).with_tls(&authority);
    secure.write("rules.yaml", &rules(recorder.port).replace("http://<[^/]*>", "https://<[^/]*>"));
    let mut secure = start(secure);
    let mut plain = start(keyward(recorder.port));

    // What each sends, one after the other, and how often that is answered.
    let sent: [(&[&str], usize); 3] = [(&[GET], 1), (&["GE", &GET[2..]], 1), (&[GET, GET], 2)];
    let mut callers = sent.map(|row| (connect(&plain), row));
    let mut secret = TlsClient::connect(secure.proxy, &authority.client(&[b"http/1.1"]), PATIENCE).unwrap();
    for _ in 0..2 {
        for (stream, (pieces, answers)) in &mut callers {
            for piece in *pieces {
                stream.write_all(piece.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            let mut reader = BufReader::new(stream);
            for _ in 0..*answers {
                assert_eq!(wire::read_response(&mut reader, false).unwrap().status(), 200, "{pieces:?}");
            }
        }
        assert_eq!(secret.get("/", "h").unwrap().status(), 200);
        rest();
    }
    for running in [&mut plain, &mut secure] {
        running.signal("TERM");
        assert!(running.wait().success());
    }
    assert!(callers.iter_mut().all(|(stream, _)| ends(stream)));
}

#[test]
fn a_caller_that_does_not_read_is_cut_off() {
    let port = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let running = keyward(port).env("SERVE_PROXY_UPSTREAM_STREAM_IDLE_TIMEOUT", "300ms").start();
    let mut stream = connect(&running);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let record = &running.audit(1)[0];
    assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"stream_broken".into()));
    assert!(ends(&mut stream));
}

#[test]
fn an_upgraded_connection_counts_as_long_as_it_lasts() {
    let mut running = keyward(switching())
        .env("SERVE_PROXY_LIMITS_CONNECTIONS", "1")
        .env("SERVE_PROXY_SHUTDOWN_TIMEOUT", "60s")
        .start();
    // The connection that saw it start may still count.
    let opened = || {
        let mut stream = connect(&running);
        stream.write_all(UPGRADE).unwrap();
        read_head(&mut stream).starts_with("HTTP/1.1 101").then_some(stream)
    };
    let mut tunnel = std::iter::repeat_with(opened).take(1000).flatten().next().unwrap();
    assert_eq!(running.get("/", &[]).status(), 503);
    // The drain waits for it.
    running.signal("TERM");
    running.until("the end of listening", |running| TcpStream::connect(("127.0.0.1", running.proxy)).is_err());
    tunnel.write_all(b"ping").unwrap();
    let mut pong = [0; 4];
    tunnel.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"ping");
    drop(tunnel);
    assert!(running.wait().success());
    assert_eq!(running.audit(1)[0]["outcome"], "allowed");
}

#[test]
fn data_sent_before_the_switch_does_not_count_as_a_slow_head_after_it() {
    let running = keyward(switching()).env("SERVE_PROXY_TIMEOUT_HEADER", "200ms").start();
    let mut tunnel = connect(&running);
    tunnel.write_all(&[UPGRADE, b"early"].concat()).unwrap();
    assert!(read_head(&mut tunnel).starts_with("HTTP/1.1 101"));
    let mut bytes = [0; 5];
    tunnel.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"early");
    // Quiet for longer than a head may take.
    std::thread::sleep(Duration::from_millis(600));
    tunnel.write_all(b"later").unwrap();
    tunnel.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"later");
}

#[test]
fn broken_chunks_get_an_answer_even_beside_their_head() {
    let recorder = Recorder::start(true);
    let running = keyward(recorder.port).start();
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in ["5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5 ;\nhello\r\n0\r\n\r\n", "zz\r\n"] {
        // A sound request before it is served, in the same bytes.
        let mut stream = connect(&running);
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: h\r\n\r\n{head}{body}").as_bytes()).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let statuses = [(); 2].map(|()| wire::read_response(&mut reader, false).unwrap().status());
        assert_eq!(statuses, [200, 400], "{body:?}");
        assert!(ends(&mut stream), "{body:?}");
        assert_eq!(recorder.take().len(), 1, "{body:?}");
    }
}

#[test]
fn a_caller_in_the_middle_of_its_body_gets_to_read_the_refusal() {
    let running = keyward(1).start();
    let length = 32 << 20;
    let mut stream = connect(&running);
    stream.write_all(format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n").as_bytes()).unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 404"));
    // A close now would be a reset.
    stream.write_all(&vec![b'x'; length / 2]).unwrap();
    assert!(ends(&mut stream));
}

/// Out of their limits, connections of the API port end; so do those whose framing can be read in two ways.
#[test]
fn the_api_port_keeps_to_its_limits() {
    let keyward = keyward(1).env("SERVE_API_TIMEOUT_READ", "500ms").env("SERVE_API_TIMEOUT_IDLE", "1s").start();
    // (what is sent, what is answered before the end)
    let rows: [(&[u8], &[u16]); 9] = [
        (b"", &[]),
        (b"GET /health/alive HTTP/1.0\r\n\r\n", &[200]),
        (b"GET /health/alive HTTP/1.1\r\n\r\n", &[400]),
        (b"GET /health/alive HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", &[400]),
        (b"GET /health/al", &[]),
        (b"GET /health/alive HTTP/1.1\r\nHost: h\r\n\r\n", &[200]),
        (b"GET /health/alive HTTP/1.1\r\nHost: h\r\n\r\nGET /health/alive HTTP/1.1\r\nHost", &[200]),
        (
            b"GET /decisions HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400],
        ),
        (b"GET /health/alive HTTP/1.1\r\nHost: h\r\n\r\nGET /decisions HTTP/1.1\nHost: h\r\n\r\n", &[200, 400]),
    ];
    for (request, expected) in rows {
        let mut stream = TcpStream::connect(("127.0.0.1", keyward.api)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for status in expected {
            assert_eq!(
                wire::read_response(&mut reader, false).unwrap().status(),
                *status,
                "{}",
                request.escape_ascii()
            );
        }
        assert!(ends(&mut stream), "{}", request.escape_ascii());
    }
}
