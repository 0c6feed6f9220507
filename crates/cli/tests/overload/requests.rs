//! `serve.proxy.limits.requests`: so many in flight, and no more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::scripted::{read_head, upstream};
use serde_json::Value;

use super::gate::Gate;
use super::keyward;

const LIMIT: usize = 32;
const OFFERED: usize = 3 * LIMIT;

/// An answer: status, `Retry-After`, body.
type Answer = (u16, Option<String>, String);

/// Sends all at once, half of them as HTTP/1.1 on connections of their own, half as streams of one HTTP/2 connection.
fn send_all(running: &Running, count: usize) -> Receiver<Answer> {
    let (sender, answers) = channel();
    let port = running.proxy;
    for _ in 0..count / 2 {
        let sender = sender.clone();
        thread::spawn(move || {
            let request = format!("GET /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
            let answer = keyward_testkit::wire::exchange(port, request.as_bytes(), PATIENCE).unwrap();
            let retry_after = answer.header("retry-after").map(str::to_owned);
            sender.send((answer.status(), retry_after, answer.text())).unwrap();
        });
    }
    thread::spawn(move || streams(port, count - count / 2, &sender));
    answers
}

fn streams(port: u16, count: usize, answers: &Sender<Answer>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut exchanges = tokio::task::JoinSet::new();
        for _ in 0..count {
            let (mut sender, answers) = (sender.clone(), answers.clone());
            exchanges.spawn(async move {
                let request = http::Request::get(format!("http://127.0.0.1:{port}/x"));
                let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
                let (head, body) = answer.into_parts();
                let retry_after = head.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
                let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
                answers.send((head.status.as_u16(), retry_after, body)).unwrap();
            });
        }
        exchanges.join_all().await;
    });
}

#[test]
fn of_three_times_as_many_requests_as_may_be_in_flight_exactly_those_are_served() {
    let gate = Gate::default();
    let running = keyward(gate.upstream()).env("SERVE_PROXY_LIMITS_REQUESTS", &LIMIT.to_string()).start();
    let mut records = 0;
    for round in 1..=2 {
        gate.set_open(false);
        let answers = send_all(&running, OFFERED);
        // Nobody lets the others finish before all that are too many have been told.
        for _ in LIMIT..OFFERED {
            let (status, retry_after, body) = answers.recv_timeout(PATIENCE).unwrap();
            assert_eq!((status, retry_after.as_deref()), (503, Some("1")), "{body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (&body["error"]["code"], &body["error"]["status"]),
                (&503.into(), &"Service Unavailable".into())
            );
        }
        gate.until_waiting(LIMIT);
        assert_eq!(running.metric("keyward_requests_in_flight "), Some(LIMIT as f64));
        gate.set_open(true);
        let served: Vec<Answer> = answers.iter().collect();
        assert_eq!(served, vec![(200, None, "done".to_owned()); LIMIT]);
        // All of them have ended: there is room for as many again.
        assert!(send_all(&running, LIMIT).iter().all(|answer| answer.0 == 200));
        let state = gate.state();
        assert_eq!((state.most, state.seen), (LIMIT, round * 2 * LIMIT));
        records += OFFERED + LIMIT;
    }
    let shed = 2 * (OFFERED - LIMIT);
    let audit = running.audit(records);
    let refused = audit.iter().filter(|record| record["reason"] == "overloaded");
    let is_complete = |record: &Value| {
        (&record["status"], &record["outcome"], &record["path"]) == (&503.into(), &"error".into(), &"/x".into())
            && record["rule_id"].is_null()
    };
    assert_eq!(refused.filter(|record| is_complete(record)).count(), shed);
    assert_eq!(audit.iter().filter(|record| record["outcome"] == "allowed").count(), records - shed);
    for (metric, expected) in [
        ("keyward_requests_shed_total{reason=\"in_flight\"}", shed),
        ("keyward_requests_shed_total{reason=\"queue\"}", 0),
        ("keyward_requests_shed_total{reason=\"audit\"}", 0),
        ("keyward_requests_in_flight ", 0),
        ("keyward_rule_requests_total{rule=\"any\",outcome=\"allowed\"}", records - shed),
    ] {
        assert_eq!(running.metric(metric), Some(expected as f64), "{metric}");
    }
    running.until("a warning", |running| running.log().contains("serve.proxy.limits.requests"));
}

/// Until the last byte of an answer has passed, and until an upgraded connection has ended.
#[test]
fn answers_that_stream_and_upgraded_connections_are_in_flight() {
    let port = upstream(|mut stream| {
        let head = read_head(&mut stream);
        let answer: &[u8] = if head.starts_with("GET /socket") {
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        } else if head.starts_with("GET /stream") {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        };
        stream.write_all(answer).unwrap();
        // Until the other side has had enough.
        let _ = stream.read(&mut [0; 16]);
    });
    let running = keyward(port).env("SERVE_PROXY_LIMITS_REQUESTS", "2").start();
    let begin = |path: &str, more: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n").as_bytes()).unwrap();
        (read_head(&mut stream), stream)
    };
    let (head, streaming) = begin("/stream", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (head, upgraded) = begin("/socket", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(running.get("/plain", &[]).status(), 503);
    for ended in [streaming, upgraded] {
        drop(ended);
        running.until("room", |running| running.get("/plain", &[]).status() == 200);
        assert_eq!(begin("/stream", "").0.split(' ').nth(1), Some("200"));
        running.until("both ended", |running| running.metric("keyward_requests_in_flight ").unwrap() < 2.0);
    }
}
