//! A running Vault, or OpenBao, that does what a case wants of it: `KEYWARD_VAULT_ADDR` is its URL, on this machine,
//! `KEYWARD_VAULT_TOKEN` a root token, and `KEYWARD_VAULT_UNSEAL_KEY` the one key that unseals it, if it may be sealed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::exchange::Answer;
use super::{APPROLE, Front, KUBERNETES, MOUNT, ROLE, ROLE_ID, SECRET_ID, Server, reviews};
use crate::pki::Authority;
use crate::process::PATIENCE;
use crate::wire::{Message, exchange};

/// Whoever has it may change the server.
static ALONE: Mutex<()> = Mutex::new(());

/// The server, whose test mounts are new.
pub struct Real {
    port: u16,
    root: String,
    key: Option<String>,
    front: Front,
    reviews: String,
    changed: Mutex<Changed>,
    _alone: MutexGuard<'static, ()>,
}

#[derive(Default)]
struct Changed {
    namespace: Option<String>,
    forbidden: Vec<String>,
    given: Vec<String>,
}

impl Real {
    /// Empties the test mounts of the server that variables name; `None` where they name none.
    ///
    /// # Panics
    /// When it is not on this machine, or does not answer as it should.
    pub fn start() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let address = variable("KEYWARD_VAULT_ADDR")?;
        let port = address.trim_end_matches('/').strip_prefix("http://127.0.0.1:").and_then(|port| port.parse().ok());
        let port = port.expect("KEYWARD_VAULT_ADDR must be like http://127.0.0.1:8200");
        let root = variable("KEYWARD_VAULT_TOKEN").expect("KEYWARD_VAULT_TOKEN must be a root token");
        let front = Front::start(move |message| Answer::read(&forward(port, message)));
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let key = variable("KEYWARD_VAULT_UNSEAL_KEY");
        let reviews = reviews::start();
        let real = Self { port, root, key, front, reviews, changed: Mutex::default(), _alone: alone };
        real.set_up();
        Some(real)
    }

    fn set_up(&self) {
        self.may("DELETE", &format!("sys/mounts/{MOUNT}"), Value::Null);
        self.tell("POST", &format!("sys/mounts/{MOUNT}"), json!({"type": "kv", "options": {"version": "2"}}));
        for (mount, kind) in [(KUBERNETES, "kubernetes"), (APPROLE, "approle")] {
            self.may("DELETE", &format!("sys/auth/{mount}"), Value::Null);
            self.tell("POST", &format!("sys/auth/{mount}"), json!({"type": kind}));
        }
        // An authority is wanted even where there is no TLS.
        let config = json!({
            "kubernetes_host": self.reviews,
            "disable_local_ca_jwt": true,
            "kubernetes_ca_cert": Authority::new().certificate,
            "token_reviewer_jwt": "reviewer",
        });
        self.tell("POST", &format!("auth/{KUBERNETES}/config"), config);
        self.write_policy();
        // A new engine of the second version refuses everything for a while.
        self.until("the engine", || self.may("GET", &format!("{MOUNT}/config"), Value::Null).status() == 200);
    }

    fn write_policy(&self) {
        let denied = self.changed.lock().unwrap().forbidden.clone();
        let denied = denied.iter().map(|path| format!("path \"{path}\" {{ capabilities = [\"deny\"] }}\n"));
        let allowed =
            [MOUNT, "keyward-none"].map(|mount| format!("path \"{mount}/data/*\" {{ capabilities = [\"read\"] }}\n"));
        let policy: String = allowed.into_iter().chain(denied).collect();
        self.tell("PUT", &format!("sys/policies/acl/{MOUNT}"), json!({"policy": policy}));
    }

    fn tell(&self, method: &str, path: &str, body: Value) -> Message {
        let answer = self.may(method, path, body);
        assert!(answer.status() < 300, "{method} {path}: {} {}", answer.status(), answer.text());
        answer
    }

    /// Asks for something that may be refused.
    fn may(&self, method: &str, path: &str, body: Value) -> Message {
        let namespace = self.changed.lock().unwrap().namespace.clone();
        let namespace = namespace.map(|name| format!("X-Vault-Namespace: {name}\r\n")).unwrap_or_default();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Vault-Request: true\r\nX-Vault-Token: {}\r\n{namespace}\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.root,
            body.len()
        );
        exchange(self.port, request.as_bytes(), PATIENCE).unwrap()
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() < PATIENCE, "{what} is not ready");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn forward(port: u16, message: &Message) -> Message {
    let kept = message.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection"));
    let headers: String = kept.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{}\r\n{headers}connection: close\r\n\r\n", message.start);
    exchange(port, &[head.as_bytes(), &message.body].concat(), PATIENCE).unwrap()
}

