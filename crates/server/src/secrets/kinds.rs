//! The kinds of places that `secrets.sources` can name. To add one: a key of
//! [`SecretSourceFile`], a file here, a row of [`KINDS`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;

use super::backend::Backend;
use super::files::{self, Files};
use super::{aws, vault};
use crate::config::file::secrets::SecretSourceFile;
use crate::config::settings::secrets::NamedSecret;
use crate::http_client::Limits;

/// A kind of place.
pub struct Kind {
    /// The key that names it, and says where the place is.
    pub key: &'static str,
    /// Whether its secrets are named one by one, under `secrets`.
    pub is_asked_by_name: bool,
    /// Checks what is written and makes the place. Asks nothing of it. An error without a place is put at the
    /// value of `key`.
    pub open: fn(&Written<'_>) -> Result<Place, Diagnostic>,
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind { key: "file", is_asked_by_name: false, open: files::one },
    Kind { key: "directory", is_asked_by_name: false, open: files::directory },
    Kind { key: "systemd", is_asked_by_name: false, open: files::systemd },
    Kind { key: aws::KEY, is_asked_by_name: true, open: aws::open },
    Kind { key: vault::KEY, is_asked_by_name: true, open: vault::open },
];

/// What one request to a place is limited to: a batch of the largest secrets, with every character escaped.
pub(super) const REQUEST: Limits = Limits { time: Duration::from_secs(10), bytes: 8 * 1024 * 1024 };

/// A variable of the environment; an empty one counts as none.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A source as written, and what was read of it already.
pub struct Written<'w> {
    /// All of it.
    pub file: &'w SecretSourceFile,
    /// The same with places, for messages.
    pub node: &'w Node,
    /// What is wanted of a place that is asked by name; at least one. `origin` is where each is written.
    pub secrets: &'w [NamedSecret],
    /// `secrets.env_dir`
    pub env_dir: Option<&'w Path>,
}

impl Written<'_> {
    /// A text that may be left out, but not empty. `path` is below `key`.
    pub(super) fn given(&self, key: &str, path: &str, text: Option<String>) -> Result<Option<String>, Diagnostic> {
        match text {
            Some(text) if text.is_empty() => Err(self.refuse(key, path, "it is empty")),
            text => Ok(text),
        }
    }

    /// A text that must be there.
    pub(super) fn needed(&self, key: &str, path: &str, text: Option<String>) -> Result<String, Diagnostic> {
        self.given(key, path, text)?.ok_or_else(|| self.refuse(key, path, "it is missing"))
    }

    /// What is wrong below `key`, with its place, or that of what it should be in.
    pub(super) fn refuse(&self, key: &str, path: &str, problem: &str) -> Diagnostic {
        let node = self.node.get(key).unwrap_or(self.node);
        let upwards = std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(parent, _)| parent));
        let nearest = upwards.filter_map(|path| node.get(path)).next().unwrap_or(node);
        Diagnostic::error(format!("`{path}`: {problem}")).at(&nearest.origin)
    }
}

/// Where values are read.
#[derive(Clone, Debug)]
pub enum Place {
    /// Files of this machine, read again when they change.
    Files(Files),
    /// A place that is asked by name, again and again.
    Asked {
        /// What asks it.
        backend: Arc<dyn Backend>,
        /// What messages and metrics call it, such as its address: never with a credential.
        name: String,
    },
}

impl Place {
    /// The name of its only secret, where that is known without reading it.
    pub fn only_name(&self) -> Option<&str> {
        match self {
            Self::Files(files) => files.only_name(),
            Self::Asked { .. } => None,
        }
    }
}
