//! Plays attempts against the real binary, in front of an upstream that takes nothing odd.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::strict::{CREDENTIAL, FIELD, StrictUpstream};
use super::{Attempt, Outcome};
use crate::process::{Keyward, Running};
use crate::wire;

/// What the hidden request of an attempt asks for. Nobody may.
pub const HIDDEN: &str = "/hidden/request";
/// How long nothing comes before an attempt counts as answered.
const QUIET: Duration = Duration::from_millis(150);

const CONFIG: &str = "
authenticators: {noop: {enabled: true}, unauthorized: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
log: {level: error}
";

/// A server for which everything but [`HIDDEN`] is allowed.
pub struct Stage {
    /// The server.
    pub running: Running,
    upstream: StrictUpstream,
}

impl Stage {
    /// Starts it.
    pub fn start(keyward: Keyward) -> Self {
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
        let rules = rule("any", "/<(?!hidden/).*>", "noop") + &rule("hidden", "/hidden/<.*>", "unauthorized");
        Self { running: keyward.with(CONFIG, &rules).start(), upstream }
    }

    /// Sends an attempt, and reads whatever comes until the connection ends or is quiet.
    pub fn play(&self, attempt: &Attempt) -> std::io::Result<Outcome> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.running.proxy))?;
        stream.set_read_timeout(Some(QUIET))?;
        // It may have been answered, and closed, before all of it is sent.
        let _ = stream.write_all(&attempt.bytes);
        let answers = wire::drain(&mut stream, u64::MAX);
        let seen = self.upstream.take();
        let statuses = statuses(&answers);
        let mut desync = seen.faults;
        let hidden = |request: &&String| request.split('?').next().is_some_and(|path| path.ends_with(HIDDEN));
        desync.extend(seen.requests.iter().filter(hidden).cloned());
        let served = statuses.iter().filter(|status| **status == 200).count();
        if served != seen.requests.len() {
            desync.push(format!("{} requests reached the upstream, {served} were answered", seen.requests.len()));
        }
        let leaked = answers.windows(CREDENTIAL.len()).any(|part| part == CREDENTIAL.as_bytes());
        Ok(Outcome { statuses, forwarded: seen.requests.len(), desync, leaked })
    }
}

/// The statuses of answers: their bodies here never contain what begins one.
fn statuses(answers: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answers);
    let lines = text.match_indices("HTTP/1.").map(|(at, _)| &text[at..]);
    let status = |line: &str| line.get(9..12).and_then(|digits| digits.parse().ok());
    lines.filter_map(status).filter(|status| *status >= 200).collect()
}
