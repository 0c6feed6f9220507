//! Where rules come from: one file per kind of location, one table of schemes.

mod file;
mod inline;

use std::path::PathBuf;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;

use crate::config::text_file;
use crate::config::yaml::{self, Dialect};

/// A checked repository URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryUrl {
    text: String,
    location: Location,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Location {
    File(PathBuf),
    Inline(String),
}

/// Schemes of the reference that a later version brings.
const PLANNED: &[&str] = &["http", "https", "s3", "gs", "azblob"];

impl RepositoryUrl {
    /// Parses `file://PATH` (absolute, or relative to the working directory), `PATH`, or
    /// `inline://BASE64` (serving spec 6.1).
    pub fn parse(text: &str) -> Result<Self, String> {
        let location = match text.split_once("://") {
            None => Location::File(file::path(text)?),
            Some(("file", path)) => Location::File(file::path(path)?),
            Some(("inline", encoded)) => Location::Inline(inline::decode(encoded)?),
            Some((scheme, _)) if PLANNED.contains(&scheme) => {
                return Err(format!("rule repositories on `{scheme}://` are not supported yet"));
            }
            Some((scheme, _)) => return Err(format!("`{scheme}://` is not a scheme of rule repositories")),
        };
        Ok(Self { text: text.to_owned(), location })
    }

    /// The file behind it, to be watched.
    pub fn file(&self) -> Option<&std::path::Path> {
        match &self.location {
            Location::File(path) => Some(path),
            Location::Inline(_) => None,
        }
    }

    /// For messages; an inline document is not repeated.
    pub fn name(&self) -> &str {
        match self.location {
            Location::File(_) => &self.text,
            Location::Inline(_) => "inline://",
        }
    }

    /// Reads the rule document and hands every rule over. Returns the document's digest. After an error
    /// the rules so far are void.
    pub fn read(&self, rule: &mut dyn FnMut(Node) -> Result<(), Diagnostic>) -> Result<Digest, Diagnostic> {
        let mut read = |text: &str, source: &str| {
            yaml::parse_items(text, source, Dialect::Rules, rule)?;
            Ok(digest(&SHA256, text.as_bytes()))
        };
        match &self.location {
            Location::File(path) => {
                let text = text_file::read(path, "the rule file")?;
                read(&text, &path.display().to_string())
            }
            Location::Inline(text) => read(text, "inline rules"),
        }
    }
}
