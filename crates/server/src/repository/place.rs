//! What kinds of places there are: one table of schemes.

use std::path::PathBuf;

use super::remote::RemoteRepository;
use super::{http, inline, object};
use crate::file_url;
use crate::http_client::Limits;

/// Makes a location of a URL, and of what follows its scheme.
type Open = fn(&str, &str, Limits) -> Result<Place, String>;

/// A location of which it is not known yet who must have signed what lies there.
pub(super) enum Place {
    File(PathBuf),
    Inline(String),
    Remote(Box<dyn RemoteRepository>),
}

/// Every scheme.
const SCHEMES: &[(&str, Open)] = &[
    ("file", |_, rest, _| file_url::path(rest).map(Place::File)),
    ("inline", |_, encoded, _| inline::decode(encoded).map(Place::Inline)),
    ("http", |url, _, limits| http::open(url, limits).map(Place::Remote)),
    ("https", |url, _, limits| http::open(url, limits).map(Place::Remote)),
    ("s3", |url, _, limits| object::open(url, limits).map(Place::Remote)),
    ("gs", |url, _, limits| object::open(url, limits).map(Place::Remote)),
    ("azblob", |url, _, limits| object::open(url, limits).map(Place::Remote)),
];

/// The place that a URL names. The error is for the operator.
pub(super) fn place(text: &str, limits: Limits) -> Result<Place, String> {
    if text.is_empty() {
        return Err("it names no file".to_owned());
    }
    let Some((scheme, rest)) = scheme(text) else { return Ok(Place::File(text.into())) };
    match SCHEMES.iter().find(|(known, _)| *known == scheme) {
        Some((_, open)) => open(text, rest, limits),
        None => Err(format!("`{scheme}://` is not a scheme of rule repositories")),
    }
}

/// The scheme of a URL, and what follows it; none of a plain path.
fn scheme(text: &str) -> Option<(String, &str)> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return Some((scheme.to_ascii_lowercase(), rest));
    }
    let (scheme, rest) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("file").then(|| ("file".to_owned(), rest))
}
