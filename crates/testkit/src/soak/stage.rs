//! The server, the upstream that says what it saw, and the places where things are replaced.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::caller::Caller;
use super::documents::{ENVIRONMENT, HEADERS, SOURCE, configuration, mount, remote_rules, remount, replace, rules};
use super::seen::Versions;
use crate::documents::DocumentServer;
use crate::process::{Keyward, PATIENCE, Running};
use crate::scripted;
use crate::signals::Signals;
use crate::wire::{self, Message};

/// Where secrets are mounted, in the server's directory.
const ENVIRONMENT_DIRECTORY: &str = "environment";
const SOURCE_DIRECTORY: &str = "source";
/// Where the remote rules are.
const REMOTE_PATH: &str = "/rules.yaml";

/// What is in play.
pub(super) struct Stage {
    running: Running,
    upstream: u16,
    remote: DocumentServer,
}

impl Stage {
    /// Starts all of it.
    pub(super) fn start(binary: PathBuf) -> Result<Self, String> {
        let upstream = scripted::upstream(|stream| {
            // Whoever is on the other side hears of it: the request fails.
            let _ = tell(stream);
        });
        let (keyward, remote) = (Keyward::new(binary), DocumentServer::start());
        let (environment, source) = (keyward.path(ENVIRONMENT_DIRECTORY), keyward.path(SOURCE_DIRECTORY));
        mount(&environment, ENVIRONMENT).and_then(|()| mount(&source, SOURCE)).map_err(|error| error.to_string())?;
        put(&remote, keyward.proxy, upstream, 1);
        let configuration = configuration(&environment, &source, 1);
        let rules = rules(keyward.proxy, upstream, 1);
        let file = format!("file://{}", keyward.path("rules.yaml").display());
        let repositories = serde_json::json!([file, remote.url(REMOTE_PATH)]).to_string();
        let keyward = keyward.with(&configuration, &rules).env("ACCESS_RULES_REPOSITORIES", &repositories);
        Ok(Self { running: keyward.start(), upstream, remote })
    }

    pub(super) fn port(&self) -> u16 {
        self.running.proxy
    }

    /// The versions that are in force.
    pub(super) fn in_force(&self) -> Result<Versions, String> {
        Caller::connect(self.port())?.ask_both()
    }

    pub(super) fn reloads(&self) -> Result<u64, String> {
        self.running
            .metric("keyward_reloads_total")
            .map(|count| count as u64)
            .ok_or("reloads are not counted".to_owned())
    }

    pub(super) fn resident_kib(&self) -> u64 {
        self.running.resident_kib()
    }

    /// Replaces everything again and again; says with which versions it ended.
    pub(super) fn replace_all(
        &self,
        from: Versions,
        pause: Duration,
        until: Instant,
        stop: &AtomicBool,
        asked: bool,
    ) -> Result<Versions, String> {
        let mut signals = match asked {
            true => Some(Signals::to(self.running.id(), "HUP").map_err(|error| format!("no signals: {error}"))?),
            false => None,
        };
        let (environment, source) = (self.running.path(ENVIRONMENT_DIRECTORY), self.running.path(SOURCE_DIRECTORY));
        let rules = |version| {
            replace(&self.running.path("rules.yaml"), &rules(self.port(), self.upstream, version))?;
            signals.as_mut().map_or(Ok(()), Signals::send)
        };
        let remote = |version| {
            put(&self.remote, self.port(), self.upstream, version);
            Ok(())
        };
        let configuration =
            |version| replace(&self.running.path("config.yaml"), &configuration(&environment, &source, version));
        std::thread::scope(|scope| {
            let repeated = |from, replace| scope.spawn(move || repeat(from, pause, until, stop, replace));
            let threads: [(u32, Replacing<'_>); 5] = [
                (from.rules.unwrap_or_default(), Box::new(rules)),
                (from.remote.unwrap_or_default(), Box::new(remote)),
                (from.environment, Box::new(|version| remount(&environment, ENVIRONMENT, version))),
                (from.source, Box::new(|version| remount(&source, SOURCE, version))),
                (from.configuration, Box::new(configuration)),
            ];
            let [rules, remote, environment, source, configuration] =
                threads.map(|(from, replace)| repeated(from, replace)).map(|thread| {
                    thread.join().map_err(|_| "a thread that replaces panicked".to_owned()).and_then(|last| last)
                });
            Ok(Versions {
                rules: Some(rules?),
                remote: Some(remote?),
                environment: environment?,
                source: source?,
                configuration: configuration?,
            })
        })
    }

    /// Whether nothing was lost on the way, and each request has its record.
    pub(super) fn check_end(&self, requests: usize) -> Result<(), String> {
        for (metric, expected) in [
            ("keyward_reload_failures_total", 0.0),
            ("keyward_panics_total", 0.0),
            ("keyward_audit_records_lost_total", 0.0),
        ] {
            let value = self.running.metric(metric);
            if value != Some(expected) {
                return Err(format!("{metric} is {value:?}, not {expected}"));
            }
        }
        let begun = Instant::now();
        loop {
            let records = fs::read(self.running.path("audit.log")).map_err(|error| error.to_string())?;
            let records = records.iter().filter(|byte| **byte == b'\n').count();
            if records >= requests {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{records} audit records of at least {requests} requests"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A problem with the end of the log.
    pub(super) fn explain(&self, problem: &str) -> String {
        let log = self.running.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("{problem}\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

/// Puts a version of something in the place of the one before.
type Replacing<'a> = Box<dyn FnMut(u32) -> std::io::Result<()> + Send + 'a>;

/// A version of the remote rules.
fn put(remote: &DocumentServer, port: u16, upstream: u16, version: u32) {
    remote.put(REMOTE_PATH, &remote_rules(port, upstream, version), Some(&version.to_string()));
}

/// Does something with ever higher numbers; says which was the last.
fn repeat(
    mut version: u32,
    pause: Duration,
    until: Instant,
    stop: &AtomicBool,
    mut replace: Replacing<'_>,
) -> Result<u32, String> {
    let mut due = Instant::now();
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        version += 1;
        replace(version).map_err(|error| format!("a file could not be replaced: {error}"))?;
        due += pause;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(version)
}

/// An upstream's connection: answers with the values that tell versions.
fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = wire::read_request(&mut reader)? {
        let body = told(&request);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

fn told(request: &Message) -> String {
    HEADERS.map(|name| request.header(name).unwrap_or("-")).join(" ")
}
