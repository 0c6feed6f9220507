//! What a server does when it is counted or trained: the configuration, the upstream, and a caller on a
//! keep-alive connection, over loopback.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::{scripted, wire};

use crate::tokens::Tokens;

/// Of the answer to `/large`.
const LARGE: usize = 256 * 1024;
/// Under instrumentation everything takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

const CONFIG: &str = "
access_rules: {matching_strategy: glob}
authenticators: {jwt: {enabled: true}, noop: {enabled: true}}
authorizers: {allow: {enabled: true}, deny: {enabled: true}}
mutators: {header: {enabled: true}, noop: {enabled: true}}
errors: {handlers: {json: {enabled: true}}}
log: {level: error}
";

/// A server with one service in use among others, and tokens for its callers.
pub(crate) fn start(keyward: Keyward, tokens: usize) -> Result<(Running, Vec<String>), String> {
    let upstream = scripted::upstream(answer);
    let key = run(&keyward, &["credentials", "generate", "--alg", "RS256"])?;
    let key = keyward.write("keys.json", &key);
    let tokens = Tokens::new(&key, key.with_file_name("tokens"))?.some(tokens)?;
    let rules = rules(keyward.proxy, upstream, &key.display().to_string());
    let running = keyward.env("TRAINING_SECRET", "dHJhaW5pbmc=").with(CONFIG, &rules).launch();
    let begun = Instant::now();
    while !running.api("/health/alive").is_ok_and(|answer| answer.status() == 200) {
        if begun.elapsed() > PATIENCE {
            return Err(format!("the server does not answer:\n{}", running.log()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok((running, tokens))
}

fn rules(port: u16, upstream: u16, key: &str) -> String {
    let rule = |number: usize| {
        let path = if number == 5 { "jira".to_owned() } else { format!("service-{number}") };
        format!(
            "- id: rule-{number}\n  match: {{url: \"http://127.0.0.1:{port}/{path}/<**>\", methods: [GET, POST]}}\n  \
             authenticators: [{{handler: jwt, config: {{jwks_urls: [\"file://{key}\"], required_scope: [\"jira:read\"]}}}}]\n  \
             authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: header, config: {{headers: {{Authorization: \"Basic {{{{ env \\\"TRAINING_SECRET\\\" }}}}\"}}}}}}]\n  \
             upstream: {{url: \"http://127.0.0.1:{upstream}\", strip_path: /{path}}}\n"
        )
    };
    (0..10).map(rule).collect()
}

fn run(keyward: &Keyward, arguments: &[&str]) -> Result<String, String> {
    match keyward.run(arguments) {
        (0, output, _) => Ok(output.trim().to_owned()),
        (_, _, problem) => Err(format!("{arguments:?}: {problem}")),
    }
}

/// An upstream's connection: JSON, or a large body where one is asked for.
pub(crate) fn answer(mut stream: TcpStream) {
    let Ok(reader) = stream.try_clone() else { return };
    let mut reader = BufReader::new(reader);
    while let Ok(Some(request)) = wire::read_request(&mut reader) {
        let body = if request.start.contains("/large ") { vec![b'x'; LARGE] } else { request.body.repeat(2) };
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: training\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: keep-alive\r\n\r\n",
            body.len() + 2
        );
        let message = [head.as_bytes(), b"{}", &body].concat();
        if stream.write_all(&message).is_err() {
            return;
        }
    }
}

/// A caller's connection.
pub(crate) struct Caller {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    host: String,
}

impl Caller {
    pub(crate) fn connect(running: &Running) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", running.proxy)).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let reader = BufReader::new(stream.try_clone().map_err(|error| error.to_string())?);
        Ok(Self { stream, reader, host: format!("127.0.0.1:{}", running.proxy) })
    }

    /// Sends a request and looks at the status of its answer.
    pub(crate) fn expect(&mut self, line: &str, token: &str, body: &str, expected: u16) -> Result<(), String> {
        let mut request = format!("{line} HTTP/1.1\r\nHost: {}\r\nUser-Agent: training\r\nAccept: */*\r\n", self.host);
        if !token.is_empty() {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        self.stream.write_all(format!("{request}\r\n{body}").as_bytes()).map_err(|error| error.to_string())?;
        let status = wire::read_response(&mut self.reader, false).map_err(|error| error.to_string())?.status();
        if status == expected { Ok(()) } else { Err(format!("`{line}` was answered {status}, not {expected}")) }
    }
}
