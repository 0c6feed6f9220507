//! Request framing over raw sockets: published and own vectors against the real binary, in front of an
//! upstream that records what reaches it.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::hostile::{Expected, guardian, llhttp};
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::wire;
use serde_json::Value;

const CONFIG: &str = "
authenticators: {noop: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
log: {level: error}
";

fn serve() -> (Running, Recorder) {
    let upstream = Recorder::start(true);
    let rules = format!(
        "- id: any\n  match: {{url: \"<https?>://<[^/]*><.*>\", methods: [GET, POST, PUT, HEAD, DELETE, PATCH, OPTIONS]}}\n  \
         authenticators: [{{handler: noop}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
        upstream.port
    );
    (Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules).start(), upstream)
}

/// What became of some bytes on a connection.
struct Outcome {
    /// The first answer's status; 0 when the connection ended without one.
    status: u16,
    /// Whether the connection was closed after it.
    closed: bool,
    /// What reached the upstream.
    upstream: Vec<Value>,
}

fn play(running: &Running, upstream: &Recorder, bytes: &[u8]) -> Outcome {
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    // The proxy may have answered and closed before everything was sent.
    let _ = stream.write_all(bytes);
    let mut reader = BufReader::new(stream);
    let status = wire::read_response(&mut reader, false).map_or(0, |answer| answer.status());
    let mut rest = [0; 1];
    let closed = match reader.read(&mut rest) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    };
    Outcome { status, closed, upstream: upstream.take() }
}

fn refused(outcome: &Outcome) -> bool {
    outcome.closed && outcome.upstream.is_empty() && (outcome.status == 0 || (400..=501).contains(&outcome.status))
}

/// `vectors/own/framing-lines.json`: 682 spoiled framing lines.
#[test]
fn spoiled_framing_lines() {
    let (running, upstream) = serve();
    let vectors: Value = serde_json::from_str(include_str!("../../../vectors/own/framing-lines.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 682);
    let mut wrong = Vec::new();
    for case in cases {
        let line = STANDARD.decode(case["line_b64"].as_str().unwrap()).unwrap();
        let is_length = line.to_ascii_lowercase().windows(6).any(|part| part == b"length");
        let body: &[u8] = if is_length { b"hello" } else { b"5\r\nhello\r\n0\r\n\r\n" };
        let head = b"POST /v1/echo HTTP/1.1\r\nHost: h\r\n";
        let outcome = play(&running, &upstream, &[head, &line[..], b"\r\n\r\n", body].concat());
        let forwarded = outcome.upstream.len() == 1 && outcome.upstream[0]["body"] == "hello";
        let right = match case["expect"].as_str().unwrap() {
            "reject" => refused(&outcome),
            "chunked" => forwarded && outcome.status == 200,
            "drop-or-reject" => !outcome.upstream.iter().any(|seen| seen.to_string().contains("ransfer_")),
            _ => refused(&outcome) || forwarded,
        };
        if !right {
            let seen = outcome.upstream.len();
            wrong.push(format!(
                "{} ({}): {} closed {} upstream {seen}",
                case["name"], case["expect"], outcome.status, outcome.closed
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// Compliant requests that are refused all the same, with the reason.
const REFUSED_THOUGH_COMPLIANT: &[(&str, &str)] = &[
    ("Correct TE OK", "transfer codings other than chunked alone: two readers could disagree"),
    ("Transfer-Encoding: identity and chunked OK", "as above"),
    ("Multiple transfer encoding headers in a single request OK", "as above"),
    ("TE with custom parameters OK", "as above"),
    ("Different Transfer-Encoding headers", "as above"),
    ("Different Transfer-Encoding headers combined", "as above"),
    ("Transfer-Encoding with a param: chunked;custom_param", "as above"),
    ("Large Size OK", "announces more than the test sends: the proxy still waits for the body"),
    ("Compliant URL", "RFC 3986 does not allow raw quotes, angle brackets or a fragment in a target"),
    ("Empty URI", "RFC 9112 section 3: the target is not optional"),
    ("%09 in URI is OK", "encoded control characters in a path"),
    ("%0D in URI is OK", "as above"),
    ("%0A in URI is OK", "as above"),
];

/// `vectors/http-desync-guardian`: severe requests are refused and the connection closed, compliant ones
/// forwarded, whatever is between either refused or forwarded as one request.
#[test]
fn http_desync_guardian() {
    let (running, upstream) = serve();
    let (mut played, mut wrong) = (0, Vec::new());
    for (file, text) in guardian::FILES {
        let document = keyward_server::config::yaml::parse(text, file, keyward_server::config::yaml::Dialect::Core);
        let cases = keyward_core::document::to_json(&document.unwrap());
        for case in cases.as_array().unwrap() {
            played += 1;
            let tier = case["expected"]["tier"].as_str().unwrap();
            let outcome = play(&running, &upstream, &guardian::request(case));
            let right = match tier {
                "Severe" => refused(&outcome),
                "Compliant" => outcome.upstream.len() == 1 && outcome.status == 200,
                _ => refused(&outcome) || outcome.upstream.len() <= 1,
            };
            let name = case["name"].as_str().unwrap_or_default();
            let nothing = refused(&outcome) || (outcome.status == 0 && outcome.upstream.is_empty());
            let listed = REFUSED_THOUGH_COMPLIANT.iter().any(|(listed, _)| *listed == name) && nothing;
            if !right && !listed {
                let seen = outcome.upstream.len();
                wrong.push(format!(
                    "{file}: {name} ({tier}): {} closed {} upstream {seen}\n{:?}",
                    outcome.status,
                    outcome.closed,
                    String::from_utf8_lossy(&guardian::request(case)).chars().take(300).collect::<String>()
                ));
            }
        }
    }
    assert_eq!(played, 159);
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn llhttp_strict_errors() {
    let (running, upstream) = serve();
    let attempts = llhttp::attempts();
    let mut wrong = Vec::new();
    for attempt in &attempts {
        let outcome = play(&running, &upstream, &attempt.bytes);
        if attempt.expected == Expected::Refused && !outcome.upstream.is_empty() {
            let (status, shown) = (outcome.status, String::from_utf8_lossy(&attempt.bytes));
            let name = &attempt.name;
            wrong.push(format!("{name}: {status} closed {} {:?}\n{shown:?}", outcome.closed, outcome.upstream));
        }
    }
    assert!(attempts.len() > 50, "{} cases", attempts.len());
    assert!(wrong.is_empty(), "{} of {} wrong\n{}", wrong.len(), attempts.len(), wrong.join("\n"));
}
