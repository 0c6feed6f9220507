//! What upstreams may answer, and how their connections end, against the real binary.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::ports::listener;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
";

fn keyward(upstream: &str) -> Keyward {
    let rules = format!(
        "- id: any\n  match: {{url: \"http://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"{upstream}\"}}\n"
    );
    // Connections are pooled per core.
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules).env("SERVE_PROXY_WORKERS", "1")
}

/// An upstream that answers everything with these bytes and keeps its connections; counts them.
fn canned(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let port = upstream(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        while !read_head(&mut stream).is_empty() && stream.write_all(answer.as_bytes()).is_ok() {}
    });
    (port, connections)
}

/// Two requests over one connection of a caller.
fn twice(running: &Running, fields: &str) -> Vec<wire::Message> {
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut answers = Vec::new();
    for _ in 0..2 {
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n").as_bytes()).unwrap();
        answers.push(wire::read_response(&mut reader, false).unwrap());
    }
    answers
}

#[test]
fn answers_have_one_length_or_are_none() {
    // Fields and body; the status and body that the caller gets, and connections used for two requests.
    let rows = [
        ("Content-Length: 5\r\n\r\nhello", 200, "hello", 1),
        ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", 1),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", 200, "0123456789", 2),
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 502, "", 2),
        ("Content-Length: 5, 5\r\n\r\nhello", 502, "", 2),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 502, "", 2),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 502, "", 2),
        // What follows an answer is never taken for the next one.
        ("Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", 200, "ok", 2),
    ];
    for (rest, status, body, used) in rows {
        let (port, connections) = canned(format!("HTTP/1.1 200 OK\r\n{rest}").leak());
        let running = keyward(&format!("http://127.0.0.1:{port}")).start();
        for answer in twice(&running, "") {
            assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{rest}");
            let lengths = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            assert!(lengths.count() <= 1, "{rest}: {:?}", answer.headers);
        }
        assert_eq!(connections.load(Ordering::SeqCst), used, "{rest}");
    }
}

