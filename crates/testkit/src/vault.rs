//! The part of HashiCorp Vault's API that hands out secrets and tokens, as it is documented
//! (<https://developer.hashicorp.com/vault/api-docs>): KV version 2, tokens, Kubernetes and AppRole logins.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::scripted::upstream;
use crate::wire::{Message, read_request};

/// A Vault on loopback.
#[derive(Clone)]
pub struct Vault {
    /// Its port.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

/// What is in force. Tests change it as they like.
#[derive(Default)]
pub struct State {
    /// Versions of secrets, by mount and path, such as `secret/app`; the first is number 1.
    pub secrets: BTreeMap<String, Vec<Version>>,
    /// Tokens that are good, with the seconds that they live, 0 for ever.
    pub tokens: BTreeMap<String, u64>,
    /// What logins tell, by the path below `auth/`, and the body that must be sent; and the seconds that its tokens live.
    pub logins: Vec<(String, Value, u64)>,
    /// Paths that no token may use, such as `secret/data/app` or `auth/token/renew-self`.
    pub forbidden: Vec<String>,
    /// The namespace that must be named.
    pub namespace: Option<String>,
    /// Everything is answered with 503.
    pub is_sealed: bool,
    /// Raw answers that come first, one each.
    pub faults: Vec<Vec<u8>>,
    /// Every request so far.
    pub asked: Vec<Message>,
    issued: u32,
}

/// A version of a secret.
#[derive(Clone, Debug)]
pub enum Version {
    /// What it holds.
    There(Value),
    /// Deleted, and can be had back.
    Deleted,
    /// Deleted for good.
    Destroyed,
}

impl Vault {
    /// Starts one that holds nothing and knows nobody.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let port = upstream(move |mut stream: TcpStream| {
            let Ok(Some(request)) = read_request(&mut BufReader::new(&stream)) else { return };
            let answer = shared.lock().unwrap().answer(request);
            let _ = stream.write_all(&answer);
        });
        Self { port, state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What is in force.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Methods and paths of every request so far, without `/v1/`.
    pub fn asked(&self) -> Vec<String> {
        let asked = |request: &Message| {
            let (method, target) = request.method_and_target();
            format!("{method} {}", target.trim_start_matches("/v1/"))
        };
        self.state().asked.iter().map(asked).collect()
    }
}

impl State {
    fn answer(&mut self, request: Message) -> Vec<u8> {
        self.asked.push(request.clone());
        if !self.faults.is_empty() {
            return self.faults.remove(0);
        }
        let (status, body) = self.judge(&request).unwrap_or_else(|(status, why)| (status, json!({"errors": [why]})));
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        format!("{head}{body}").into_bytes()
    }

    fn judge(&mut self, request: &Message) -> Result<(&'static str, Value), (&'static str, &'static str)> {
        const FORBIDDEN: (&str, &str) = ("403 Forbidden", "permission denied");
        if self.is_sealed {
            return Err(("503 Service Unavailable", "Vault is sealed"));
        }
        if request.header("x-vault-request") != Some("true")
            || request.header("x-vault-namespace") != self.namespace.as_deref()
        {
            return Err(FORBIDDEN);
        }
        let (method, target) = request.method_and_target();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix("/v1/").ok_or(("404 Not Found", "no handler for route"))?;
        if let Some(login) = path.strip_prefix("auth/").filter(|path| path.ends_with("/login")) {
            let body: Value = serde_json::from_slice(&request.body).map_err(|_| ("400 Bad Request", "no JSON"))?;
            let known = |(at, needs, _): &&(String, Value, u64)| at == login && *needs == body;
            let ttl =
                self.logins.iter().find(known).map(|(.., ttl)| *ttl).ok_or(("400 Bad Request", "invalid role"))?;
            self.issued += 1;
            let token = format!("hvs.issued-{}", self.issued);
            self.tokens.insert(token.clone(), ttl);
            return Ok(("200 OK", auth(&token, ttl)));
        }
        let token = request.header("x-vault-token").ok_or(FORBIDDEN)?;
        let ttl = *self.tokens.get(token).ok_or(FORBIDDEN)?;
        if self.forbidden.iter().any(|forbidden| forbidden == path) {
            return Err(FORBIDDEN);
        }
        match (method, path) {
            ("POST", "auth/token/renew-self") if ttl > 0 => Ok(("200 OK", auth(token, ttl))),
            ("POST", "auth/token/renew-self") => Err(("400 Bad Request", "lease is not renewable")),
            ("GET", "auth/token/lookup-self") => Ok((
                "200 OK",
                json!({"data": {"id": token, "ttl": ttl, "renewable": ttl > 0, "policies": ["default"]}}),
            )),
            ("GET", path) => self.read(path, query).ok_or(("404 Not Found", "")),
            _ => Err(("405 Method Not Allowed", "unsupported operation")),
        }
    }

    fn read(&self, path: &str, query: &str) -> Option<(&'static str, Value)> {
        let versions = self.secrets.get(&path.replacen("/data/", "/", 1)).filter(|_| path.contains("/data/"))?;
        let number = match query.strip_prefix("version=") {
            Some(number) => number.parse().ok()?,
            None => versions.len(),
        };
        let metadata = |deleted: &str, destroyed: bool| {
            json!({"version": number, "destroyed": destroyed, "deletion_time": deleted, "custom_metadata": null,
                   "created_time": "2026-11-24T10:00:00.000000000Z"})
        };
        Some(match versions.get(number.checked_sub(1)?)? {
            Version::There(data) => ("200 OK", json!({"data": {"data": data, "metadata": metadata("", false)}})),
            Version::Deleted => {
                let metadata = metadata("2026-11-25T10:00:00.000000000Z", false);
                ("404 Not Found", json!({"data": {"data": null, "metadata": metadata}}))
            }
            Version::Destroyed => ("404 Not Found", json!({"data": {"data": null, "metadata": metadata("", true)}})),
        })
    }
}

fn auth(token: &str, ttl: u64) -> Value {
    json!({"auth": {"client_token": token, "lease_duration": ttl, "renewable": ttl > 0, "policies": ["default"]}})
}
