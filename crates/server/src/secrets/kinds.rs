//! The kinds of places that `secrets.sources` can name. To add one: a key of
//! [`SecretSourceFile`](crate::config::file::secrets::SecretSourceFile), a file here, a row of [`KINDS`].

use std::sync::Arc;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;

use super::backend::Backend;
use super::files::{self, Files};
use crate::config::file::secrets::SecretSourceFile;
use crate::config::settings::secrets::NamedSecret;

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
];

/// A source as written, and what was read of it already.
pub struct Written<'w> {
    /// All of it.
    pub file: &'w SecretSourceFile,
    /// The same with places, for messages.
    pub node: &'w Node,
    /// What is wanted of a place that is asked by name; at least one. `origin` is where each is written.
    pub secrets: &'w [NamedSecret],
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