impl Server for Real {
    fn front(&self) -> &Front {
        &self.front
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn put(&self, path: &str, data: &Value) {
        self.tell("POST", &format!("{MOUNT}/data/{}", super::escaped(path)), json!({"data": data}));
    }

    fn delete(&self, path: &str, version: u64) {
        self.tell("POST", &format!("{MOUNT}/delete/{path}"), json!({"versions": [version]}));
    }

    fn destroy(&self, path: &str, version: u64) {
        self.tell("POST", &format!("{MOUNT}/destroy/{path}"), json!({"versions": [version]}));
    }

    fn token(&self, token: &str, seconds: u64) {
        self.may("POST", "auth/token/revoke", json!({"token": token}));
        let wanted = match seconds {
            0 => json!({"id": token, "policies": ["root"], "no_parent": true}),
            _ => json!({"id": token, "policies": [MOUNT], "ttl": format!("{seconds}s"), "no_parent": true}),
        };
        self.tell("POST", "auth/token/create", wanted);
        self.changed.lock().unwrap().given.push(token.to_owned());
    }

    fn logins(&self, seconds: u64, renewable: bool) {
        let kind = if renewable { "default" } else { "batch" };
        let token = json!({"token_ttl": seconds, "token_policies": [MOUNT], "token_type": kind});
        let with = |more: Value| {
            let members = token.as_object().unwrap().iter().chain(more.as_object().unwrap());
            members.map(|(name, value)| (name.clone(), value.clone())).collect::<Value>()
        };
        let accounts =
            json!({"bound_service_account_names": [ROLE], "bound_service_account_namespaces": [reviews::NAMESPACE]});
        self.tell("POST", &format!("auth/{KUBERNETES}/role/{ROLE}"), with(accounts));
        let role = format!("auth/{APPROLE}/role/{ROLE}");
        self.tell("POST", &role, with(json!({"role_id": ROLE_ID})));
        self.tell("POST", &format!("{role}/custom-secret-id"), json!({"secret_id": SECRET_ID}));
    }

    fn revoke_all(&self) {
        let given = self.changed.lock().unwrap().given.clone();
        for token in given.into_iter().chain(self.front.tokens()) {
            self.may("POST", "auth/token/revoke", json!({"token": token}));
        }
    }

    fn forbid(&self, path: &str) {
        self.changed.lock().unwrap().forbidden.push(path.to_owned());
        self.write_policy();
    }

    fn enter(&self, namespace: &str) -> bool {
        self.may("DELETE", &format!("sys/namespaces/{namespace}"), Value::Null);
        let made = || self.may("POST", &format!("sys/namespaces/{namespace}"), Value::Null).status();
        if matches!(made(), 404 | 405) {
            return false;
        }
        self.until("the namespace", || made() == 200);
        self.changed.lock().unwrap().namespace = Some(namespace.to_owned());
        self.set_up();
        true
    }

    fn seal(&self) -> bool {
        if self.key.is_some() {
            self.tell("PUT", "sys/seal", Value::Null);
        }
        self.key.is_some()
    }

    fn unseal(&self) {
        self.tell("PUT", "sys/unseal", json!({"key": self.key}));
        self.until("the unsealed server", || self.may("GET", "sys/health", Value::Null).status() == 200);
    }
}
