//! What is counted: the server doing its work for callers on keep-alive connections, over loopback. Most
//! requests are let through with a known token; the others are what else happens every day.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::{scripted, wire};

/// Callers at the same time.
const CALLERS: usize = 16;
/// Rounds of one caller; a round is one of each kind and many of the common one.
const ROUNDS: usize = 150;
const COMMON_IN_A_ROUND: usize = 20;
/// Different tokens of one caller, so that signatures are verified too.
const TOKENS: usize = 8;
const LARGE: usize = 256 * 1024;

const CONFIG: &str = "
access_rules: {matching_strategy: glob}
authenticators: {jwt: {enabled: true}, noop: {enabled: true}}
authorizers: {allow: {enabled: true}, deny: {enabled: true}}
mutators: {header: {enabled: true}, noop: {enabled: true}}
errors: {handlers: {json: {enabled: true}}}
log: {level: error}
";

/// Serves the training load with a binary, which writes its counts when it ends.
pub(super) fn serve(binary: &Path) -> Result<(), String> {
    let upstream = scripted::upstream(answer);
    let keyward = Keyward::new(binary);
    let key = run(&keyward, &["credentials", "generate", "--alg", "RS256"])?;
    let key = keyward.write("keys.json", &key).display().to_string();
    let tokens = (0..CALLERS * TOKENS).map(|number| {
        let subject = format!("caller-{number}");
        run(&keyward, &["token", "--sub", &subject, "--scope", "jira:read", "--ttl", "3600", "--key", &key])
    });
    let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
    let rules = rules(keyward.proxy, upstream, &key);
    let mut running = keyward.env("TRAINING_SECRET", "dHJhaW5pbmc=").with(CONFIG, &rules).start();
    let outcome = std::thread::scope(|scope| {
        let callers: Vec<_> = tokens
            .chunks(TOKENS)
            .map(|tokens| {
                let running = &running;
                scope.spawn(move || call(running, tokens))
            })
            .collect();
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| "a caller panicked".to_owned())?)
    });
    running.signal("TERM");
    let ended = running.wait();
    outcome?;
    if ended.success() { Ok(()) } else { Err(format!("the trained server ended with {ended}: {}", running.log())) }
}

/// Rules as they come: one service in use among others.
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
fn answer(mut stream: TcpStream) {
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

/// One caller on one connection.
fn call(running: &Running, tokens: &[String]) -> Result<(), String> {
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream.try_clone().map_err(|error| error.to_string())?);
    let host = format!("127.0.0.1:{}", running.proxy);
    let mut expect = |line: &str, token: &str, body: &str, expected: u16| {
        let mut request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: training\r\nAccept: */*\r\n");
        if !token.is_empty() {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).map_err(|error| error.to_string())?;
        let status = wire::read_response(&mut reader, false).map_err(|error| error.to_string())?.status();
        if status == expected { Ok(()) } else { Err(format!("`{line}` was answered {status}, not {expected}")) }
    };
    let body = format!("{{\"fields\":\"{}\"}}", "x".repeat(1500));
    for round in 0..ROUNDS {
        let token = &tokens[round * TOKENS / ROUNDS];
        for _ in 0..COMMON_IN_A_ROUND {
            expect("GET /jira/rest/api/2/issue/DEMO-1", token, "", 200)?;
        }
        expect("GET /jira/rest/api/2/search?jql=project%3DDEMO&fields=summary", token, "", 200)?;
        expect("POST /jira/rest/api/2/issue", token, &body, 200)?;
        expect("GET /jira/large", token, "", 200)?;
        expect("GET /jira/rest/api/2/issue/DEMO-1", "", "", 401)?;
        expect("DELETE /jira/rest/api/2/issue/DEMO-1", token, "", 404)?;
    }
    Ok(())
}
