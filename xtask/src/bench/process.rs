//! A server under test, and what it costs according to `/proc`.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that matters.
const TICKS: u64 = 100;

/// Running until dropped.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) port: u16,
    child: Child,
}

impl Server {
    /// Starts a command on some cores and waits until its port answers.
    pub(super) fn start(name: &str, cores: &str, port: u16, arguments: Vec<String>) -> Result<Self, String> {
        let server = Self::launch(name, cores, port, arguments)?;
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(format!("{name} does not listen on port {port}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// The same without waiting.
    pub(super) fn launch(name: &str, cores: &str, port: u16, mut arguments: Vec<String>) -> Result<Self, String> {
        arguments.splice(0..0, ["-c".to_owned(), cores.to_owned()]);
        let child = Command::new("taskset")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        Ok(Self { name: name.to_owned(), port, child })
    }

    /// The process and its children (nginx has a master and workers).
    fn processes(&self) -> Vec<u32> {
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).chain([own]).collect()
    }

    /// User and system time so far.
    pub(super) fn cpu_time(&self) -> Result<Duration, String> {
        let mut nanos = 0;
        for id in self.processes() {
            // The scheduler's own account has nanoseconds; ticks are the fallback.
            let exact: u64 = tasks(id).iter().filter_map(|task| schedstat(id, task)).sum();
            nanos += if exact > 0 { exact } else { ticks(id).ok_or("no CPU time in /proc")? * 1_000_000_000 / TICKS };
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory of all its processes.
    pub(super) fn resident_kib(&self) -> Result<u64, String> {
        Ok(self.processes().into_iter().filter_map(|id| kib(id, "status", &["VmRSS:"])).sum())
    }

    /// The most that its processes ever had resident. What they share counts in each.
    pub(super) fn peak_kib(&self) -> Result<u64, String> {
        let of = |id| kib(id, "status", &["VmHWM:"]).ok_or_else(|| format!("{}: no `VmHWM` in /proc", self.name));
        self.processes().into_iter().map(of).sum()
    }

    /// Resident memory that no other process has.
    pub(super) fn private_kib(&self) -> Result<u64, String> {
        let fields = ["Private_Clean:", "Private_Dirty:"];
        let of = |id| kib(id, "smaps_rollup", &fields).ok_or_else(|| format!("{}: no `Private` in /proc", self.name));
        self.processes().into_iter().map(of).sum()
    }
}

/// The sum of some fields of a file in `/proc`; `None` when one is missing.
fn kib(id: u32, file: &str, fields: &[&str]) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/{file}")).ok()?;
    let of = |field: &&str| {
        let value = text.lines().find_map(|line| line.strip_prefix(*field))?;
        value.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    fields.iter().map(of).sum()
}

fn tasks(id: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn schedstat(id: u32, task: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{task}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn ticks(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        for id in self.processes() {
            // A process that is gone already is fine.
            let _ = Command::new("kill").arg("-TERM").arg(id.to_string()).stderr(Stdio::null()).status();
        }
        let _ = self.child.wait();
    }
}