#[test]
fn an_answer_with_trailers_is_whole_and_its_connection_is_used_again() {
    let (port, connections) = canned(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: v\r\n\r\n",
    );
    let running = keyward(&format!("http://127.0.0.1:{port}")).start();
    for fields in ["", "TE: trailers\r\nConnection: te\r\n"] {
        assert!(twice(&running, fields).iter().all(|answer| answer.text() == "hello"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert!(running.audit(4).iter().all(|record| record["outcome"] == "allowed"));
}

/// What a caller gets from an upstream that answers with these bytes, byte for byte.
fn raw(answer: &'static str, fields: &str) -> String {
    let (port, _) = canned(answer);
    let running = keyward(&format!("http://127.0.0.1:{port}")).start();
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n").as_bytes()).unwrap();
    String::from_utf8(wire::drain(&mut stream, 1024 * 1024)).unwrap()
}

#[test]
fn interim_answers_stay_behind() {
    for interim in ["100 Continue\r\n", "102 Processing\r\n", "103 Early Hints\r\nLink: </a>; rel=preload\r\n"] {
        let answer = format!("HTTP/1.1 {interim}\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let seen = raw(answer.leak(), "");
        assert!(seen.starts_with("HTTP/1.1 200 OK\r\n") && seen.ends_with("\r\n\r\nok"), "{interim}: {seen}");
    }
}

#[test]
fn trailers_are_for_callers_who_ask_for_them() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: v\r\n\r\n";
    assert!(raw(answer, "").ends_with("2\r\nok\r\n0\r\n\r\n"));
    assert!(raw(answer, "TE: trailers\r\n").ends_with("2\r\nok\r\n0\r\nx-t: v\r\n\r\n"));
}

#[test]
fn heads_of_answers_are_well_formed_and_of_limited_size() {
    let many = "X: y\r\n".repeat(101);
    let large = format!("X: {}\r\n", "y".repeat(600_000));
    for head in [
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n",
        "HTTP/1.1 200 OK\r\nX Y: z\r\n",
        "HTTP/2.0 200 OK\r\n",
        &format!("HTTP/1.1 200 OK\r\n{many}"),
        &format!("HTTP/1.1 200 OK\r\n{large}"),
    ] {
        let seen = raw(format!("{head}Content-Length: 2\r\n\r\nok").leak(), "");
        assert!(seen.starts_with("HTTP/1.1 502 "), "{head}: {seen}");
    }
}

#[test]
fn encodings_are_between_caller_and_upstream() {
    let recorder = Recorder::start(true);
    let running = keyward(&format!("http://127.0.0.1:{}", recorder.port)).start();
    for (fields, expected) in [(&[][..], vec![]), (&[("Accept-Encoding", "br")], vec!["br"])] {
        assert_eq!(running.request("GET", "/", fields, "").status(), 200);
        let call = recorder.take().remove(0);
        let lines = call["headers"].as_array().unwrap().iter().filter(|line| line[0] == "accept-encoding");
        assert_eq!(lines.map(|line| line[1].as_str().unwrap()).collect::<Vec<_>>(), expected);
    }
    let seen = raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\npacked", "");
    assert!(seen.contains("content-encoding: gzip\r\n") && seen.ends_with("packed"), "{seen}");
}

/// What an HTTP/2 upstream does with the second request of its first connection.
#[derive(Clone, Copy)]
enum Second {
    Cuts,
    NeverAnswers,
}

/// An HTTP/2 upstream over TLS; later connections answer everything.
fn http2_upstream(authority: &Authority, second: Second) -> u16 {
    use http_body_util::Empty;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let acceptor = tokio_rustls::TlsAcceptor::from(authority.server(&["api.example"], &[b"h2"]));
    let listener = listener();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut is_first = true;
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            let (spoils, served) = (std::mem::take(&mut is_first), Arc::new(AtomicUsize::new(0)));
            let cut = Arc::new(tokio::sync::Notify::new());
            let cuts = cut.clone();
            let service = hyper::service::service_fn(move |_| {
                let (number, cut) = (served.fetch_add(1, Ordering::SeqCst), cut.clone());
                async move {
                    if spoils && number == 1 {
                        if matches!(second, Second::Cuts) {
                            cut.notify_one();
                        }
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<bytes::Bytes>::new()))
                }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                tokio::select! {
                    _ = connection => {}
                    () = cuts.notified() => {}
                }
            });
        }
    };
    thread::spawn(move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve));
    port
}

#[test]
fn an_http2_connection_that_fails_is_replaced() {
    // The time limit is what the last row waits for, and long enough for what does answer on a busy machine.
    for (second, method, limit, expected) in [
        (Second::Cuts, "GET", "10s", [200, 200, 200]),
        (Second::Cuts, "POST", "10s", [200, 502, 200]),
        (Second::NeverAnswers, "GET", "3s", [200, 504, 200]),
    ] {
        let authority = Authority::new();
        let port = http2_upstream(&authority, second);
        let server = keyward("https://api.example");
        let ca = server.write("ca.pem", &authority.certificate);
        let running = server
            .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
            .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("api.example:443:127.0.0.1:{port}"))
            .env("SERVE_PROXY_UPSTREAM_RESPONSE_HEADER_TIMEOUT", limit)
            .start();
        let statuses = [(); 3].map(|()| running.request(method, "/", &[], "").status());
        assert_eq!(statuses, expected, "{method}: {}", running.log());
    }
}

#[test]
fn a_caller_that_leaves_before_the_answer_cancels_the_request_and_is_recorded_as_gone() {
    let (left, leaves) = std::sync::mpsc::channel();
    let port = upstream(move |mut stream| {
        read_head(&mut stream);
        left.send(()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The end of the connection is the cancellation.
        if read_head(&mut stream).is_empty() {
            left.send(()).unwrap();
        }
    });
    let running = keyward(&format!("http://127.0.0.1:{port}")).start();
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    leaves.recv_timeout(PATIENCE).unwrap();
    drop(stream);
    leaves.recv_timeout(PATIENCE + Duration::from_secs(1)).unwrap();
    let record = &running.audit(1)[0];
    assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"caller_gone".into()));
    assert_eq!(record["status"], 499);
}
