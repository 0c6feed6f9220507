//! Where a key set is, and how it is read from there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward_core::jwt::KeySet;
use keyward_core::jwt::key_set::MAX_SET_BYTES;
use keyward_core::rule::upstream::Upstream;
use tokio::io::AsyncReadExt;

use crate::http_client::{HttpClient, Limits};

/// One fetch, connecting included.
const FETCH_TIME: Duration = Duration::from_secs(5);

/// A checked location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    File(PathBuf),
    Web(String),
}

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        match url.split_once("://") {
            Some(("file", path)) if !path.is_empty() => Ok(Location::File(path.into())),
            Some(("http" | "https", _)) => {
                let address = url.split('?').next().unwrap_or_default();
                Upstream::parse(address, "").map_err(|problem| format!("the URL is not usable: {problem}"))?;
                Ok(Location::Web(url.to_owned()))
            }
            Some((scheme @ ("s3" | "gs" | "azblob"), _)) => {
                Err(format!("key sets on `{scheme}://` are not supported yet"))
            }
            // The text is not repeated: it may hold a password.
            _ => Err("it is not a location of a key set: write an `https`, `http` or `file` URL".to_owned()),
        }
    }

    pub(super) async fn fetch(&self, client: &HttpClient) -> Result<KeySet, String> {
        let document = match self {
            Location::File(path) => read(path).await?.into(),
            Location::Web(url) => client.get(url, Limits { time: FETCH_TIME, bytes: MAX_SET_BYTES }).await?,
        };
        KeySet::parse(&document).map_err(|error| error.to_string())
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
    Ok(document)
}
