//! The issuer's signing keys: read once, at the start.

use std::path::Path;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::jwt::sign::{SigningKey, SigningKeyError};
use serde_json::{Value, json};

use super::key_file;
use super::settings::{KeyRole, KeySettings};

/// The key that signs, and the set that is published.
pub struct SigningKeys {
    current: SigningKey,
    published: Value,
}

impl SigningKeys {
    /// Reads the configured keys or, when there are none, what `PRIVATE_KEY_PATH` names; the half that
    /// `PUBLIC_KEY_PATH` names must belong to it.
    pub fn load(settings: &[KeySettings]) -> Result<Self, Diagnostic> {
        if settings.is_empty() {
            return Self::from_environment();
        }
        let (mut current, mut published) = (None, Vec::new());
        for key in settings {
            let read = read(&key.path, |document| SigningKey::read(document, key.algorithm, key.kid.as_deref()))?;
            let Some(public) = read.public_jwk() else {
                return Err(Diagnostic::error("the issuer cannot sign with a symmetric key")
                    .at(&Origin::whole(key.path.display().to_string())));
            };
            if published.iter().any(|other: &Value| other["kid"] == public["kid"]) {
                return Err(Diagnostic::error(format!("two keys of the issuer have the `kid` `{}`", read.key_id()))
                    .at(&Origin::whole(key.path.display().to_string()))
                    .hint("tokens could not be checked: give one of them another `kid`"));
            }
            published.push(public.clone());
            if key.role == KeyRole::Current {
                current = Some(read);
            }
        }
        let current = current.ok_or_else(|| Diagnostic::error("no key of the issuer is `current`"))?;
        Ok(Self { current, published: json!({ "keys": published }) })
    }

    /// One key, made by the caller.
    pub fn of(current: SigningKey) -> Self {
        let published = json!({"keys": [current.public_jwk()]});
        Self { current, published }
    }

    fn from_environment() -> Result<Self, Diagnostic> {
        let Some(path) = std::env::var_os("PRIVATE_KEY_PATH") else {
            return Err(Diagnostic::error("the issuer has no signing key")
                .hint("name one in `issuer.keys`, or set PRIVATE_KEY_PATH; `keyward credentials generate` makes one"));
        };
        let current = read(Path::new(&path), |document| SigningKey::read(document, None, None))?;
        if let Some(path) = std::env::var_os("PUBLIC_KEY_PATH") {
            let belongs = read(Path::new(&path), |document| Ok(current.matches_public_pem(document)))?;
            if !belongs {
                return Err(Diagnostic::error("PUBLIC_KEY_PATH is not the public half of PRIVATE_KEY_PATH")
                    .at(&Origin::whole(path.to_string_lossy().as_ref())));
            }
        }
        Ok(Self::of(current))
    }

    /// The key that signs.
    pub fn current(&self) -> &SigningKey {
        &self.current
    }

    /// The public halves of all keys (RFC 7517).
    pub fn published(&self) -> &Value {
        &self.published
    }
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, SigningKeyError>) -> Result<T, Diagnostic> {
    let origin = Origin::whole(path.display().to_string());
    let document = key_file::read(path)
        .map_err(|error| Diagnostic::error(format!("the key cannot be read: {error}")).at(&origin))?;
    parse(&document).map_err(|error| Diagnostic::error(format!("the key is not usable: {error}")).at(&origin))
}
