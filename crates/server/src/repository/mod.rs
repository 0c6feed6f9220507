//! Where rules come from: one file per kind of location, one table of schemes.

pub mod cache;
mod directory;
pub mod documents;
mod http;
mod inline;
pub mod keeper;
mod object;
mod place;
pub mod polling;
mod read;
pub mod remote;
pub mod signature;
pub mod standing;
pub mod start;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyward_core::secret::shown_url;

use self::place::{Place, place};
use self::remote::{ATTEMPT_TIME, Source};
use self::signature::PublicKey;
use crate::config::yaml::MAX_BYTES;
use crate::http_client::Limits;

/// A checked repository.
#[derive(Clone)]
pub struct Repository {
    text: String,
    location: Location,
    terms: Terms,
}

/// What the configuration says of a repository besides its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How often it is asked, when it is asked over the network.
    pub refresh_interval: Duration,
    /// How large a document may be, and how long one attempt to fetch it may take.
    pub limits: Limits,
    /// Who must have signed its documents, if anybody.
    pub key: Option<PublicKey>,
}

impl Default for Terms {
    fn default() -> Self {
        let limits = Limits { time: ATTEMPT_TIME, bytes: MAX_BYTES };
        Self { refresh_interval: Duration::from_secs(60), limits, key: None }
    }
}

#[derive(Clone)]
enum Location {
    File(PathBuf),
    Inline(String),
    Remote(Arc<Source>),
}

impl Repository {
    /// Parses `file://PATH` (absolute, or relative to the working directory), `file:PATH`, `PATH`,
    /// `inline://BASE64`, `http://…`, `https://…`, `s3://…`, `gs://…` or `azblob://…` (serving spec 6.1). The path
    /// of a file may be that of a directory. The error is for the operator.
    pub fn parse(text: &str, terms: Terms) -> Result<Self, String> {
        let location = match place(text, terms.limits)? {
            Place::File(path) => Location::File(path),
            Place::Inline(_) if terms.key.is_some() => {
                return Err(
                    "inline rules are part of the configuration and carry no signature: remove `public_key`".to_owned()
                );
            }
            Place::Inline(text) => Location::Inline(text),
            Place::Remote(document) => {
                let limits = Limits { bytes: signature::MAX_SIGNATURE_BYTES, ..terms.limits };
                let signed = match &terms.key {
                    None => None,
                    Some(key) => match place(&signature::url_of(text), limits)? {
                        Place::Remote(signature) => Some((signature, key.clone())),
                        _ => return Err("the URL of the signature is not usable".to_owned()),
                    },
                };
                Location::Remote(Arc::new(Source::new(document, signed)))
            }
        };
        Ok(Self { text: text.to_owned(), location, terms })
    }

    /// The file or directory behind it, to be watched.
    pub fn file(&self) -> Option<&Path> {
        match &self.location {
            Location::File(path) => Some(path),
            _ => None,
        }
    }

    /// The file with the signature of the file behind it, when it must have one.
    pub fn signature_file(&self) -> Option<PathBuf> {
        self.terms.key.as_ref().and(self.file()).map(signature::file_of)
    }

    /// The server behind it, to be asked.
    pub fn remote(&self) -> Option<&Arc<Source>> {
        match &self.location {
            Location::Remote(source) => Some(source),
            _ => None,
        }
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the configuration says of it besides its URL.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// For messages; an inline document is not repeated, and no credential of a URL.
    pub fn name(&self) -> Cow<'_, str> {
        match &self.location {
            Location::File(path) => path.display().to_string().into(),
            Location::Inline(_) => "inline rules".into(),
            Location::Remote(_) => shown_url(&self.text),
        }
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.name())
    }
}

impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.terms == other.terms
    }
}

impl Eq for Repository {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_printed_of_a_repository_holds_no_credential() {
        for text in ["https://u:s3cr3t@h/rules?sig=s3cr3t", "inline://czNjcjN0"] {
            let repository = Repository::parse(text, Terms::default()).unwrap();
            let printed = format!("{repository:?} {:?} {:?}", repository.remote(), repository.terms());
            assert!(printed.starts_with("Repository("), "{printed}");
            assert!(!printed.contains("s3cr3t") && !printed.contains("czNjcjN0"), "{printed}");
        }
    }

    #[test]
    fn urls_of_files_are_urls_and_paths_are_paths() {
        let rows = [
            ("file:///a/b.yaml", "/a/b.yaml"),
            ("FILE:///a/b.yaml", "/a/b.yaml"),
            ("file:/a/b.yaml", "/a/b.yaml"),
            ("file://./b.yaml", "./b.yaml"),
            ("file:///a/b%2Eyaml?v=1#top", "/a/b.yaml"),
            ("/a/b%2Eyaml?v=1#top", "/a/b%2Eyaml?v=1#top"),
            ("b:c.yaml", "b:c.yaml"),
        ];
        let parse = |text| Repository::parse(text, Terms::default());
        for (text, path) in rows {
            assert_eq!(parse(text).unwrap().file(), Some(Path::new(path)), "{text}");
        }
        for text in ["", "file://", "file://?x", "file:///a%", "file:///a%zz", "file:///a%ff", "inline://", "ftp://a/b"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
