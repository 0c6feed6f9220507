//! `issuer` in the configuration: what is written, and what it means.

use std::path::PathBuf;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, decode};
use keyward_core::jwt::{Algorithm, algorithm};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::file::serve::Tls;
use crate::config::settings::listeners::{ListenerSettings, tls_files};

/// The `issuer` block as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerFile {
    /// Address to listen on; empty for all.
    pub host: Option<String>,
    /// TCP port; 8080 by default, 0 for a free one.
    pub port: Option<u16>,
    /// Serve TLS.
    pub tls: Option<Tls>,
    /// The `iss` of tokens.
    pub url: Option<String>,
    /// The `aud` of tokens, unless a client names its own.
    pub audience: Option<String>,
    /// Hand out any token to anybody who asks: for trying things out, never for production.
    pub insecure_open: Option<bool>,
    /// Longest life of a token in open mode.
    pub max_ttl: Option<GoDuration>,
    /// Signing keys. Without any, the file that `PRIVATE_KEY_PATH` names.
    pub keys: Option<Vec<KeyFile>>,
    /// Who may have which tokens.
    pub clients: Option<Vec<ClientFile>>,
}

/// One signing key as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyFile {
    /// A private key: JWK, key set, or PEM.
    pub path: String,
    /// Its `kid`, over what the file says.
    pub kid: Option<String>,
    /// Its algorithm, over what the file says; RS256 for PEM.
    pub algorithm: Option<String>,
    /// `current` signs; `next` and `previous` are published only.
    pub role: Option<KeyRole>,
}

/// What a signing key does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyRole {
    /// Signs, and is published.
    #[default]
    Current,
    /// Will sign: published, so that everybody knows it in time.
    Next,
    /// Has signed: published, until its last token has expired.
    Previous,
}

/// One client as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientFile {
    /// Its `client_id`.
    pub id: String,
    /// The environment variable with its secret.
    pub secret_env: Option<String>,
    /// The file with its secret.
    pub secret_path: Option<String>,
    /// What kind of caller it is: decides the usual life of a token.
    pub kind: Option<CallerKind>,
    /// Scopes it may ask for.
    pub scopes: Vec<String>,
    /// The `aud` of its tokens.
    pub audience: Option<String>,
    /// The `sub` of its tokens; its id by default.
    pub subject: Option<String>,
    /// Longest life of its tokens; by default what is usual for its kind.
    pub max_ttl: Option<GoDuration>,
}

/// Kinds of callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// A step of a pipeline: 15 minutes.
    #[default]
    Ci,
    /// A background worker: one hour.
    Worker,
    /// A person: eight hours.
    Interactive,
}

impl CallerKind {
    /// The usual life of a token.
    pub fn usual_ttl(self) -> Duration {
        Duration::from_secs(match self {
            CallerKind::Ci => 15 * 60,
            CallerKind::Worker => 60 * 60,
            CallerKind::Interactive => 8 * 60 * 60,
        })
    }
}

/// The issuer, checked.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// Where it listens.
    pub listener: ListenerSettings,
    /// The `iss` of tokens.
    pub url: String,
    /// The usual `aud`.
    pub audience: String,
    /// Who may have tokens.
    pub mode: IssuerMode,
    /// Signing keys; empty means the environment's.
    pub keys: Vec<KeySettings>,
}

/// Who may have tokens.
#[derive(Clone, Debug)]
pub enum IssuerMode {
    /// Anybody, anything, up to this life.
    Open {
        /// The longest life.
        max_ttl: Duration,
    },
    /// Known clients, what they are granted.
    Closed {
        /// The clients.
        clients: Vec<ClientFile>,
    },
}

/// Where a signing key is.
#[derive(Clone, Debug)]
pub struct KeySettings {
    /// The file.
    pub path: PathBuf,
    /// Its `kid`, when the settings name one.
    pub kid: Option<String>,
    /// Its algorithm, when the settings name one.
    pub algorithm: Option<Algorithm>,
    /// What it does.
    pub role: KeyRole,
}

