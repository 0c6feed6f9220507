//! Plays attempts against the real binary, in front of an upstream that takes nothing odd.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::strict::{CREDENTIAL, FIELD, StrictUpstream};
use super::tokens::{GUARDED, Keys};
use super::{Attempt, Outcome};
use crate::http2_frames::{Frame, GOAWAY, HEADERS, PREFACE, RST_STREAM};
use crate::process::{Keyward, Running};
use crate::wire;

/// What the hidden request of an attempt asks for. Nobody may.
pub const HIDDEN: &str = "/hidden/request";
/// How long nothing comes before an attempt counts as answered.
const QUIET: Duration = Duration::from_millis(150);
/// The same where HTTP/2 was spoken and nothing has been answered: all of these ask for something, and a busy machine takes
/// its time.
const LONG_QUIET: Duration = Duration::from_secs(2);

const CONFIG: &str = "
authenticators:
  noop: {enabled: true}
  unauthorized: {enabled: true}
  jwt: {enabled: true, config: {jwks_urls: [\"file://KEYS\"], allowed_algorithms: [ES256, HS256, RS256]}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
log: {level: error}
";

/// A server for which everything but [`HIDDEN`] is allowed, and what is below [`GUARDED`] to who has a token.
pub struct Stage {
    /// The server.
    pub running: Running,
    upstream: StrictUpstream,
}

impl Stage {
    /// Starts it.
    pub fn start(keyward: Keyward, keys: &Keys) -> Self {
        let upstream = StrictUpstream::start();
        let rule = |id: &str, path: &str, authenticator: &str| {
            format!(
                "- id: {id}\n  match: {{url: \"<https?>://<[^/]*>{path}\", methods: [GET, POST, PUT, HEAD, DELETE, PATCH, OPTIONS]}}\n  \
                 authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: allow}}\n  \
                 mutators: [{{handler: header, config: {{headers: {{{FIELD}: {CREDENTIAL}}}}}}}]\n  \
                 upstream: {{url: \"http://127.0.0.1:{}\"}}\n",
                upstream.port
            )
        };
        let rules = rule("any", "/<(?!hidden/|guarded/).*>", "noop")
            + &rule("hidden", "/hidden/<.*>", "unauthorized")
            + &rule("guarded", &format!("{GUARDED}/<.*>"), "jwt");
        let config = CONFIG.replace("KEYS", &keyward.write("keys.json", &keys.trusted()).display().to_string());
        Self { running: keyward.with(&config, &rules).start(), upstream }
    }

    /// Sends an attempt, and reads whatever comes until the connection ends or is quiet.
    pub fn play(&self, attempt: &Attempt) -> std::io::Result<Outcome> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.running.proxy))?;
        stream.set_read_timeout(Some(QUIET))?;
        // It may have been answered, and closed, before all of it is sent.
        let _ = stream.write_all(&attempt.bytes);
        let mut answers = wire::drain(&mut stream, u64::MAX);
        let read = |answers: &[u8]| match attempt.bytes.strip_prefix(PREFACE) {
            Some(frames) => of_http2(frames, answers),
            None => of_http1(answers),
        };
        if attempt.bytes.starts_with(PREFACE) && read(&answers).is_empty() {
            stream.set_read_timeout(Some(LONG_QUIET))?;
            answers.extend(wire::drain(&mut stream, u64::MAX));
        }
        let seen = self.upstream.take();
        let Answers { statuses, broken } = read(&answers);
        let mut desync = seen.faults;
        let hidden = |request: &&String| request.split('?').next().is_some_and(|path| path.ends_with(HIDDEN));
        desync.extend(seen.requests.iter().filter(hidden).cloned());
        let served = statuses.iter().filter(|status| **status == 200).count();
        // Whose stream broke off is not told of what its request may have come to.
        if served > seen.requests.len() || served < seen.requests.len() && !broken {
            desync.push(format!("{} requests reached the upstream, {served} were answered", seen.requests.len()));
        }
        let leaked = answers.windows(CREDENTIAL.len()).any(|part| part == CREDENTIAL.as_bytes());
        Ok(Outcome { statuses, forwarded: seen.requests.len(), desync, leaked })
    }
}

/// What came back.
struct Answers {
    statuses: Vec<u16>,
    /// A stream of HTTP/2, or all of them, ended in the middle; either side may have done that.
    broken: bool,
}

impl Answers {
    /// Neither an answer nor the end of one has come.
    fn is_empty(&self) -> bool {
        self.statuses.is_empty() && !self.broken
    }
}

fn of_http2(sent: &[u8], answers: &[u8]) -> Answers {
    let frames = |mut bytes: &[u8]| -> Vec<Frame> { std::iter::from_fn(|| Frame::read(&mut bytes).ok()).collect() };
    let breaks = |frame: &Frame| matches!(frame.kind, RST_STREAM | GOAWAY);
    let (sent, answers) = (frames(sent), frames(answers));
    let statuses = answers.iter().filter(|frame| frame.kind == HEADERS).map(Frame::status);
    Answers {
        statuses: statuses.filter(|status| *status >= 200).collect(),
        broken: sent.iter().chain(&answers).any(breaks),
    }
}

/// Their bodies here never contain what begins an answer.
fn of_http1(answers: &[u8]) -> Answers {
    let text = String::from_utf8_lossy(answers);
    let lines = text.match_indices("HTTP/1.").map(|(at, _)| &text[at..]);
    let status = |line: &str| line.get(9..12).and_then(|digits| digits.parse().ok());
    Answers { statuses: lines.filter_map(status).filter(|status| *status >= 200).collect(), broken: false }
}
