//! `s3://`, `gs://` and `azblob://`: one object in a provider's store.

use keyward_core::ports::LocalFuture;

use super::remote::{ATTEMPT_TIME, Document, Fetch, FetchError, Fetched, RemoteRepository, Version};
use crate::config::yaml::MAX_BYTES;
use crate::http_client::{HttpClient, Limits};
use crate::objects::{Found, Object};

pub(super) fn open(url: &str) -> Result<Box<dyn RemoteRepository>, String> {
    let limits = Limits { time: ATTEMPT_TIME, bytes: MAX_BYTES };
    let object =
        Object::parse(url, limits).map_err(|problem| format!("the URL of the rules is not usable: {problem}"))?;
    Ok(Box::new(object))
}

impl RemoteRepository for Object {
    fn fetch<'a>(&'a self, client: &'a HttpClient, known: Option<&'a Version>) -> LocalFuture<'a, Fetched> {
        Box::pin(async move {
            let found = self.get(client, known.and_then(|known| known.etag.as_ref())).await;
            match found {
                Ok(Found::Unchanged) => Ok(Fetch::Unchanged),
                Ok(Found::Document { bytes, etag }) => {
                    let text = String::from_utf8(bytes.into());
                    let text = text.map_err(|_| FetchError::lasting("the document is not UTF-8"))?;
                    Ok(Fetch::Document(Document { text, version: Version { etag, modified: None } }))
                }
                Err(failure) => Err(FetchError { cause: failure.cause, may_pass: failure.may_pass, wait: None }),
            }
        })
    }
}
