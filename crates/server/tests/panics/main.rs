//! A handler that panics, on a real core with real sockets: its request is answered and recorded, nothing else notices, and
//! nothing tells what it had in hand.

#![allow(clippy::unwrap_used)]

mod leaks;
mod stage;

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;

use keyward_server::metrics::exposition::Exposition;
use keyward_testkit::process::PATIENCE;
use keyward_testkit::wire::{Message, read_response};
use serde_json::json;

use self::stage::Core;

fn get(connection: &mut BufReader<TcpStream>, path: &str) -> Message {
    write!(connection.get_mut(), "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    read_response(connection, false).unwrap()
}

#[test]
fn a_panic_is_answered_in_the_usual_shape_and_the_connection_and_the_core_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let core = Core::start(directory.path(), |_| {});
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", core.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        BufReader::new(stream)
    };

    let (mut first, mut second) = (connect(), connect());
    for path in ["/at-once", "/later"] {
        let answer = get(&mut first, path);
        assert_eq!(answer.status(), 500, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let message = "An internal server error occurred, please contact the system administrator";
        assert_eq!(
            body,
            json!({"error": {"code": 500, "status": "Internal Server Error", "message": message}}),
            "{path}"
        );
        assert!(core.upstream.take().is_empty(), "{path}");
        // The same connection, one that was open before, and a new one.
        for connection in [&mut first, &mut second, &mut connect()] {
            assert_eq!(get(connection, "/fine").status(), 200, "after {path}");
        }
        core.upstream.take();
    }
    assert!(
        core.metrics.render(Exposition::Prometheus).contains("keyward_panics_total 2"),
        "{}",
        core.metrics.render(Exposition::Prometheus)
    );

    drop((first, second));
    core.end();
    let records = fs::read_to_string(directory.path().join("audit.log")).unwrap();
    let outcomes: Vec<(String, u64)> = records
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|record| record["path"] != "/fine")
        .map(|record| (record["outcome"].as_str().unwrap().to_owned(), record["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(outcomes, [("error".to_owned(), 500), ("error".to_owned(), 500)], "{records}");
}
