//! Load that wrk and h2load make: what callers send, and over how many connections.

use std::path::PathBuf;
use std::process::Command;

use super::rounds::Load;
use super::set_ups::Authenticator;
use super::setup::{OTHER_CORE, Spoken, Stage, output, script};

/// Where the upstream answers with a small JSON document.
pub(super) const ISSUE: &str = "/jira/rest/api/2/issue/DEMO-1";

/// What callers do to a server.
#[derive(Clone)]
pub(super) struct Callers {
    pub(super) spoken: Spoken,
    pub(super) path: &'static str,
    pub(super) connections: u32,
    pub(super) requests: Requests,
}

/// Which requests they send.
#[derive(Clone)]
pub(super) enum Requests {
    /// Always the same, with this header line.
    Alike(String),
    /// The same with this header line and a body of 1 MiB.
    Upload(String),
    /// So many tokens of a file, in turn.
    InTurn { tokens: PathBuf, count: usize },
    /// In each round the next tokens of a file, so many; none of them twice.
    Once { tokens: PathBuf, count: usize },
}

/// Streams of one HTTP/2 connection.
pub(super) const STREAMS: u32 = 4;

impl Load for Callers {
    fn spoken(&self) -> Spoken {
        self.spoken
    }

    fn drive(&self, port: u16, seconds: u32, round: u32) -> Result<u64, String> {
        let answered = match self.spoken {
            Spoken::Http2OverTls => self.h2load(port, seconds)?,
            Spoken::Http1 | Spoken::Http1OverTls => self.wrk(port, seconds, round)?,
        };
        match self.requests {
            Requests::Once { count, .. } if answered > count as u64 => {
                Err(format!("{answered} requests were answered that showed {count} tokens"))
            }
            _ => Ok(answered),
        }
    }

    fn warm_up(&self, port: u16, seconds: u32) -> Result<u64, String> {
        match &self.requests {
            // With the one that no round has.
            Requests::Once { tokens, .. } => {
                let requests = Requests::InTurn { tokens: tokens.clone(), count: 1 };
                Self { requests, ..self.clone() }.drive(port, seconds, 0)
            }
            _ => self.drive(port, seconds, 0),
        }
    }
}

impl Callers {
    /// Small answers to one caller, as [`Authenticator`] has it, over HTTP/1.1.
    pub(super) fn small(stage: &Stage, authenticator: Authenticator, connections: u32) -> Result<Self, String> {
        let requests = Requests::Alike(authenticator.credential(&stage.tokens().first()?));
        Ok(Self { spoken: Spoken::Http1, path: ISSUE, connections, requests })
    }

    /// Lines of a file of tokens that some rounds of [`Requests::Once`] need: those of each round, some more for the
    /// requests that are under way when these are used up, and one before all rounds.
    pub(super) fn lines(count: usize, connections: u32, rounds: u32) -> usize {
        1 + (count + connections as usize) * rounds as usize
    }

    fn url(&self, port: u16) -> String {
        format!("{}://{}:{port}{}", self.spoken.scheme(), self.spoken.host(), self.path)
    }

    fn wrk(&self, port: u16, seconds: u32, round: u32) -> Result<u64, String> {
        let mut command = Command::new("taskset");
        command.args(["-c", OTHER_CORE, "wrk", "-t1", "--timeout", "30s"]);
        command.arg(format!("-c{}", self.connections)).arg(format!("-d{seconds}s"));
        match &self.requests {
            Requests::Alike(header) => command.args(["-H", header]).arg(self.url(port)),
            Requests::Upload(header) => {
                command.args(["-H", header, "-s"]).arg(script("upload.lua")).arg(self.url(port))
            }
            Requests::InTurn { tokens, count } => {
                command.arg("-s").arg(script("tokens.lua")).arg(self.url(port)).arg("--").arg(tokens);
                command.args([1, *count].map(|number| number.to_string()))
            }
            Requests::Once { tokens, count } => {
                let first = 1 + Self::lines(*count, self.connections, round);
                command.arg("-s").arg(script("tokens.lua")).arg(self.url(port)).arg("--").arg(tokens);
                command.args([first, *count, self.connections as usize].map(|number| number.to_string()))
            }
        };
        wrk_answered(&mut command, port)
    }

    fn h2load(&self, port: u16, seconds: u32) -> Result<u64, String> {
        let Requests::Alike(header) = &self.requests else {
            return Err("h2load sends requests that are all alike".to_owned());
        };
        let text = output(
            Command::new("taskset")
                .args(["-c", OTHER_CORE, "h2load", "-t1"])
                .arg(format!("-c{}", self.connections))
                .arg(format!("-m{STREAMS}"))
                .arg(format!("-D{seconds}"))
                .args(["-H", header])
                .arg(self.url(port)),
        )?;
        h2load_requests(&text).ok_or_else(|| format!("port {port} answered badly:\n{text}"))
    }
}

/// Runs wrk; how many requests were answered well. Any other answer is an error.
pub(super) fn wrk_answered(command: &mut Command, port: u16) -> Result<u64, String> {
    let text = output(command)?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("port {port} answered badly:\n{text}"));
    }
    wrk_requests(&text).ok_or_else(|| format!("wrk said:\n{text}"))
}

/// What wrk counted.
fn wrk_requests(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What h2load counted, when all of it was over HTTP/2 and answered well.
fn h2load_requests(text: &str) -> Option<u64> {
    let after = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let number = |list: &str, name: &str| {
        let item = list.split(',').find(|item| item.trim().ends_with(name))?;
        item.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (requests, statuses) = (after("requests: ")?, after("status codes: ")?);
    let bad = ["failed", "errored", "timeout"].map(|name| number(requests, name));
    let others = ["3xx", "4xx", "5xx"].map(|name| number(statuses, name));
    let good = bad.iter().chain(&others).all(|count| *count == Some(0));
    let http2 = after("Application protocol: ").is_some_and(|name| name.trim() == "h2");
    number(requests, "succeeded").filter(|_| good && http2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What h2load 1.52 prints, in part.
    fn h2load_output(protocol: &str, requests: &str, statuses: &str) -> String {
        format!(
            "Application protocol: {protocol}\nfinished in 1.00s, 8000.00 req/s\n\
             requests: 8019 total, 8024 started, {requests}\nstatus codes: 8000 2xx, {statuses}\n"
        )
    }

    #[test]
    fn a_run_of_h2load_counts_only_where_all_is_well() {
        let (well, codes) = ("8000 done, 8000 succeeded, 0 failed, 0 errored, 0 timeout", "0 3xx, 0 4xx, 0 5xx");
        let rows = [
            ("h2", well, codes, Some(8000)),
            ("http/1.1", well, codes, None),
            ("h2", "8019 done, 8000 succeeded, 19 failed, 19 errored, 0 timeout", codes, None),
            ("h2", well, "0 3xx, 1 4xx, 0 5xx", None),
        ];
        for (protocol, requests, statuses, expected) in rows {
            assert_eq!(h2load_requests(&h2load_output(protocol, requests, statuses)), expected, "{requests}");
        }
    }

    #[test]
    fn no_round_has_tokens_of_another() {
        let rows = [(0, 1), (1, 2033), (5, 10_161)];
        for (rounds, lines) in rows {
            assert_eq!(Callers::lines(2000, 32, rounds), lines);
        }
    }
}
