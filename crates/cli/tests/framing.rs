//! Request framing over raw sockets: published and own vectors against the real binary, in front of an
//! upstream that records what reaches it.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward_testkit::conformance::recorder::Recorder;
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

macro_rules! guardian {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../vectors/http-desync-guardian/", $name, ".yaml")))),*]
    };
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
    let files = guardian!(
        "acceptable",
        "ambiguous",
        "bad-header-characters",
        "edge-cases",
        "more-compliant-tests",
        "real-life-test-cases",
        "rfc-compliant",
        "severe",
        "single-case",
        "uri-specific-test-cases"
    );
    let (mut played, mut wrong) = (0, Vec::new());
    for (file, text) in files {
        let document = keyward_server::config::yaml::parse(text, file, keyward_server::config::yaml::Dialect::Core);
        let cases = keyward_core::document::to_json(&document.unwrap());
        for case in cases.as_array().unwrap() {
            played += 1;
            let tier = case["expected"]["tier"].as_str().unwrap();
            let outcome = play(&running, &upstream, &request(case));
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
                    String::from_utf8_lossy(&request(case)).chars().take(300).collect::<String>()
                ));
            }
        }
    }
    assert_eq!(played, 159);
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The bytes of a case: `Host` where none is given, and the body that its framing announces.
fn request(case: &Value) -> Vec<u8> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let version = text(&case["version"]);
    let mut head = format!("{} {} {version}\r\n", text(&case["method"]), text(&case["uri"]));
    let headers: Vec<(String, String)> = case["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|header| {
            (text(&header["name"]), if header["value"].is_null() { String::new() } else { text(&header["value"]) })
        })
        .collect();
    let value_of = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    if value_of("host").is_none() {
        head.push_str("Host: h\r\n");
    }
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut bytes = wire::latin1_bytes(&head);
    match (value_of("transfer-encoding"), value_of("content-length").and_then(|length| length.parse::<usize>().ok())) {
        (Some(_), _) => bytes.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n"),
        (None, Some(length)) if length < 100_000 => bytes.resize(bytes.len() + length, b'x'),
        _ => {}
    }
    bytes
}

/// Strict request blocks of `vectors/llhttp/request` that end in an error.
fn llhttp_errors(text: &str) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut title, mut meta) = (Vec::new(), String::new(), String::new());
    let mut blocks = text.split("\n").peekable();
    while let Some(line) = blocks.next() {
        if let Some(heading) = line.strip_prefix('#') {
            title = heading.trim_start_matches('#').trim().to_owned();
        } else if line.starts_with("<!-- meta=") {
            line.clone_into(&mut meta);
        } else if line == "```http" {
            let lines: Vec<&str> = blocks.by_ref().take_while(|line| *line != "```").collect();
            let log: Vec<&str> = blocks
                .by_ref()
                .skip_while(|line| *line != "```log")
                .skip(1)
                .take_while(|line| *line != "```")
                .collect();
            let is_strict_request = meta.contains("\"type\": \"request\"") && !meta.contains("lenient");
            if is_strict_request && log.iter().any(|line| line.contains("error code=")) {
                found.push((title.clone(), llhttp_bytes(&lines)));
            }
        }
    }
    found
}

/// Lines are joined by CRLF; a backslash at an end continues, and `\\r`, `\\n`, `\\t`, `\\f`, `\\xNN` are octets.
fn llhttp_bytes(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let (line, continues) = line.strip_suffix('\\').map_or((*line, false), |line| (line, true));
        let mut rest = line.as_bytes();
        while let [first, others @ ..] = rest {
            let (octet, used) = match (first, others) {
                (b'\\', [b'r', ..]) => (b'\r', 2),
                (b'\\', [b'n', ..]) => (b'\n', 2),
                (b'\\', [b't', ..]) => (b'\t', 2),
                (b'\\', [b'f', ..]) => (0x0c, 2),
                (b'\\', [b'x', high, low, ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    (u8::from_str_radix(digits, 16).unwrap(), 4)
                }
                (other, _) => (*other, 1),
            };
            bytes.push(octet);
            rest = &rest[used..];
        }
        if !continues && index + 1 < lines.len() {
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Blocks that llhttp calls an error for reasons that are none here.
const NO_ERROR_HERE: &[(&str, &str)] = &[
    ("CRLF between requests, explicit `close`", "the request is sound; what follows `close` is not read"),
    ("CRLF between requests, explicit `close` followed by tab", "as above"),
];

#[test]
fn llhttp_strict_errors() {
    let (running, upstream) = serve();
    let files = [
        include_str!("../../../vectors/llhttp/request/connection.md"),
        include_str!("../../../vectors/llhttp/request/content-length.md"),
        include_str!("../../../vectors/llhttp/request/invalid.md"),
        include_str!("../../../vectors/llhttp/request/method.md"),
        include_str!("../../../vectors/llhttp/request/sample.md"),
        include_str!("../../../vectors/llhttp/request/transfer-encoding.md"),
        include_str!("../../../vectors/llhttp/request/uri.md"),
    ];
    let cases: Vec<(String, Vec<u8>)> = files.into_iter().flat_map(llhttp_errors).collect();
    let mut wrong = Vec::new();
    for (title, bytes) in &cases {
        let outcome = play(&running, &upstream, bytes);
        let listed = NO_ERROR_HERE.iter().any(|(listed, _)| listed == title);
        if !listed && !outcome.upstream.is_empty() {
            let (status, shown) = (outcome.status, String::from_utf8_lossy(bytes));
            wrong.push(format!("{title}: {status} closed {} {:?}\n{shown:?}", outcome.closed, outcome.upstream));
        }
    }
    assert!(cases.len() > 50, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} wrong\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
