//! Repositories that are asked over the network: what a kind of location has to provide, and how patiently
//! it is asked.

use std::fmt::Debug;
use std::time::Duration;

use http::HeaderValue;
use keyward_core::ports::LocalFuture;

use crate::http_client::HttpClient;

/// One attempt, connecting included (serving spec 6.3).
pub(super) const ATTEMPT_TIME: Duration = Duration::from_secs(15);
/// Attempts at the start.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; doubled before each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer, whatever a server asks for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A location that is asked over the network. Cheap to make: nothing is asked until it is fetched.
pub trait RemoteRepository: Debug + Send + Sync {
    /// Makes one attempt. `known` says what is there already: if that is still current, nothing is sent again.
    /// Must be bounded in time and size, and must follow no redirect.
    fn fetch<'a>(&'a self, client: &'a HttpClient, known: Option<&'a Version>) -> LocalFuture<'a, Fetched>;
}

/// What an attempt came to.
pub type Fetched = Result<Fetch, FetchError>;

/// An answer.
pub enum Fetch {
    /// A document.
    Document(Document),
    /// What is known is current.
    Unchanged,
}

/// A rule document, as it was sent.
#[derive(Debug)]
pub struct Document {
    /// The text.
    pub text: String,
    /// Which one it is, as the server says.
    pub version: Version,
}

/// How a server tells one version of a document from another (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default)]
pub struct Version {
    /// `ETag`
    pub etag: Option<HeaderValue>,
    /// `Last-Modified`
    pub modified: Option<HeaderValue>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct FetchError {
    /// For the operator.
    pub cause: String,
    /// Asking again may help.
    pub may_pass: bool,
    /// How long the server asks to wait.
    pub wait: Option<Duration>,
}

impl FetchError {
    /// A failure that asking again may mend.
    pub fn passing(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), may_pass: true, wait: None }
    }

    /// A failure that only an operator can mend.
    pub fn lasting(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), may_pass: false, wait: None }
    }
}

/// The first fetch of a document, tried as often as the reference does.
pub async fn fetch_patiently(repository: &dyn RemoteRepository, client: &HttpClient) -> Result<Document, FetchError> {
    let mut wait = FIRST_WAIT;
    let mut attempt = 1;
    loop {
        match repository.fetch(client, None).await {
            Ok(Fetch::Document(document)) => return Ok(document),
            Ok(Fetch::Unchanged) => {
                return Err(FetchError::lasting("the server says that an unknown document is unchanged"));
            }
            Err(error) if !error.may_pass || attempt == ATTEMPTS => return Err(error),
            Err(error) => {
                let pause = error.wait.unwrap_or(wait).min(MAX_WAIT);
                tracing::warn!(cause = error.cause, attempt, ?pause, "rules could not be fetched; trying again");
                tokio::time::sleep(pause).await;
            }
        }
        wait *= 2;
        attempt += 1;
    }
}
