//! What a run starts: an upstream, nginx in front of it, Keyward in front of it, a side service, and the load
//! generator.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::process::Server;
use super::set_ups::{Authenticator, SetUp};

pub(super) const PROXY_CORE: &str = "0";
const OTHER_CORE: &str = "1";

/// Files and names of one run.
pub(super) struct Stage {
    binary: PathBuf,
    directory: PathBuf,
    token: String,
    upstream_port: u16,
    side_port: u16,
}

impl Stage {
    pub(super) fn new(binary: PathBuf) -> Result<Self, String> {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        for part in ["env", "audit"] {
            fs::create_dir_all(directory.join(part)).map_err(|error| error.to_string())?;
        }
        let directory = directory.canonicalize().map_err(|error| error.to_string())?;
        // Once: servers that run read it again when it changes.
        fs::write(directory.join("env/BENCH_SECRET"), "YmVuY2g6bWFyaw==").map_err(|error| error.to_string())?;
        let key = output(Command::new(&binary).args(["credentials", "generate", "--alg", "RS256"]))?;
        fs::write(directory.join("keys.json"), key).map_err(|error| error.to_string())?;
        let token = output(
            Command::new(&binary)
                .args(["token", "--sub", "bench", "--scope", "jira:read", "--ttl", "86400", "--key"])
                .arg(directory.join("keys.json")),
        )?;
        let token = token.trim().to_owned();
        Ok(Self { binary, directory, token, upstream_port: free_port()?, side_port: free_port()? })
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    pub(super) fn upstream_port(&self) -> u16 {
        self.upstream_port
    }

    /// The public half of the key that tokens are signed with, as a JWK.
    pub(super) fn public_key(&self) -> Result<Value, String> {
        let text = fs::read_to_string(self.directory.join("keys.json")).map_err(|error| error.to_string())?;
        let set: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let key = &set["keys"][0];
        Ok(json!({"kty": key["kty"], "kid": key["kid"], "alg": key["alg"], "n": key["n"], "e": key["e"]}))
    }

    /// An error when a port lets in who shows no credential: then it is not this job that would be measured.
    pub(super) fn check_closed(&self, server: &Server) -> Result<(), String> {
        let asked = || {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "GET /jira/rest HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port)?;
            let mut status = [0; 12];
            stream.read_exact(&mut status)?;
            Ok(status)
        };
        let status = asked().map_err(|error: std::io::Error| format!("{}: {error}", server.name))?;
        match &status[9..] {
            b"401" | b"403" => Ok(()),
            _ => Err(format!("{} answers {} to nobody", server.name, String::from_utf8_lossy(&status))),
        }
    }

    fn start_nginx(&self, name: &str, core: &str, port: u16, server: &str) -> Result<Server, String> {
        let directory = self.directory.display();
        let upstream_port = self.upstream_port;
        let configuration = format!(
            "daemon off; worker_processes 1; pid {directory}/{name}.pid; error_log stderr crit;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {directory}/{name}.body;\n\
             proxy_temp_path {directory}/{name}.proxy; fastcgi_temp_path {directory}/{name}.f;\n\
             uwsgi_temp_path {directory}/{name}.u; scgi_temp_path {directory}/{name}.s;\n\
             upstream up {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 1000000000; }}\n\
             server {{ listen 127.0.0.1:{port} backlog=1024; {server} }} }}\n"
        );
        let file = self.write(&format!("{name}.conf"), &configuration)?;
        let arguments = ["nginx", "-c"].map(str::to_owned).into_iter().chain([file.display().to_string()]).collect();
        Server::start(name, core, port, arguments)
    }

    pub(super) fn upstream(&self) -> Result<Server, String> {
        let server = "location / { default_type application/json; return 200 '{\"key\":\"DEMO-1\",\"fields\":{\"summary\":\"benchmark\"}}'; }";
        self.start_nginx("upstream", OTHER_CORE, self.upstream_port, server)
    }

    /// Empties the audit files: nobody reads them, and a run writes gigabytes.
    pub(super) fn forget_records(&self) {
        for entry in fs::read_dir(self.directory.join("audit")).into_iter().flatten().flatten() {
            // What cannot be emptied costs room on the disk and nothing else.
            let _ = fs::File::create(entry.path());
        }
    }

    /// An nginx of its own, so that it counts nothing else.
    pub(super) fn side_service(&self, locations: &str) -> Result<Server, String> {
        self.start_nginx("side", OTHER_CORE, self.side_port, locations)
    }

    /// The least nginx can do for this job: the credential in a header, connections kept.
    pub(super) fn nginx(&self) -> Result<Server, String> {
        let server = "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
                      proxy_set_header Authorization \"Basic YmVuY2g6bWFyaw==\"; }";
        self.start_nginx("nginx", PROXY_CORE, free_port()?, server)
    }

    /// Everything on, in front of the upstream.
    pub(super) fn keyward(&self, set_up: &SetUp) -> Result<Server, String> {
        let SetUp { name, rules, authenticator, .. } = *set_up;
        let (port, api_port, metrics_port, upstream_port) =
            (free_port()?, free_port()?, free_port()?, self.upstream_port);
        let directory = self.directory.display();
        let (handler, settings, rule_settings) =
            authenticator.settings(&format!("{directory}/keys.json"), self.side_port);
        let mut text = String::new();
        for number in 0..rules {
            let path = if number == rules / 2 { "jira".to_owned() } else { format!("service-{number}") };
            let _ = write!(
                text,
                "- id: rule-{number}\n  match: {{url: \"http://127.0.0.1:{port}/{path}/<**>\", methods: [GET, POST]}}\n  \
                 authenticators: [{{handler: {handler}, config: {{{rule_settings}}}}}]\n  \
                 authorizer: {{handler: allow}}\n  \
                 mutators: [{{handler: header, config: {{headers: {{Authorization: \"Basic {{{{ env \\\"BENCH_SECRET\\\" }}}}\"}}}}}}]\n  \
                 upstream: {{url: \"http://127.0.0.1:{upstream_port}\", strip_path: /{path}}}\n"
            );
        }
        let rules = self.write(&format!("{name}.rules.yaml"), &text)?;
        let configuration = format!(
            "serve:\n  proxy: {{host: 127.0.0.1, port: {port}, workers: 1}}\n  \
             api: {{host: 127.0.0.1, port: {api_port}}}\n  prometheus: {{host: 127.0.0.1, port: {metrics_port}}}\n\
             access_rules: {{matching_strategy: glob, repositories: [\"file://{}\"]}}\n\
             authenticators: {{{handler}: {{enabled: true, config: {{{settings}}}}}}}\n\
             authorizers: {{allow: {{enabled: true}}}}\nmutators: {{header: {{enabled: true}}}}\n\
             secrets: {{env_dir: \"{directory}/env\"}}\nlog: {{level: error}}\n\
             audit: {{sink: file, path: \"{directory}/audit/{name}.log\"}}\n",
            rules.display(),
        );
        let file = self.write(&format!("{name}.yaml"), &configuration)?;
        let binary = self.binary.display().to_string();
        Server::start(
            &format!("keyward-{name}"),
            PROXY_CORE,
            port,
            vec![binary, "serve".to_owned(), "-c".to_owned(), file.display().to_string()],
        )
    }

    /// Drives a port for some seconds; how many requests were answered well. Any other answer is an
    /// error: it would be measured as something it is not.
    pub(super) fn wrk(
        &self,
        port: u16,
        authenticator: Authenticator,
        connections: u32,
        seconds: u32,
    ) -> Result<u64, String> {
        let text = output(
            Command::new("taskset")
                .args(["-c", OTHER_CORE, "wrk", "-t1"])
                .arg(format!("-c{connections}"))
                .arg(format!("-d{seconds}s"))
                .arg("-H")
                .arg(authenticator.credential(&self.token))
                .arg(format!("http://127.0.0.1:{port}/jira/rest/api/2/issue/DEMO-1")),
        )?;
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("port {port} answered badly:\n{text}"));
        }
        let line = text.lines().find(|line| line.contains(" requests in ")).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("wrk said:\n{text}"))
    }
}

/// A port that nobody listens on, so that runs do not meet.
pub(super) fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| format!("no port is free: {error}"))
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("a command failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
