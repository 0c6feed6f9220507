//! Plays one scenario: fresh directory, side servers, the binary, the steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::marks;
use super::recorder::{Recorder, text_of};
use crate::ports::{ReservedPort, reserve};
use crate::wire;

/// What scenarios share: the data directory (`keys/`, `tokens.json`) and the binary.
pub struct Player {
    /// The repository's `conformance` directory.
    pub data: PathBuf,
    /// The binary under test.
    pub binary: PathBuf,
    tokens: BTreeMap<String, String>,
}

impl Player {
    /// Reads the tokens.
    pub fn new(data: impl Into<PathBuf>, binary: impl Into<PathBuf>) -> Self {
        let data = data.into();
        let tokens = serde_json::from_slice(&fs::read(data.join("tokens.json")).unwrap()).unwrap();
        Self { data, binary: binary.into(), tokens }
    }

    /// Plays a scenario and returns what happened, in the shape of its recording, and the log.
    pub fn play(&self, scenario: &Value) -> (Value, String) {
        let directory = tempfile::tempdir().unwrap();
        let (upstream, stub) = (Recorder::start(true), Recorder::start(false));
        let stage = Stage::new(self, directory.path(), &upstream, &stub);
        for (recorder, key) in [(&upstream, "upstream"), (&stub, "stub")] {
            let script = scenario[key].as_array().cloned().unwrap_or_default();
            recorder.script(script.iter().map(|entry| stage.expand_all(entry)).collect());
        }
        stage.lay_out(scenario);
        let mut process = match scenario["serve"] {
            Value::Bool(false) => None,
            _ => Some(stage.start(scenario)),
        };
        let started = match &mut process {
            Some(child) => stage.wait_until_ready(child, scenario),
            None => "ready".to_owned(),
        };
        upstream.take();
        let at_start = stub.take();
        let mut outcome = Map::new();
        outcome.insert("start".into(), started.clone().into());
        if scenario["record_start_calls"] == true {
            outcome.insert("start_calls".into(), stage.clean(&Value::Array(at_start)));
        }
        let mut steps = Vec::new();
        if started == "ready" {
            for step in scenario["steps"].as_array().into_iter().flatten() {
                steps.extend(stage.step(step, &upstream, &stub));
            }
        }
        outcome.insert("steps".into(), steps.into());
        if let Some(child) = &mut process {
            stop(child);
        }
        let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        (Value::Object(outcome), log)
    }
}

struct Stage<'p> {
    player: &'p Player,
    directory: &'p Path,
    names: BTreeMap<&'static str, String>,
    /// Nobody else's while the scenario is played.
    _ports: Vec<ReservedPort>,
}

impl<'p> Stage<'p> {
    fn new(player: &'p Player, directory: &'p Path, upstream: &Recorder, stub: &Recorder) -> Self {
        let mut names = BTreeMap::from([("DIR", directory.display().to_string())]);
        let mut ports = Vec::new();
        for name in ["PROXY_PORT", "API_PORT", "METRICS_PORT", "CLOSED_PORT"] {
            let port = reserve();
            names.insert(name, port.number().to_string());
            ports.push(port);
        }
        names.insert("UPSTREAM_PORT", upstream.port.to_string());
        names.insert("UPSTREAM", format!("http://127.0.0.1:{}", upstream.port));
        names.insert("STUB_PORT", stub.port.to_string());
        names.insert("STUB", format!("http://127.0.0.1:{}", stub.port));
        Self { player, directory, names, _ports: ports }
    }

    fn port(&self, name: &str) -> u16 {
        self.names[name].parse().unwrap()
    }

