//! `http://` and `https://`: one document behind a URL.

use std::fmt;
use std::time::SystemTime;

use http::header::{CONTENT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};
use keyward_core::ports::LocalFuture;
use keyward_core::secret::shown_url;
use keyward_core::side_url::SideUrl;

use super::remote::{Document, Fetch, FetchError, Fetched, Nature, RemoteRepository, Version};
use crate::http_client::{HttpClient, Limits};
use crate::retry_after::retry_after;
use crate::side_client::is_retried;

struct Web {
    url: String,
    limits: Limits,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Web({})", shown_url(&self.url))
    }
}

pub(super) fn open(url: &str, limits: Limits) -> Result<Box<dyn RemoteRepository>, String> {
    SideUrl::parse(url).map_err(|problem| format!("the URL of the rules is not usable: {problem}"))?;
    Ok(Box::new(Web { url: url.to_owned(), limits }))
}

impl RemoteRepository for Web {
    fn fetch<'a>(&'a self, client: &'a HttpClient, known: Option<&'a Version>) -> LocalFuture<'a, Fetched> {
        Box::pin(self.attempt(client, known))
    }
}

impl Web {
    async fn attempt(&self, client: &HttpClient, known: Option<&Version>) -> Fetched {
        let mut conditions = HeaderMap::new();
        if let Some(known) = known {
            conditions.extend(known.etag.clone().map(|etag| (IF_NONE_MATCH, etag)));
            conditions.extend(known.modified.clone().map(|modified| (IF_MODIFIED_SINCE, modified)));
        }
        let is_conditional = !conditions.is_empty();
        let answer = client.ask(&self.url, conditions, self.limits).await.map_err(FetchError::passing)?;
        let (head, body) = answer.into_parts();
        match head.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if is_conditional => return Ok(Fetch::Unchanged),
            status => return Err(refused(status, &head.headers)),
        }
        if head.headers.contains_key(CONTENT_ENCODING) {
            return Err(FetchError::lasting("the answer is compressed, which was not asked for"));
        }
        let text = String::from_utf8(body.into()).map_err(|_| FetchError::lasting("the document is not UTF-8"))?;
        let validator = |name| head.headers.get(name).cloned();
        Ok(Fetch::Document(Document {
            text,
            version: Version { etag: validator(ETAG), modified: validator(LAST_MODIFIED) },
            signature: None,
        }))
    }
}

fn refused(status: StatusCode, headers: &HeaderMap) -> FetchError {
    FetchError {
        cause: match status.is_redirection() {
            true => format!("status {}; redirects are not followed", status.as_u16()),
            false => format!("status {}", status.as_u16()),
        },
        nature: if is_retried(status) { Nature::Passing } else { Nature::Lasting },
        wait: retry_after(status, headers, SystemTime::now()),
    }
}
