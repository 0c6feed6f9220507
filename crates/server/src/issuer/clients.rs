//! Who may have tokens, in closed mode: clients and their secrets (RFC 6749 section 2.3).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;
use subtle::ConstantTimeEq;

use super::settings::ClientFile;
use crate::redaction;

/// Shorter secrets can be guessed.
const MIN_SECRET: usize = 16;

/// A client with its grant.
pub struct Client {
    id: String,
    secret_hash: [u8; 32],
    /// Scopes it may ask for.
    pub scopes: Vec<String>,
    /// The `aud` of its tokens, when it is not the usual one.
    pub audience: Option<String>,
    /// The `sub` of its tokens.
    pub subject: String,
    /// The longest life of its tokens.
    pub max_ttl: Duration,
}

/// All clients.
pub struct Clients(Vec<Client>);

impl Clients {
    /// Looks every secret up. A client without one stops the start: it could never be served.
    pub fn load(written: &[ClientFile], secrets: &dyn SecretSource) -> Result<Self, Diagnostic> {
        written.iter().map(|client| Client::load(client, secrets)).collect::<Result<_, _>>().map(Self)
    }

    /// The client with this id and secret. Takes the same time for any wrong secret, and about the same
    /// for an unknown id.
    pub fn authenticate(&self, id: &str, secret: &str) -> Option<&Client> {
        let offered = hash(secret);
        let known = self.0.iter().find(|client| client.id == id);
        let expected = known.map_or([0; 32], |client| client.secret_hash);
        let fits = bool::from(offered.ct_eq(&expected));
        known.filter(|_| fits)
    }
}

impl Client {
    fn load(written: &ClientFile, secrets: &dyn SecretSource) -> Result<Self, Diagnostic> {
        let refuse = |message: String| Diagnostic::error(format!("client `{}`: {message}", written.id));
        let secret = match (&written.secret_env, &written.secret_path) {
            (Some(name), _) => secrets.env(name).ok_or_else(|| refuse(format!("`{name}` is not set")))?,
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|error| refuse(format!("`{path}`: {error}")))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
            (None, None) => return Err(refuse("has no secret".to_owned())),
        };
        redaction::known().learn(&format!("client {}", written.id), [&secret]);
        if secret.expose().len() < MIN_SECRET {
            return Err(refuse(format!("its secret is shorter than {MIN_SECRET} characters")));
        }
        let kind = written.kind.unwrap_or_default();
        Ok(Self {
            id: written.id.clone(),
            secret_hash: hash(secret.expose()),
            scopes: written.scopes.clone(),
            audience: written.audience.clone(),
            subject: written.subject.clone().unwrap_or_else(|| written.id.clone()),
            max_ttl: written.max_ttl.map_or_else(|| kind.usual_ttl(), |GoDuration(ttl)| ttl),
        })
    }
}

fn hash(secret: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    out
}
