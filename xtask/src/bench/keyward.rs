//! Keyward under test: everything on, in front of the upstream.

use std::fmt::Write as _;

use keyward_testkit::ports::free_port;

use super::process::Server;
use super::set_ups::SetUp;
use super::setup::{PROXY_CORE, Spoken, Stage};

/// What a set-up leaves open.
pub(super) struct Wiring {
    pub(super) spoken: Spoken,
    /// The most connections of callers; the default where there is none.
    pub(super) connections: Option<u32>,
    /// What verified tokens may take; the default where there is none.
    pub(super) token_cache_bytes: Option<u64>,
    /// Threads that serve.
    pub(super) workers: u32,
    /// Where they run, as `taskset` has it.
    pub(super) cores: &'static str,
}

/// Configured, and not started yet.
pub(super) struct Keyward {
    name: String,
    cores: &'static str,
    command: Vec<String>,
    pub(super) port: u16,
    pub(super) api_port: u16,
}

impl Default for Wiring {
    fn default() -> Self {
        Self { spoken: Spoken::Http1, connections: None, token_cache_bytes: None, workers: 1, cores: PROXY_CORE }
    }
}

impl Keyward {
    /// Starts it and doesn't wait.
    pub(super) fn launch(&self) -> Result<Server, String> {
        Server::launch(&self.name, self.cores, self.port, self.command.clone())
    }
}

impl Stage {
    /// Over HTTP/1.1, without TLS.
    pub(super) fn keyward(&self, set_up: &SetUp) -> Result<Server, String> {
        self.keyward_wired(set_up, &Wiring::default())
    }

    /// The same with other connections.
    pub(super) fn keyward_wired(&self, set_up: &SetUp, wiring: &Wiring) -> Result<Server, String> {
        let Keyward { name, cores, command, port, .. } = self.keyward_configured(set_up, wiring)?;
        Server::start(&name, cores, port, command)
    }

    /// Writes what it reads.
    pub(super) fn keyward_configured(&self, set_up: &SetUp, wiring: &Wiring) -> Result<Keyward, String> {
        let name = set_up.name;
        let (port, api_port, metrics_port) = (free_port(), free_port(), free_port());
        let directory = self.directory.display();
        let keys = format!("{directory}/keys.json");
        let (handler, settings, rule_settings) = set_up.authenticator.settings(&keys, self.side_port);
        let rules =
            self.rules(set_up, wiring.spoken, port, &format!("{{handler: {handler}, config: {{{rule_settings}}}}}"));
        let rules = self.write(&format!("{name}.rules.yaml"), &rules)?;
        let mut proxy = format!("host: 127.0.0.1, port: {port}, workers: {}", wiring.workers);
        let connections = wiring.connections.map(|connections| format!("connections: {connections}"));
        let tokens = wiring.token_cache_bytes.map(|bytes| format!("token_cache_bytes: {bytes}"));
        let limits: Vec<_> = connections.into_iter().chain(tokens).collect();
        let _ = write!(proxy, ", limits: {{{}}}", limits.join(", "));
        if wiring.spoken != Spoken::Http1 {
            let _ = write!(
                proxy,
                ", upstream: {{ca_files: [\"{directory}/authority.pem\"]}}, \
                 tls: {{cert: {{path: \"{directory}/certificate.pem\"}}, key: {{path: \"{directory}/certificate.key\"}}}}"
            );
        }
        let configuration = format!(
            "serve:\n  proxy: {{{proxy}}}\n  \
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
        let command = vec![binary, "serve".to_owned(), "-c".to_owned(), file.display().to_string()];
        Ok(Keyward { name: format!("keyward-{name}"), cores: wiring.cores, command, port, api_port })
    }

    /// The one in use is in the middle of the others.
    fn rules(&self, set_up: &SetUp, spoken: Spoken, port: u16, authenticator: &str) -> String {
        let (scheme, host, upstream_port) = (spoken.scheme(), spoken.host(), self.port_speaking(spoken));
        let rule = |number: u32| {
            let path = if number == set_up.rules / 2 { "jira".to_owned() } else { format!("service-{number}") };
            format!(
                "- id: rule-{number}\n  match: {{url: \"{scheme}://{host}:{port}/{path}/<**>\", methods: [GET, POST]}}\n  \
                 authenticators: [{authenticator}]\n  \
                 authorizer: {{handler: allow}}\n  \
                 mutators: [{{handler: header, config: {{headers: {{Authorization: \"Basic {{{{ env \\\"BENCH_SECRET\\\" }}}}\"}}}}}}]\n  \
                 upstream: {{url: \"{scheme}://{host}:{upstream_port}\", strip_path: /{path}}}\n"
            )
        };
        (0..set_up.rules).map(rule).collect()
    }
}
