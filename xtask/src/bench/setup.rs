//! What is measured: an upstream, nginx in front of it, Keyward in front of it, and the load generator.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::Server;

const PROXY_CORE: &str = "0";
const OTHER_CORE: &str = "1";
const UPSTREAM_PORT: u16 = 18_080;
const NGINX_PORT: u16 = 18_081;
/// Keyward's: proxy, API and metrics each take one from here on.
const KEYWARD_PORTS: u16 = 18_090;

/// Files and names of one run.
pub(super) struct Stage {
    binary: PathBuf,
    directory: PathBuf,
    token: String,
    next_port: std::cell::Cell<u16>,
}

impl Stage {
    pub(super) fn new(binary: PathBuf) -> Result<Self, String> {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let directory = directory.canonicalize().map_err(|error| error.to_string())?;
        let key = output(Command::new(&binary).args(["credentials", "generate", "--alg", "RS256"]))?;
        fs::write(directory.join("keys.json"), key).map_err(|error| error.to_string())?;
        let token = output(
            Command::new(&binary)
                .args(["token", "--sub", "bench", "--scope", "jira:read", "--ttl", "86400", "--key"])
                .arg(directory.join("keys.json")),
        )?;
        Ok(Self { binary, directory, token: token.trim().to_owned(), next_port: KEYWARD_PORTS.into() })
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    fn start_nginx(&self, name: &str, core: &str, port: u16, server: &str) -> Result<Server, String> {
        let directory = self.directory.display();
        let configuration = format!(
            "daemon off; worker_processes 1; pid {directory}/{name}.pid; error_log stderr crit;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {directory}/{name}.body;\n\
             proxy_temp_path {directory}/{name}.proxy; fastcgi_temp_path {directory}/{name}.f;\n\
             uwsgi_temp_path {directory}/{name}.u; scgi_temp_path {directory}/{name}.s;\n\
             upstream up {{ server 127.0.0.1:{UPSTREAM_PORT}; keepalive 512; keepalive_requests 1000000000; }}\n\
             server {{ listen 127.0.0.1:{port} backlog=1024; {server} }} }}\n"
        );
        let file = self.write(&format!("{name}.conf"), &configuration)?;
        let arguments = ["nginx", "-c"].map(str::to_owned).into_iter().chain([file.display().to_string()]).collect();
        Server::start(name, core, port, arguments)
    }

    pub(super) fn upstream(&self) -> Result<Server, String> {
        let server = "location / { default_type application/json; return 200 '{\"key\":\"DEMO-1\",\"fields\":{\"summary\":\"benchmark\"}}'; }";
        self.start_nginx("upstream", OTHER_CORE, UPSTREAM_PORT, server)
    }

    /// The least nginx can do for this job: the credential in a header, connections kept.
    pub(super) fn nginx(&self) -> Result<Server, String> {
        let server = "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
                      proxy_set_header Authorization \"Basic YmVuY2g6bWFyaw==\"; }";
        self.start_nginx("nginx", PROXY_CORE, NGINX_PORT, server)
    }

    /// Everything on: RS256 tokens, scopes, injection, audit records to a file, metrics.
    pub(super) fn keyward(&self, name: &str, rules: u32) -> Result<Server, String> {
        let port = self.next_port.get();
        self.next_port.set(port + 3);
        let directory = self.directory.display();
        let mut text = String::new();
        for number in 0..rules {
            let path = if number == rules / 2 { "jira".to_owned() } else { format!("service-{number}") };
            let _ = write!(
                text,
                "- id: rule-{number}\n  match: {{url: \"http://127.0.0.1:{port}/{path}/<**>\", methods: [GET, POST]}}\n  \
                 authenticators: [{{handler: jwt, config: {{required_scope: [\"jira:read\"]}}}}]\n  \
                 authorizer: {{handler: allow}}\n  \
                 mutators: [{{handler: header, config: {{headers: {{Authorization: \"Basic {{{{ env \\\"BENCH_SECRET\\\" }}}}\"}}}}}}]\n  \
                 upstream: {{url: \"http://127.0.0.1:{UPSTREAM_PORT}\", strip_path: /{path}}}\n"
            );
        }
        let rules = self.write(&format!("{name}.rules.yaml"), &text)?;
        let configuration = format!(
            "serve:\n  proxy: {{host: 127.0.0.1, port: {port}, workers: 1}}\n  \
             api: {{host: 127.0.0.1, port: {}}}\n  prometheus: {{host: 127.0.0.1, port: {}}}\n\
             access_rules: {{matching_strategy: glob, repositories: [\"file://{}\"]}}\n\
             authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: [\"file://{directory}/keys.json\"], \
             trusted_issuers: [\"http://token-issuer:8080\"], target_audience: [oathkeeper-proxy], scope_strategy: exact}}}}}}\n\
             authorizers: {{allow: {{enabled: true}}}}\nmutators: {{header: {{enabled: true}}}}\n\
             secrets: {{env_dir: \"{directory}/env\"}}\nlog: {{level: error}}\n\
             audit: {{sink: file, path: \"{directory}/audit/{name}.log\"}}\n",
            port + 1,
            port + 2,
            rules.display(),
        );
        fs::create_dir_all(self.directory.join("env")).map_err(|error| error.to_string())?;
        self.write("env/BENCH_SECRET", "YmVuY2g6bWFyaw==")?;
        // Records of an earlier run are of no interest.
        let _ = fs::remove_file(self.directory.join(format!("audit/{name}.log")));
        fs::create_dir_all(self.directory.join("audit")).map_err(|error| error.to_string())?;
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
    pub(super) fn wrk(&self, port: u16, connections: u32, seconds: u32) -> Result<u64, String> {
        let text = output(
            Command::new("taskset")
                .args(["-c", OTHER_CORE, "wrk", "-t1"])
                .arg(format!("-c{connections}"))
                .arg(format!("-d{seconds}s"))
                .arg("-H")
                .arg(format!("Authorization: Bearer {}", self.token))
                .arg(format!("http://127.0.0.1:{port}/jira/rest/api/2/issue/DEMO-1")),
        )?;
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("port {port} answered badly:\n{text}"));
        }
        let line = text.lines().find(|line| line.contains(" requests in ")).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("wrk said:\n{text}"))
    }
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("a command failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
