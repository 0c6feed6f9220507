//! The way out for providers' clients: Keyward's own client for documents, with its limits, and a memory of what
//! the last answer was, since messages must not repeat URLs that hold credentials.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient as StoreClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};

use super::failure::Message;
use crate::http_client::{HttpClient, Limits};
use crate::retry_after::retry_after;

/// What went wrong last, in words that may be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Option<Trouble>>>);

/// An answer that is no success, or none.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// Who was asked.
    pub(super) host: String,
    /// What was answered, or why nothing was.
    pub(super) outcome: Result<(StatusCode, Option<String>), String>,
    /// How long whoever answered asks to wait.
    pub(super) wait: Option<Duration>,
}

impl Heard {
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn last(&self) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, trouble: Trouble) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }
}

/// Hands the client for documents to a provider's client.
#[derive(Clone)]
pub(super) struct Connector {
    client: HttpClient,
    limits: Limits,
    heard: Heard,
}

impl Connector {
    pub(super) fn new(client: HttpClient, limits: Limits, heard: Heard) -> Self {
        Self { client, limits, heard }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<StoreClient> {
        Ok(StoreClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let host = head.uri.authority().map(ToString::to_string).unwrap_or_default();
        let body = body.collect().await?.to_bytes();
        match self.client.send(Request::from_parts(head, body), self.limits).await {
            Ok(answer) => {
                if !answer.status().is_success() {
                    let outcome = Ok((answer.status(), code(&answer)));
                    let wait = retry_after(answer.status(), answer.headers(), SystemTime::now());
                    self.heard.remember(Trouble { host, outcome, wait });
                }
                Ok(answer.map(Into::into))
            }
            Err(cause) => {
                self.heard.remember(Trouble { host, outcome: Err(cause.clone()), wait: None });
                Err(HttpError::new(HttpErrorKind::Unknown, Message(cause)))
            }
        }
    }
}

/// What the provider calls the error, such as `AccessDenied`: a header of Azure's, an element elsewhere.
pub(crate) fn code(answer: &Response<bytes::Bytes>) -> Option<String> {
    let header = answer.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
    let element = || {
        let text = std::str::from_utf8(answer.body()).ok()?;
        text.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code)
    };
    let code = header.or_else(element)?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| code.to_owned())
}
