//! The part of Vault's API that hands out secrets and tokens: KV version 2, tokens, Kubernetes and AppRole logins. It is
//! written after the documentation (<https://developer.hashicorp.com/vault/api-docs>), and answers as OpenBao did where
//! that was recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::exchange::{Answer, Request};
use super::token::Token;
use super::{
    APPROLE, Front, KUBERNETES, MOUNT, ROLE, ROLE_ID, SECRET_ID, Server, account_token, escaped, strangers_token,
};

/// A Vault on loopback that knows nobody and holds nothing.
pub struct Double {
    front: Front,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Versions of secrets, by path; the first is number 1.
    secrets: BTreeMap<String, Vec<Version>>,
    tokens: BTreeMap<String, Token>,
    /// How long what logins issue lives, in seconds, and whether it can be renewed.
    logins: Option<(u64, bool)>,
    issued: u32,
    /// Another AppRole, and the token that its logins get.
    app_role: Option<(Value, String)>,
    forbidden: Vec<String>,
    namespace: Option<String>,
    is_sealed: bool,
}

enum Version {
    There(Value),
    Deleted,
    Destroyed,
}

impl Double {
    /// Starts one.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let front = Front::start(move |message| {
            let request = Request::read(message);
            shared.lock().unwrap().answer(&request).unwrap_or_else(|refusal| refusal)
        });
        Self { front, state }
    }

    /// Has another AppRole instead of the usual one: its identifiers, and the token that its logins get.
    pub fn app_role(&self, role_id: &str, secret_id: &str, token: &str) {
        let shown = json!({"role_id": role_id, "secret_id": secret_id});
        self.state().app_role = Some((shown, token.to_owned()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, path: &str, version: u64, to: Version) {
        let number = usize::try_from(version - 1).unwrap();
        self.state().secrets.get_mut(&escaped(path)).unwrap()[number] = to;
    }
}

impl Server for Double {
    fn front(&self) -> &Front {
        &self.front
    }

    fn put(&self, path: &str, data: &Value) {
        self.state().secrets.entry(escaped(path)).or_default().push(Version::There(data.clone()));
    }

    fn delete(&self, path: &str, version: u64) {
        self.change(path, version, Version::Deleted);
    }

    fn destroy(&self, path: &str, version: u64) {
        self.change(path, version, Version::Destroyed);
    }

    fn token(&self, token: &str, seconds: u64) {
        self.state().tokens.insert(token.to_owned(), Token::given(seconds));
    }

    fn logins(&self, seconds: u64, renewable: bool) {
        self.state().logins = Some((seconds, renewable));
    }

    fn revoke_all(&self) {
        self.state().tokens.clear();
    }

    fn forbid(&self, path: &str) {
        self.state().forbidden.push(path.to_owned());
    }

    fn enter(&self, namespace: &str) -> bool {
        self.state().namespace = Some(namespace.to_owned());
        true
    }

    fn seal(&self) -> bool {
        self.state().is_sealed = true;
        true
    }

    fn unseal(&self) {
        self.state().is_sealed = false;
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Result<Answer, Answer> {
        if self.is_sealed {
            return Err(refusal(503, "Vault is sealed"));
        }
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let namespace = header("x-vault-namespace");
        if namespace.is_some() && namespace != self.namespace.as_deref() {
            return Err(refusal(404, "namespace not found"));
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path = path.strip_prefix("/v1/").ok_or_else(|| refusal(404, "404 page not found"))?;
        if let Some(mount) = path.strip_prefix("auth/").and_then(|path| path.strip_suffix("/login")) {
            let is_here = namespace == self.namespace.as_deref();
            return self.log_in(mount, request.body.clone(), is_here);
        }
        let unknown = || refusal(403, "permission denied");
        let shown = header("x-vault-token").ok_or_else(unknown)?;
        let token = self.tokens.get(shown).ok_or_else(unknown)?;
        if self.forbidden.iter().any(|forbidden| forbidden == path) {
            return Err(refusal(403, "1 error occurred:\n\t* permission denied\n\n"));
        }
        match (&*request.method, path) {
            ("POST", "auth/token/renew-self") if token.is_renewable => Ok(token.issued(shown)),
            ("POST", "auth/token/renew-self") => Err(refusal(400, "lease is not renewable")),
            ("GET", "auth/token/lookup-self") => Ok(token.described(shown)),
            ("GET", path) => self.read(path, query),
            _ => Err(refusal(405, "unsupported operation")),
        }
    }

    /// `is_here` is false in a namespace whose methods have no roles.
    fn log_in(&mut self, mount: &str, told: Value, is_here: bool) -> Result<Answer, Answer> {
        let logins = self.logins.filter(|_| is_here);
        let (app_role, token) = self.app_role.clone().unzip();
        let app_role = app_role.unwrap_or_else(|| json!({"role_id": ROLE_ID, "secret_id": SECRET_ID}));
        let refused = match mount {
            KUBERNETES | "kubernetes" if logins.is_none() || told["role"] != ROLE => {
                Some((400, format!("invalid role name {}", told["role"])))
            }
            KUBERNETES | "kubernetes" if told["jwt"] == strangers_token() => {
                Some((403, "service account name not authorized".to_owned()))
            }
            KUBERNETES | "kubernetes" if told["jwt"] == account_token() => None,
            APPROLE | "approle" if logins.is_some() && told == app_role => None,
            APPROLE | "approle" => Some((400, "invalid role or secret ID".to_owned())),
            _ => Some((403, "permission denied".to_owned())),
        };
        let (None, Some((seconds, is_renewable))) = (&refused, logins) else {
            let (status, why) = refused.unwrap_or((400, String::new()));
            return Err(refusal(status, &why));
        };
        self.issued += 1;
        let name = match token {
            Some(token) if matches!(mount, APPROLE | "approle") => token,
            _ => format!("issued-{}", self.issued),
        };
        let token = Token::by_login(mount, seconds, is_renewable);
        let answer = token.issued(&name);
        self.tokens.insert(name, token);
        Ok(answer)
    }

    fn read(&self, path: &str, query: &str) -> Result<Answer, Answer> {
        let nothing = || Answer::new(404, json!({"errors": []}));
        let (mount, path_below) = path.split_once("/data/").unwrap_or((path, ""));
        if ![MOUNT, "secret"].contains(&mount) {
            return Err(refusal(404, &format!("no handler for route \"{path}\". route entry not found.")));
        }
        let versions = self.secrets.get(path_below).ok_or_else(nothing)?;
        let number = match query.strip_prefix("version=") {
            Some(number) => number.parse().map_err(|_| nothing())?,
            None => versions.len(),
        };
        let version = number.checked_sub(1).and_then(|index| versions.get(index)).ok_or_else(nothing)?;
        let (status, data, deleted) = match version {
            Version::There(data) => (200, data.clone(), ""),
            Version::Deleted => (404, Value::Null, "2026-11-25T10:00:00.000000000Z"),
            Version::Destroyed => (404, Value::Null, ""),
        };
        let metadata = json!({
            "version": number,
            "destroyed": matches!(version, Version::Destroyed),
            "deletion_time": deleted,
            "custom_metadata": null,
            "created_time": "2026-11-24T10:00:00.000000000Z",
        });
        Ok(answer(status, json!({"data": data, "metadata": metadata}), Value::Null))
    }
}

fn refusal(status: u16, why: &str) -> Answer {
    Answer::new(status, json!({"errors": [why]}))
}

/// Everything that is no refusal.
pub(super) fn answer(status: u16, data: Value, auth: Value) -> Answer {
    let body = json!({
        "request_id": "00000000-0000-0000-0000-000000000000",
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": data,
        "wrap_info": null,
        "warnings": null,
        "auth": auth,
    });
    Answer::new(status, body)
}
