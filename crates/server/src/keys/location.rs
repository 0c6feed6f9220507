//! Where a key set is, and how it is read from there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward_core::jwt::key_set::MAX_SET_BYTES;
use keyward_core::side_url::SideUrl;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::file_url;
use crate::http_client::{HttpClient, Limits};
use crate::objects::{Found, Object};

/// One fetch, connecting included.
const LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: MAX_SET_BYTES };

/// A checked location.
#[derive(Debug)]
pub(super) enum Location {
    File(PathBuf),
    Web(String),
    Object(Box<Object>),
}

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        match scheme.to_ascii_lowercase().as_str() {
            "file" => match rest.strip_prefix("//").or(Some(rest).filter(|rest| rest.starts_with('/'))) {
                None => Err("it is not a location of a key set: write `file:///path`".to_owned()),
                Some(path) => file_url::path(path).map(Location::File),
            },
            "http" | "https" => {
                SideUrl::parse(url).map_err(|problem| format!("the URL is not usable: {problem}"))?;
                Ok(Location::Web(url.to_owned()))
            }
            scheme if Object::is_scheme(scheme) => {
                let object =
                    Object::parse(url, LIMITS).map_err(|problem| format!("the URL is not usable: {problem}"))?;
                Ok(Location::Object(Box::new(object)))
            }
            // The text is not repeated: it may hold a password.
            _ => Err("it is not a location of a key set: write an `https`, `http`, `file`, `s3`, `gs` or `azblob` URL"
                .to_owned()),
        }
    }

    /// What is wrong with the file at a location, when there is none.
    pub(super) fn absent(url: &str) -> Option<String> {
        std::fs::metadata(super::local_path(url)?).err().map(|error| error.to_string())
    }

    /// The document. It may hold private keys, so this copy is wiped.
    pub(super) async fn fetch(&self, client: &HttpClient) -> Result<Zeroizing<Vec<u8>>, String> {
        match self {
            Location::File(path) => Ok(Zeroizing::new(read(path).await?)),
            Location::Web(url) => {
                let document = client.get(url, LIMITS).await?;
                Ok(Zeroizing::new(document.into()))
            }
            Location::Object(object) => match object.get(client, None).await {
                Ok(Found::Document { bytes, .. }) => Ok(Zeroizing::new(bytes.into())),
                Ok(Found::Unchanged) => Err("the store says that an unknown document is unchanged".to_owned()),
                Err(failure) => Err(failure.cause),
            },
        }
    }
}

/// Reads a regular file: a device or a pipe could go on forever, or never begin.
async fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = tokio::fs::File::open(path).await.map_err(|error| error.to_string())?;
    let mut document = Vec::new();
    let limited = file.take(MAX_SET_BYTES as u64 + 1).read_to_end(&mut document).await;
    limited.map_err(|error| error.to_string())?;
    if document.len() > MAX_SET_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(document)
}
