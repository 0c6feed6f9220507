//! Where a key set is, and how it is read from there.

use std::path::PathBuf;
use std::time::Duration;

use keyward_core::jwt::KeySet;
use keyward_core::jwt::key_set::MAX_SET_BYTES;
use keyward_core::rule::upstream::Upstream;

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
            Location::File(path) => {
                let read = tokio::fs::metadata(path).await;
                if read.is_ok_and(|metadata| metadata.len() > MAX_SET_BYTES as u64) {
                    return Err("the file is larger than 1 MiB".to_owned());
                }
                tokio::fs::read(path).await.map_err(|error| error.to_string())?.into()
            }
            Location::Web(url) => client.get(url, Limits { time: FETCH_TIME, bytes: MAX_SET_BYTES }).await?,
        };
        KeySet::parse(&document).map_err(|error| error.to_string())
    }
}
