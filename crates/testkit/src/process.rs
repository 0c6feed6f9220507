//! The real binary, started with configuration files and an environment, stopped when dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Seek};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::pki::Authority;
use crate::ports::{ReservedPort, reserve};
use crate::wire::{self, Message};

/// How long anything may take that should take no time.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a state may take to come about: long, for pauses between attempts, and machines that have much else to do.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server about to be started.
pub struct Keyward {
    binary: PathBuf,
    directory: tempfile::TempDir,
    files: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
    /// What a shell does before it becomes the server.
    before: String,
    ports: [ReservedPort; 3],
    /// The proxy's port.
    pub proxy: u16,
    /// The API's port.
    pub api: u16,
    /// The metrics port.
    pub metrics: u16,
}

/// A server that runs.
pub struct Running {
    command: Command,
    child: Child,
    directory: tempfile::TempDir,
    _ports: [ReservedPort; 3],
    /// The proxy's port.
    pub proxy: u16,
    /// The API's port.
    pub api: u16,
    /// The metrics port.
    pub metrics: u16,
}

impl Keyward {
    /// Free ports on loopback, audit records in a file, nothing of this machine's environment. Nothing is refused because
    /// a core is behind: where tests run, any core may be at any time.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ports = [reserve(), reserve(), reserve()];
        let [proxy, api, metrics] = ports.each_ref().map(ReservedPort::number);
        let audit = directory.path().join("audit.log").display().to_string();
        let environment = [
            ("SERVE_PROXY_HOST", "127.0.0.1".to_owned()),
            ("SERVE_PROXY_PORT", proxy.to_string()),
            ("SERVE_API_HOST", "127.0.0.1".to_owned()),
            ("SERVE_API_PORT", api.to_string()),
            ("SERVE_PROMETHEUS_HOST", "127.0.0.1".to_owned()),
            ("SERVE_PROMETHEUS_PORT", metrics.to_string()),
            ("SERVE_PROXY_LIMITS_QUEUE_TIME", "0s".to_owned()),
            ("AUDIT_SINK", "file".to_owned()),
            ("AUDIT_PATH", audit),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Self {
            binary: binary.into(),
            directory,
            files: Vec::new(),
            environment,
            before: String::new(),
            ports,
            proxy,
            api,
            metrics,
        }
    }