    /// Fills in `${NAME}`, `${TOKEN:name}` and `${FILE:path}`.
    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            let name = &rest[start + 2..start + length];
            let value = match name.split_once(':') {
                Some(("TOKEN", token)) => self.player.tokens.get(token).cloned(),
                Some(("FILE", path)) => fs::read_to_string(self.player.data.join(path)).ok(),
                _ => self.names.get(name).cloned(),
            };
            expanded.push_str(&rest[..start]);
            expanded.push_str(&value.unwrap_or_else(|| rest[start..=start + length].to_owned()));
            rest = &rest[start + length + 1..];
        }
        expanded.push_str(rest);
        // A file may itself hold placeholders.
        if text.contains("${FILE:") && expanded.contains("${") { self.expand(&expanded) } else { expanded }
    }

    fn expand_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.expand(text).into(),
            Value::Array(list) => list.iter().map(|value| self.expand_all(value)).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (key.clone(), self.expand_all(value))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    /// Puts the placeholders back.
    fn clean(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.clone();
                for (name, value) in longest_first(&self.names) {
                    text = text.replace(value, &format!("${{{name}}}"));
                }
                for (name, token) in longest_first(&self.player.tokens) {
                    text = text.replace(token, &format!("${{TOKEN:{name}}}"));
                }
                marks::mark(&text).into()
            }
            Value::Array(list) => list.iter().map(|value| self.clean(value)).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (key.clone(), self.clean(value))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn lay_out(&self, scenario: &Value) {
        for name in ["jwks.json", "ec.jwks.json", "oct.jwks.json", "id_token.jwks.json"] {
            let source = self.player.data.join("keys").join(name);
            if source.exists() {
                fs::copy(source, self.directory.join(name)).unwrap();
            }
        }
        let mut files = vec![("config.yaml", &scenario["config"]), ("rules.yaml", &scenario["rules"])];
        files.extend(scenario["files"].as_object().into_iter().flatten().map(|(name, text)| (name.as_str(), text)));
        for (name, text) in files {
            if let Some(text) = text.as_str() {
                let path = self.directory.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, self.expand(text)).unwrap();
            }
        }
    }

    fn command(&self, scenario_env: &Value) -> Command {
        let mut command = Command::new(&self.player.binary);
        command.current_dir(self.directory).env_clear().env("HOME", self.directory);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, value) in scenario_env.as_object().into_iter().flatten() {
            command.env(name, self.expand(&text_of(value)));
        }
        command
    }

    fn start(&self, scenario: &Value) -> Child {
        let log = fs::File::create(self.directory.join("log")).unwrap();
        let mut command = self.command(&scenario["env"]);
        command.arg("serve").arg("-c").arg(self.directory.join("config.yaml"));
        for flag in scenario["flags"].as_array().into_iter().flatten() {
            command.arg(self.expand(&text_of(flag)));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn wait_until_ready(&self, child: &mut Child, scenario: &Value) -> String {
        let limit = Duration::from_secs(scenario["start_timeout_s"].as_u64().unwrap_or(15));
        let begun = Instant::now();
        let (api, proxy) = (self.port("API_PORT"), self.port("PROXY_PORT"));
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return format!("exits {}", if status.success() { "0" } else { "non-zero" });
            }
            let alive = wire::exchange(
                api,
                b"GET /health/alive HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                Duration::from_secs(2),
            );
            let listening = std::net::TcpStream::connect(("127.0.0.1", proxy)).is_ok();
            if alive.is_ok_and(|answer| answer.status() == 200) && listening {
                return "ready".to_owned();
            }
            if begun.elapsed() > limit {
                return "not ready".to_owned();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn step(&self, step: &Value, upstream: &Recorder, stub: &Recorder) -> Option<Value> {
        if let Some(wait) = step["wait_ms"].as_u64() {
            thread::sleep(Duration::from_millis(wait));
            return None;
        }
        if let Some(files) = step["write"].as_object() {
            for (name, text) in files {
                let fresh = self.directory.join(format!("{name}.new"));
                fs::write(&fresh, self.expand(&text_of(text))).unwrap();
                fs::rename(fresh, self.directory.join(name)).unwrap();
            }
            return None;
        }
        if let Some(arguments) = step["run"].as_array() {
            let mut command = self.command(&step["env"]);
            command.args(arguments.iter().map(|argument| self.expand(&text_of(argument))));
            let output = command.output().unwrap();
            return Some(self.clean(&json!({
                "exit": output.status.code(),
                "stdout": String::from_utf8_lossy(&output.stdout),
                "stderr": String::from_utf8_lossy(&output.stderr),
            })));
        }
        Some(self.request(&step["request"], upstream, stub))
    }

    fn request(&self, asked: &Value, upstream: &Recorder, stub: &Recorder) -> Value {
        let port = self.port(match asked["port"].as_str() {
            Some("api") => "API_PORT",
            Some("metrics") => "METRICS_PORT",
            _ => "PROXY_PORT",
        });
        let method = asked["method"].as_str().unwrap_or("GET");
        let mut headers: Vec<(String, String)> = match &asked["headers"] {
            Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), text_of(value))).collect(),
            Value::Array(list) => list.iter().map(|pair| (text_of(&pair[0]), text_of(&pair[1]))).collect(),
            _ => Vec::new(),
        };
        let has =
            |headers: &[(String, String)], name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !has(&headers, "host") {
            headers.insert(0, ("Host".into(), format!("127.0.0.1:{port}")));
        }
        let body = asked["body"].as_str().map(|body| self.expand(body));
        if let Some(body) = &body
            && !has(&headers, "content-length")
            && !has(&headers, "transfer-encoding")
        {
            headers.push(("Content-Length".into(), body.len().to_string()));
        }
        let mut request = format!("{method} {} HTTP/1.1\r\n", self.expand(&text_of(&asked["target"])));
        for (name, value) in &headers {
            request.push_str(&format!("{name}: {}\r\n", self.expand(value)));
        }
        request.push_str("\r\n");
        request.push_str(body.as_deref().unwrap_or_default());
        let timeout = Duration::from_secs(asked["timeout_s"].as_u64().unwrap_or(10));
        let mut seen = match wire::exchange(port, request.as_bytes(), timeout) {
            Ok(answer) => {
                let mut lines: Vec<Value> = answer.headers.iter().map(|(name, value)| json!([name, value])).collect();
                lines.sort_by_key(Value::to_string);
                json!({"status": answer.status(), "headers": lines, "body": answer.text()})
            }
            Err(error) => json!({"error": format!("{:?}", error.kind())}),
        };
        thread::sleep(Duration::from_millis(asked["settle_ms"].as_u64().unwrap_or(0)));
        // What the recording client adds by itself is no behaviour.
        let asked_encoding = has(&headers, "accept-encoding");
        for (key, recorder) in [("upstream", upstream), ("stub", stub)] {
            let mut calls = recorder.take();
            for call in &mut calls {
                if let Some(lines) = call["headers"].as_array_mut() {
                    lines.retain(|line| asked_encoding || !text_of(&line[0]).eq_ignore_ascii_case("accept-encoding"));
                }
            }
            seen[key] = calls.into();
        }
        if let (Some(only), Some(map)) = (asked["only"].as_array(), seen.as_object_mut()) {
            map.retain(|key, _| only.iter().any(|wanted| wanted == key));
        }
        self.clean(&seen)
    }
}

/// Values that hold others come before them.
fn longest_first<N>(values: &BTreeMap<N, String>) -> Vec<(&N, &String)> {
    let mut all: Vec<_> = values.iter().collect();
    all.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    all
}

/// SIGTERM first, as an orchestrator does; SIGKILL when that takes too long.
fn stop(child: &mut Child) {
    if child.try_wait().unwrap().is_some() {
        return;
    }
    let _ = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if child.try_wait().unwrap().is_some() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}
