//! `s3://`, `gs://` and `azblob://`: one object in a provider's store.

use keyward_core::ports::LocalFuture;

use super::remote::{Document, Fetch, FetchError, Fetched, Nature, RemoteRepository, Version};
use crate::http_client::{HttpClient, Limits};
use crate::objects::{Found, Object};

pub(super) fn open(url: &str, limits: Limits) -> Result<Box<dyn RemoteRepository>, String> {
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
                    let version = Version { etag, modified: None };
                    Ok(Fetch::Document(Document { text, version, signature: None }))
                }
                Err(failure) => Err(FetchError {
                    cause: failure.cause,
                    nature: if failure.may_pass { Nature::Passing } else { Nature::Lasting },
                    wait: failure.wait,
                }),
            }
        })
    }
}