    /// A file of its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into its directory.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Adds a configuration file.
    pub fn config(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Adds a configuration, and the rules it reads.
    pub fn with(self, config: &str, rules: &str) -> Self {
        let rules = self.write("rules.yaml", rules);
        let config = self.write("config.yaml", config);
        let repository = format!("file://{}", rules.display());
        self.env("ACCESS_RULES_REPOSITORIES", &repository).config(config)
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Has the proxy speak TLS as `localhost`, with a certificate of this authority.
    pub fn with_tls(self, authority: &Authority) -> Self {
        let (certificate, key) = authority.pem(&["localhost"]);
        let (certificate, key) = (self.write("cert.pem", &certificate), self.write("key.pem", &key));
        self.env("SERVE_PROXY_TLS_CERT_PATH", &certificate.display().to_string())
            .env("SERVE_PROXY_TLS_KEY_PATH", &key.display().to_string())
    }

    /// Takes a variable away.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Lets writing fail after so many blocks of a file (512 or 1024 bytes each), as on a disk that is full.
    pub fn with_full_disk(self, blocks: u32) -> Self {
        self.after(&format!("trap '' XFSZ; ulimit -f {blocks}"))
    }

    /// Has a shell do something first, in the process that becomes the server: limits are inherited.
    pub fn after(mut self, commands: &str) -> Self {
        self.before = format!("{}{commands}; ", self.before);
        self
    }

    fn command(&self) -> Command {
        let is_direct = self.before.is_empty();
        let mut command = Command::new(if is_direct { &self.binary } else { Path::new("/bin/sh") });
        if !is_direct {
            command.arg("-c").arg(format!("set -e; {}exec \"$0\" \"$@\"", self.before)).arg(&self.binary);
        }
        command.env_clear().envs(&self.environment).current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Runs a subcommand with the files and the environment, to its end; exit code, standard output, standard error.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.command();
        command.args(arguments);
        for file in &self.files {
            command.arg("-c").arg(file);
        }
        let mut said = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        let [out, err] = said.each_ref().map(|file| file.try_clone().unwrap());
        let mut child = command.stdout(out).stderr(err).spawn().unwrap();
        let ended = end(&mut child);
        if ended.is_none() {
            child.kill().unwrap();
        }
        let [out, err] = said.each_mut().map(|file| {
            file.rewind().unwrap();
            let mut text = Vec::new();
            file.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let status = ended.unwrap_or_else(|| panic!("{arguments:?} does not end:\n{out}{err}"));
        (status.code().unwrap_or(-1), out, err)
    }

    /// Starts serving and waits until it answers.
    pub fn start(self) -> Running {
        let mut running = self.launch();
        running.until_it_answers();
        running
    }

    /// Starts it where rules behind a URL cannot be had, and waits until readiness says so in these words. The proxy's
    /// port is closed.
    pub fn start_without_rules(self, said: &str) -> Running {
        let running = self.launch();
        running.until(said, |running| running.unready("rules").is_some_and(|told| told.contains(said)));
        assert!(TcpStream::connect(("127.0.0.1", running.proxy)).is_err(), "{}", running.log());
        running
    }

    /// Starts serving, and waits for nothing.
    pub fn launch(self) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.command();
        command.arg("serve").stdout(log.try_clone().unwrap()).stderr(log);
        for file in &self.files {
            command.arg("-c").arg(file);
        }
        let child = command.spawn().unwrap();
        let Self { directory, ports, proxy, api, metrics, .. } = self;
        Running { command, child, directory, _ports: ports, proxy, api, metrics }
    }
}

impl Running {
    fn until_it_answers(&mut self) {
        let begun = Instant::now();
        while !(self.api("/health/alive").is_ok_and(|answer| answer.status() == 200) && self.lets_in_and_out()) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "it does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the proxy takes a connection and ends it when its caller does. Who only connected could still be waiting
    /// to be let in later, beside the connections that a test counts.
    fn lets_in_and_out(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.proxy)) else { return false };
        let ended = stream.shutdown(Shutdown::Write).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        // However it ends: what matters is that it did.
        ended.is_ok() && !matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Kills it, which it cannot notice.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after its end, with the same files, environment and ports, and waits until it answers.
    pub fn start_again(&mut self) {
        self.child = self.command.spawn().unwrap();
        self.until_it_answers();
    }

    /// Sends a request written by hand to the proxy.
    pub fn send(&self, request: &str) -> std::io::Result<Message> {
        wire::exchange(self.proxy, request.as_bytes(), PATIENCE)
    }

    /// A request with headers, on a connection of its own.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Message {
        let mut request = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.push_str(&format!("Host: 127.0.0.1:{}\r\n", self.proxy));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.send(&format!("{request}\r\n{body}")).unwrap()
    }

    /// A GET with headers.
    pub fn get(&self, target: &str, headers: &[(&str, &str)]) -> Message {
        self.request("GET", target, headers, "")
    }

    /// Asks the decision API about a request to the proxy.
    pub fn decision(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Message {
        let mut request = format!("{method} /decisions{target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.push_str(&format!("Host: 127.0.0.1:{}\r\n", self.proxy));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        wire::exchange(self.api, format!("{request}\r\n").as_bytes(), PATIENCE).unwrap()
    }

    /// A GET on the API port.
    pub fn api(&self, target: &str) -> std::io::Result<Message> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n");
        wire::exchange(self.api, request.as_bytes(), PATIENCE)
    }

    /// What readiness says of one kind of source while something of it is missing.
    pub fn unready(&self, kind: &str) -> Option<String> {
        let answer = self.api("/health/ready").ok().filter(|answer| answer.status() == 503)?;
        let body: Value = serde_json::from_str(&answer.text()).unwrap();
        body["errors"][kind].as_str().map(str::to_owned)
    }

    /// A file of its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file the way editors and deployments do.
    pub fn replace(&self, name: &str, text: &str) {
        fs::write(self.path("fresh"), text).unwrap();
        fs::rename(self.path("fresh"), self.path(name)).unwrap();
    }

    /// The diagnostics log so far.
    pub fn log(&self) -> String {
        read(&self.path("log"))
    }

    /// The audit records so far; waits until there are as many as expected.
    pub fn audit(&self, expected: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let text = read(&self.path("audit.log"));
            let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if records.len() >= expected || begun.elapsed() > PATIENCE {
                assert_eq!(records.len(), expected, "{text}");
                return records;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a condition holds.
    pub fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < DEADLINE, "{what} did not happen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it has in use, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = read(Path::new(&format!("/proc/{}/status", self.child.id())));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        end(&mut self.child).unwrap_or_else(|| panic!("it does not end:\n{}", self.log()))
    }

    /// The value of a metric line that starts with this text.
    pub fn metric(&self, start: &str) -> Option<f64> {
        let scrape = self.api("/metrics").unwrap().text();
        let line = scrape.lines().find(|line| line.starts_with(start))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

/// How a process ends, if it does in time.
fn end(child: &mut Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            None if begun.elapsed() < DEADLINE => std::thread::sleep(Duration::from_millis(5)),
            ended => return ended,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
