//! One item of `access_rules.repositories`.

use keyward_core::document::duration::GoDuration;
use schemars::JsonSchema;
use serde::Deserialize;

mirror! {
    /// Extension: a repository with settings of its own.
    RepositoryFile {
        /// Where its rules are.
        url: String,
        /// How often it is asked, when it is behind a URL; `access_rules.refresh_interval` by default.
        refresh_interval: GoDuration,
        /// The public key of minisign (second line of `minisign.pub`) that its documents must be signed with. The
        /// signature is at the same place with `.minisig` after it.
        #[schemars(regex(pattern = r"^[A-Za-z0-9+/]{56}$"))]
        public_key: String,
    }
}

/// A repository: its URL, or that with settings of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RepositoryItem {
    /// Its URL.
    Url(String),
    /// That with settings of its own.
    Settings(RepositoryFile),
}
