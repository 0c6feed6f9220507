//! Where rules come from: one file per kind of location, one table of schemes.

pub mod documents;
mod http;
mod inline;
mod object;
pub mod polling;
pub mod remote;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::secret::shown_url;

use self::documents::Documents;
use self::remote::RemoteRepository;
use crate::config::text_file;
use crate::config::yaml::{self, Dialect, TakeItem};
use crate::file_url;

/// A checked repository URL.
#[derive(Clone, Debug)]
pub struct RepositoryUrl {
    text: String,
    location: Location,
}

#[derive(Clone, Debug)]
enum Location {
    File(PathBuf),
    Inline(String),
    Remote(Arc<dyn RemoteRepository>),
}

/// Makes a location of a URL, and of what follows its scheme.
type Open = fn(&str, &str) -> Result<Location, String>;

/// Every scheme.
const SCHEMES: &[(&str, Open)] = &[
    ("file", |_, rest| file_url::path(rest).map(Location::File)),
    ("inline", |_, encoded| inline::decode(encoded).map(Location::Inline)),
    ("http", |url, _| http::open(url).map(|web| Location::Remote(web.into()))),
    ("https", |url, _| http::open(url).map(|web| Location::Remote(web.into()))),
    ("s3", |url, _| object::open(url).map(|object| Location::Remote(object.into()))),
    ("gs", |url, _| object::open(url).map(|object| Location::Remote(object.into()))),
    ("azblob", |url, _| object::open(url).map(|object| Location::Remote(object.into()))),
];

impl RepositoryUrl {
    /// Parses `file://PATH` (absolute, or relative to the working directory), `file:PATH`, `PATH`,
    /// `inline://BASE64`, `http://…`, `https://…`, `s3://…`, `gs://…` or `azblob://…` (serving spec 6.1).
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it names no file".to_owned());
        }
        let Some((scheme, rest)) = scheme(text) else {
            return Ok(Self { text: text.to_owned(), location: Location::File(text.into()) });
        };
        let location = match SCHEMES.iter().find(|(known, _)| *known == scheme) {
            Some((_, open)) => open(text, rest)?,
            None => return Err(format!("`{scheme}://` is not a scheme of rule repositories")),
        };
        Ok(Self { text: text.to_owned(), location })
    }

    /// The file behind it, to be watched.
    pub fn file(&self) -> Option<&std::path::Path> {
        match &self.location {
            Location::File(path) => Some(path),
            _ => None,
        }
    }

    /// The server behind it, to be asked.
    pub fn remote(&self) -> Option<&Arc<dyn RemoteRepository>> {
        match &self.location {
            Location::Remote(remote) => Some(remote),
            _ => None,
        }
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For messages; an inline document is not repeated, and no credential of a URL.
    pub fn name(&self) -> Cow<'_, str> {
        match &self.location {
            Location::File(path) => path.display().to_string().into(),
            Location::Inline(_) => "inline rules".into(),
            Location::Remote(_) => shown_url(&self.text),
        }
    }

    /// Reads the rule document and hands every rule over. Returns the document's digest. After an error
    /// the rules so far are void.
    pub fn read(&self, documents: &Documents, rule: &mut TakeItem<'_>) -> Result<Digest, Diagnostic> {
        let mut read = |text: &str| {
            yaml::parse_items(text, &self.name(), Dialect::Rules, rule)?;
            Ok(digest(&SHA256, text.as_bytes()))
        };
        match &self.location {
            Location::File(path) => text_file::read(path, "the rule file", read),
            Location::Inline(text) => read(text),
            Location::Remote(_) => match documents.get(&self.text) {
                Some(document) => read(&document.text),
                None => Err(Diagnostic::error("the rules were never fetched").at(&Origin::whole(self.name()))),
            },
        }
    }
}

impl PartialEq for RepositoryUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RepositoryUrl {}

/// The scheme of a URL, and what follows it; none of a plain path.
fn scheme(text: &str) -> Option<(String, &str)> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return Some((scheme.to_ascii_lowercase(), rest));
    }
    let (scheme, rest) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("file").then(|| ("file".to_owned(), rest))
}

/// Nothing but blanks, comments and `null`: hardly what anybody means to say about all rules. Who means it
/// writes `[]`.
pub fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| matches!(line, "" | "---" | "null" | "~") || line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        for (text, path) in rows {
            assert_eq!(RepositoryUrl::parse(text).unwrap().file(), Some(std::path::Path::new(path)), "{text}");
        }
        for text in ["", "file://", "file://?x", "file:///a%", "file:///a%zz", "file:///a%ff", "inline://", "ftp://a/b"]
        {
            assert!(RepositoryUrl::parse(text).is_err(), "{text}");
        }
    }
}