impl IssuerSettings {
    /// An open issuer with the document's defaults.
    pub fn open() -> Self {
        Self {
            listener: ListenerSettings { key: "issuer", host: String::new(), port: 8080, tls: None },
            url: "http://token-issuer:8080".to_owned(),
            audience: "oathkeeper-proxy".to_owned(),
            mode: IssuerMode::Open { max_ttl: Duration::from_secs(24 * 60 * 60) },
            keys: Vec::new(),
        }
    }

    /// Checks the block.
    pub fn check(node: &Node) -> Result<Self, Diagnostic> {
        let file: IssuerFile = decode(node)?;
        let defaults = Self::open();
        let mode = match (file.insecure_open.unwrap_or(false), file.clients.unwrap_or_default()) {
            (true, clients) if clients.is_empty() => {
                let GoDuration(max_ttl) = file.max_ttl.unwrap_or(GoDuration(Duration::from_secs(24 * 60 * 60)));
                IssuerMode::Open { max_ttl }
            }
            (true, _) => {
                return Err(Diagnostic::error("`issuer.insecure_open` and `issuer.clients` exclude each other")
                    .at(node.origin_of("insecure_open")));
            }
            (false, clients) if clients.is_empty() => {
                return Err(Diagnostic::error("`issuer.clients` is empty: nobody could have a token")
                    .at(&node.origin)
                    .hint("add clients; `insecure_open: true` hands out any token to anybody"));
            }
            (false, clients) => {
                check_clients(&clients).map_err(|problem| problem.at(node.origin_of("clients")))?;
                IssuerMode::Closed { clients }
            }
        };
        let keys = file.keys.unwrap_or_default().into_iter().map(check_key).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|problem| problem.at(node.origin_of("keys")))?;
        if !keys.is_empty() && keys.iter().filter(|key| key.role == KeyRole::Current).count() != 1 {
            return Err(Diagnostic::error("exactly one of `issuer.keys` must have the role `current`")
                .at(node.origin_of("keys"))
                .hint("give the others the role `next` or `previous`"));
        }
        Ok(Self {
            listener: ListenerSettings {
                key: "issuer",
                host: file.host.unwrap_or_default(),
                port: file.port.unwrap_or(defaults.listener.port),
                tls: tls_files("issuer.tls", file.tls).map_err(|problem| problem.at(node.origin_of("tls")))?,
            },
            url: file.url.unwrap_or(defaults.url),
            audience: file.audience.unwrap_or(defaults.audience),
            mode,
            keys,
        })
    }
}

fn check_key(key: KeyFile) -> Result<KeySettings, Diagnostic> {
    if key.path.is_empty() {
        return Err(Diagnostic::error("an entry of `issuer.keys` has no `path`"));
    }
    let algorithm = match &key.algorithm {
        Some(name) => Some(
            algorithm(name)
                .filter(|_| !name.starts_with("HS"))
                .ok_or_else(|| Diagnostic::error(format!("`{name}` is not an algorithm the issuer can sign with")))?,
        ),
        None => None,
    };
    Ok(KeySettings { path: key.path.into(), kid: key.kid, algorithm, role: key.role.unwrap_or_default() })
}

fn check_clients(clients: &[ClientFile]) -> Result<(), Diagnostic> {
    for (index, client) in clients.iter().enumerate() {
        let refuse = |message: &str| Err(Diagnostic::error(format!("client `{}`: {message}", client.id)));
        if client.id.is_empty() {
            return Err(Diagnostic::error(format!("client {index} has no `id`")));
        }
        if clients[..index].iter().any(|other| other.id == client.id) {
            return refuse("its id is used twice");
        }
        if client.secret_env.is_some() == client.secret_path.is_some() {
            return refuse("needs either `secret_env` or `secret_path`");
        }
        if client.scopes.is_empty() {
            return refuse("`scopes` is empty: its tokens could do nothing");
        }
        if client.scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            return refuse("a scope is empty or holds white space");
        }
    }
    Ok(())
}
