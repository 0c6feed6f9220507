//! `http://` and `https://`: one document behind a URL.

use std::time::Duration;

use http::header::{CONTENT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use keyward_core::ports::LocalFuture;
use keyward_core::side_url::SideUrl;

use super::remote::{ATTEMPT_TIME, Document, Fetch, FetchError, Fetched, RemoteRepository, Version};
use crate::config::yaml::MAX_BYTES;
use crate::http_client::{HttpClient, Limits};
use crate::side_client::is_retried;

#[derive(Debug)]
struct Web(String);

pub(super) fn open(url: &str) -> Result<Box<dyn RemoteRepository>, String> {
    SideUrl::parse(url).map_err(|problem| format!("the URL of the rules is not usable: {problem}"))?;
    Ok(Box::new(Web(url.to_owned())))
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
        let limits = Limits { time: ATTEMPT_TIME, bytes: MAX_BYTES };
        let answer = client.ask(&self.0, conditions, limits).await.map_err(FetchError::passing)?;
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
        }))
    }
}

fn refused(status: StatusCode, headers: &HeaderMap) -> FetchError {
    let is_overload = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asks = headers.get(RETRY_AFTER).filter(|_| is_overload);
    let seconds = asks.and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
    FetchError {
        cause: match status.is_redirection() {
            true => format!("status {}; redirects are not followed", status.as_u16()),
            false => format!("status {}", status.as_u16()),
        },
        may_pass: is_retried(status),
        wait: seconds.map(Duration::from_secs),
    }
}
