//! The server, the upstream that says what it saw, and the files that are replaced.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::caller::Caller;
use super::seen::Versions;
use crate::process::{Keyward, PATIENCE, Running};
use crate::scripted;
use crate::signals::Signals;
use crate::wire::{self, Message};

/// What is in play.
pub(super) struct Stage {
    running: Running,
    upstream: u16,
}

impl Stage {
    /// Starts both.
    pub(super) fn start(binary: PathBuf) -> Result<Self, String> {
        let upstream = scripted::upstream(|stream| {
            // Whoever is on the other side hears of it: the request fails.
            let _ = tell(stream);
        });
        let keyward = Keyward::new(binary);
        let secrets = keyward.path("secrets");
        fs::create_dir(&secrets).map_err(|error| error.to_string())?;
        write_secrets(&secrets, 1).map_err(|error| error.to_string())?;
        for name in ["ID", "SECRET"] {
            let link = symlink(format!("..data/SOAK_{name}"), secrets.join(format!("SOAK_{name}")));
            link.map_err(|error| error.to_string())?;
        }
        let configuration = configuration(&secrets, 1);
        let rules = rules(keyward.proxy, upstream, 1);
        Ok(Self { running: keyward.with(&configuration, &rules).start(), upstream })
    }

    pub(super) fn port(&self) -> u16 {
        self.running.proxy
    }

    /// The versions that are in force.
    pub(super) fn in_force(&self) -> Result<Versions, String> {
        Caller::connect(self.port())?.ask()
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

    /// Replaces all three kinds again and again; says with which versions it ended.
    pub(super) fn replace_all(
        &self,
        from: Versions,
        pause: Duration,
        until: Instant,
        stop: &AtomicBool,
        asked: bool,
    ) -> Result<Versions, String> {
        let secrets = self.running.path("secrets");
        let mut signals = match asked {
            true => Some(Signals::to(self.running.id(), "HUP").map_err(|error| format!("no signals: {error}"))?),
            false => None,
        };
        std::thread::scope(|scope| {
            let rules = scope.spawn(|| {
                repeat(from.rules, pause, until, stop, |version| {
                    replace(&self.running.path("rules.yaml"), &rules(self.port(), self.upstream, version))?;
                    signals.as_mut().map_or(Ok(()), Signals::send)
                })
            });
            let secrets =
                scope.spawn(|| repeat(from.secrets, pause, until, stop, |version| write_secrets(&secrets, version)));
            let configuration = repeat(from.configuration, pause, until, stop, |version| {
                let text = configuration(&self.running.path("secrets"), version);
                replace(&self.running.path("config.yaml"), &text)
            })?;
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<u32, String>>| {
                thread.join().map_err(|_| "a thread that replaces panicked".to_owned())?
            };
            Ok(Versions { rules: join(rules)?, secrets: join(secrets)?, configuration })
        })
    }

    /// Whether nothing was lost on the way, and each request has its record.
    pub(super) fn check_end(&self, requests: usize) -> Result<(), String> {
        for (metric, expected) in
            [("keyward_reload_failures_total", 0.0), ("keyward_panics_total", 0.0), ("keyward_audit_records_lost", 0.0)]
        {
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

/// Does something with ever higher numbers; says which was the last.
fn repeat(
    mut version: u32,
    pause: Duration,
    until: Instant,
    stop: &AtomicBool,
    mut replace: impl FnMut(u32) -> std::io::Result<()>,
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

/// As editors and deployments do.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text)?;
    fs::rename(fresh, path)
}

/// As Kubernetes does: both files change with one link, and what it led to before goes at once.
fn write_secrets(directory: &Path, version: u32) -> std::io::Result<()> {
    let name = format!("..{version}");
    fs::create_dir(directory.join(&name))?;
    for file in ["SOAK_ID", "SOAK_SECRET"] {
        fs::write(directory.join(&name).join(file), version.to_string())?;
    }
    symlink(&name, directory.join("..data_tmp"))?;
    fs::rename(directory.join("..data_tmp"), directory.join("..data"))?;
    match version {
        1 => Ok(()),
        _ => fs::remove_dir_all(directory.join(format!("..{}", version - 1))),
    }
}

fn configuration(secrets: &Path, version: u32) -> String {
    format!(
        "authenticators: {{anonymous: {{enabled: true}}}}\nauthorizers: {{allow: {{enabled: true}}}}\n\
         mutators: {{header: {{enabled: true, config: {{headers: {{X-Configuration: \"{version}\"}}}}}}}}\n\
         secrets: {{env_dir: \"{}\"}}\nlog: {{level: warn}}\n",
        secrets.display()
    )
}

fn rules(port: u16, upstream: u16, version: u32) -> String {
    format!(
        "- id: soak\n  match: {{url: \"http://127.0.0.1:{port}/<.*>\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
         mutators:\n  - handler: header\n    config:\n      headers:\n        X-Rules: \"{version}\"\n        \
         X-Rules-Too: \"{version}\"\n        X-Id: '{{{{ env \"SOAK_ID\" }}}}'\n        X-Secret: '{{{{ env \"SOAK_SECRET\" }}}}'\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    )
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
    let value = |name: &str| request.header(name).unwrap_or("-").to_owned();
    ["X-Rules", "X-Rules-Too", "X-Id", "X-Secret", "X-Configuration"].map(value).join(" ")
}
