//! HAProxy as a load balancer of connections, the way a network load balancer is one: it asks each server for its
//! health, gives every new connection to one that is healthy and takes part, and looks at nothing inside of it. A
//! connection that a server does not take is lost: nothing is tried again.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::ports::{ReservedPort, reserve};
use crate::process::PATIENCE;

/// A running HAProxy, which ends when it is dropped.
pub struct Haproxy {
    child: Child,
    directory: tempfile::TempDir,
    port: ReservedPort,
}

impl Haproxy {
    /// Starts one before servers, each of which is the port of its proxy and that of its API. `HAPROXY` names the
    /// program where it is not on the path.
    pub fn start(servers: &[(u16, u16)]) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), reserve());
        let socket = directory.path().join("socket").display().to_string();
        // One thread: what the socket has answered is in force for whatever connects from then on.
        let mut configuration = format!(
            "global\n  nbthread 1\n  stats socket {socket} mode 600 level admin\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  timeout check 5s\n  retries 0\n\
             frontend callers\n  bind 127.0.0.1:{}\n  default_backend servers\n\
             backend servers\n  balance roundrobin\n  option httpchk\n  \
             http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host api\n  \
             default-server inter 100ms fall 2 rise 1\n",
            port.number()
        );
        for (number, (proxy, api)) in servers.iter().enumerate() {
            configuration.push_str(&format!("  server {} 127.0.0.1:{proxy} check port {api}\n", name(number)));
        }
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, configuration).unwrap();
        let program = std::env::var("HAPROXY").unwrap_or_else(|_| "haproxy".to_owned());
        let mut command = Command::new(&program);
        let log = fs::File::create(directory.path().join("log")).unwrap();
        command.arg("-db").arg("-f").arg(file).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("`{program}` cannot be run: {error}"));
        let mut haproxy = Self { child, directory, port };
        let begun = Instant::now();
        while haproxy.tell("show info").is_err() {
            let has_ended = haproxy.child.try_wait().unwrap().is_some();
            assert!(!has_ended && begun.elapsed() < PATIENCE, "HAProxy does not start:\n{}", haproxy.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        haproxy
    }

    /// Where callers connect.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Gives a server no new connection from now on; those that it has go on.
    pub fn deregister(&self, server: usize) {
        self.set_state(server, "drain");
    }

    /// Lets a server take part again, and waits until it is known to be healthy.
    pub fn register(&self, server: usize) {
        self.set_state(server, "ready");
        let begun = Instant::now();
        while self.counter(&name(server), "status") != "UP" {
            assert!(begun.elapsed() < PATIENCE, "server {server} is not healthy:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Connections that no server took.
    pub fn lost(&self) -> u64 {
        self.counter("BACKEND", "econ").parse().unwrap()
    }

    /// Connections that a server was given.
    pub fn given(&self, server: usize) -> u64 {
        self.counter(&name(server), "stot").parse().unwrap()
    }

    /// What it wrote so far, such as about the health of servers.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    fn set_state(&self, server: usize, state: &str) {
        let said = self.tell(&format!("set server servers/{} state {state}", name(server))).unwrap();
        assert_eq!(said.trim(), "");
    }

    fn statistics(&self) -> String {
        self.tell("show stat").unwrap()
    }

    /// A column of the line of a server, or of all of them.
    fn counter(&self, server: &str, column: &str) -> String {
        let statistics = self.statistics();
        let mut lines = statistics.trim_start_matches("# ").lines().map(|line| line.split(',').collect::<Vec<_>>());
        let at = lines.next().and_then(|names| names.iter().position(|name| *name == column)).unwrap();
        lines.find(|line| line[..2] == ["servers", server]).unwrap()[at].to_owned()
    }

    fn tell(&self, command: &str) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.directory.path().join("socket"))?;
        socket.write_all(format!("{command}\n").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(number: usize) -> String {
    format!("s{number}")
}
