//! What a caller sends comes out of logs and records as data, and as one line.

use keyward_testkit::same_flaw;

use crate::stage::Stage;

/// Envoy, Envoy Gateway, tracing-subscriber: text of a request was a line, or a command, of the log.
fn what_callers_send_is_data() {
    let stage = Stage::start_with("log: {level: debug}");
    let rows = [
        "GET /nothing/%0a%0dlevel=error HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: api.example\r\nUser-Agent: \u{1b}[31mred\u{1b}[0m\r\n\r\n",
        "GET /public/\"},{\"decision\":\"allowed HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: api.example\r\nX-Request-Id: a\",\"b\":\"\u{1b}]0;x\u{7}\r\n\r\n",
        "M\u{1b}[2J /public/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
    ];
    for request in rows {
        stage.play(request.as_bytes());
    }
    let records = stage.running.audit(rows.len());
    assert_eq!(records.len(), rows.len(), "{records:?}");
    let log = stage.running.log();
    for line in log.lines().chain(std::fs::read_to_string(stage.running.path("audit.log")).unwrap().lines()) {
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }
    assert!(!log.lines().any(|line| line.starts_with("level=error")), "{log}");
}

same_flaw!(what_callers_send_is_data:
    cve_2024_45808_log_injection,
    cve_2025_25294_log_injection,
    rustsec_2025_0055_log_injection,
);
