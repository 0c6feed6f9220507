//! Bodies.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};

use keyward_testkit::process::PATIENCE;
use keyward_testkit::scripted::{read_head, upstream};
use keyward_testkit::wire;

use crate::{SECRET, answering, assert_refused, keyward, raw};

/// Fields, the body in its pieces, and whether it is overwritten.
const ROWS: [(&str, &[&str], bool); 13] = [
    ("Content-Type: application/json\r\n", &["{\"a\":\"Bearer s3cr3t/value+0123\"}"], true),
    ("Content-Type: application/json\r\n", &["{\"a\":\"s3cr3t\\/value+0123\"}"], true),
    ("Content-Type: application/json\r\n", &["{\"a\":\"s3cr", "3t/value+0123\"}"], true),
    ("Content-Type: application/json\r\n", &["{\"a\":\"s3cr3t\\u002", "fvalue\\u002b0", "123\"}"], true),
    ("Content-Type: text/html; charset=utf-8\r\n", &["<p>s3cr3t&#x2F;val", "ue&#43;0123</p>"], true),
    ("Content-Type: application/problem+json\r\n", &["{\"detail\":\"s3cr3t/value+0123\"}"], true),
    ("Content-Type: application/x-www-form-urlencoded\r\n", &["t=s3cr3t%2Fvalue%2B0123"], true),
    ("", &["s3cr3t/value+0123"], true),
    ("Content-Type: application/json\r\n", &["{\"a\":\"s3cr3t/value+012", "4\"}"], false),
    ("Content-Type: application/json\r\n", &["{\"a\":\"s3cr3t/value+"], false),
    ("Content-Type: application/octet-stream\r\n", &["s3cr3t/value+0123"], false),
    ("Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", &["s3cr3t/value+0123"], false),
    ("Content-Type: text/plain\r\nContent-Encoding: identity\r\n", &["s3cr3t/value+0123"], true),
];

/// A body by its length, in chunks, or up to the end of the connection, in the pieces in which it is written.
fn pieces(status: &str, fields: &str, body: &[&str], framing: &str) -> Vec<String> {
    let length: usize = body.iter().map(|piece| piece.len()).sum();
    let mut all = vec![match framing {
        "length" => format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n"),
        _ => format!("HTTP/1.1 {status}\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"),
    }];
    for piece in body {
        all.push(match framing {
            "length" => (*piece).to_owned(),
            _ => format!("{:x}\r\n{piece}\r\n", piece.len()),
        });
    }
    if framing == "chunks" {
        all.push("0\r\n\r\n".to_owned());
    }
    all
}

/// The body of an answer, out of its chunks.
fn body(seen: &str) -> String {
    let (head, mut rest) = seen.split_once("\r\n\r\n").unwrap();
    if !head.contains("transfer-encoding: chunked") {
        return rest.to_owned();
    }
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

#[test]
fn the_credential_is_overwritten_in_text_and_the_length_stays_true() {
    for (fields, parts, holds) in ROWS {
        for framing in ["length", "chunks"] {
            let all = pieces("500 Internal Server Error", fields, parts, framing);
            let (upstream, _) = answering(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let running = keyward(&upstream, "").start();
            let seen = body(&raw(&running, "GET", "/bearer", ""));
            let whole = parts.concat();
            assert_eq!(seen.len(), whole.len(), "{framing} {whole}: {seen}");
            assert_eq!(seen != whole && seen.contains("************"), holds, "{framing} {whole}: {seen}");
            let count = running.metric("keyward_credential_echoes_total{place=\"body\",action=\"removed\"}");
            assert_eq!(count, holds.then_some(1.0), "{framing} {whole}");
            let record = running.audit(1).remove(0);
            assert_eq!(record["outcome"], "allowed");
            assert_eq!(record["reason"] == "credential_echoed", holds, "{record}");
        }
    }
}

#[test]
fn an_answer_whose_body_holds_the_credential_can_be_refused_or_passed() {
    for (fields, parts, holds) in ROWS {
        for framing in ["length", "chunks"] {
            let all = pieces("200 OK", fields, parts, framing);
            let (upstream, _) = answering(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let running = keyward(&upstream, "bodies: refuse").start();
            let seen = raw(&running, "GET", "/bearer", "");
            if holds {
                assert_refused(&running, &seen, fields);
            } else {
                assert_eq!(body(&seen), parts.concat(), "{framing} {fields}");
            }
        }
        let all = pieces("200 OK", fields, parts, "length");
        let (upstream, _) = answering(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(body(&raw(&keyward(&upstream, "bodies: off").start(), "GET", "/bearer", "")), parts.concat());
    }
}

#[test]
fn only_the_beginning_of_a_body_is_looked_into() {
    // Where the value begins, and whether it is found.
    for (begins, found) in [(99, true), (100, false), (70_000, false)] {
        let text = format!("{}{SECRET}{}", "-".repeat(begins), "-".repeat(100_000));
        let all = pieces("200 OK", "Content-Type: text/plain\r\n", &[&text], "length");
        let (upstream, _) = answering(&all.iter().map(String::as_str).collect::<Vec<_>>());
        for action in ["remove", "refuse"] {
            let running = keyward(&upstream, &format!("bodies: {action}, body_bytes: 100")).start();
            let seen = raw(&running, "GET", "/bearer", "");
            assert_eq!(seen.contains(SECRET), !found, "{action} {begins}");
            assert_eq!(seen.starts_with("HTTP/1.1 502"), found && action == "refuse", "{action} {begins}");
            assert!(action == "refuse" || body(&seen).len() == text.len(), "{begins}");
        }
    }
}

#[test]
fn a_stream_of_events_is_not_held_up_and_breaks_when_it_has_to_be_refused() {
    let fields = "Content-Type: text/event-stream\r\n";
    let echo = format!("data: {SECRET}\n\n");
    let all = pieces("200 OK", fields, &["data: 1\n\n", &echo, "data: 2\n\n"], "chunks");
    let (upstream, _) = answering(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let running = keyward(&upstream, "").start();
    assert_eq!(body(&raw(&running, "GET", "/bearer", "")), "data: 1\n\ndata: *****************\n\ndata: 2\n\n");
    let running = keyward(&upstream, "bodies: refuse").start();
    let seen = raw(&running, "GET", "/bearer", "");
    assert!(seen.ends_with("data: 1\n\n\r\n"), "it breaks before its end: {seen}");
    let record = running.audit(1).remove(0);
    assert_eq!((&record["outcome"], &record["reason"]), (&"error".into(), &"credential_echoed".into()));
}

/// Neither more of it nor its end: it may go on for ever.
#[test]
fn an_answer_that_may_be_refused_waits_for_no_more_than_is_looked_into() {
    // Where the value may begin, and what it may take, each byte written in ten.
    let examined = 100 + SECRET.len() * 10;
    for first in [examined, examined + 30] {
        let (go, goes) = mpsc::channel();
        let goes = Arc::new(Mutex::new(goes));
        let port = upstream(move |mut stream| {
            read_head(&mut stream);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n";
            stream.write_all(format!("{head}{}", "-".repeat(first)).as_bytes()).unwrap();
            goes.lock().unwrap().recv().unwrap();
            stream.write_all("-".repeat(1000 - first).as_bytes()).unwrap();
        });
        let running = keyward(&format!("http://127.0.0.1:{port}"), "bodies: refuse, body_bytes: 100").start();
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /bearer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200 "), "{first}: {head}");
        go.send(()).unwrap();
        assert_eq!(wire::drain(&mut stream, 4 * 1024).len(), 1000, "{first}");
    }
}
