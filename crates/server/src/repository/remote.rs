//! Repositories that are asked over the network: what a kind of location has to provide, and what comes of asking.

use std::fmt::Debug;
use std::time::Duration;

use http::HeaderValue;
use keyward_core::ports::LocalFuture;

use super::signature::PublicKey;
use crate::http_client::HttpClient;

/// One attempt by default, connecting included (serving spec 6.3).
pub(super) const ATTEMPT_TIME: Duration = Duration::from_secs(15);

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

/// A rule document, as it was sent. Not printable: rules can hold credentials that were written out.
pub struct Document {
    /// The text.
    pub text: String,
    /// Which one it is, as the server says.
    pub version: Version,
    /// The signature that it has passed, where one is needed.
    pub signature: Option<String>,
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
    /// What it means for the next attempt.
    pub nature: Nature,
    /// How long the server asks to wait.
    pub wait: Option<Duration>,
}

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Only an operator can mend it.
    Lasting,
    /// Asking again may help.
    Passing,
    /// There is an answer, and it must not be believed.
    Refused,
}

impl FetchError {
    /// A failure that asking again may mend.
    pub fn passing(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), nature: Nature::Passing, wait: None }
    }

    /// A failure that only an operator can mend.
    pub fn lasting(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), nature: Nature::Lasting, wait: None }
    }

    /// An answer that must not be believed.
    pub fn refused(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), nature: Nature::Refused, wait: None }
    }
}

/// Where a document is asked for, and who must have signed it.
#[derive(Debug)]
pub struct Source {
    document: Box<dyn RemoteRepository>,
    signed: Option<(Box<dyn RemoteRepository>, PublicKey)>,
}

impl Source {
    pub(super) fn new(
        document: Box<dyn RemoteRepository>,
        signed: Option<(Box<dyn RemoteRepository>, PublicKey)>,
    ) -> Self {
        Self { document, signed }
    }

    /// Makes one attempt. A document that is not `known`, which must have been accepted, comes with its signature, where
    /// one is needed, and has passed it.
    pub async fn fetch(&self, client: &HttpClient, known: Option<&Document>) -> Fetched {
        let mut document = match self.document.fetch(client, known.map(|known| &known.version)).await? {
            // A server without versions sends the same text every time.
            Fetch::Document(document) if known.is_some_and(|known| known.text == document.text) => {
                return Ok(Fetch::Unchanged);
            }
            Fetch::Document(document) => document,
            Fetch::Unchanged if known.is_none() => {
                return Err(FetchError::lasting("the server says that an unknown document is unchanged"));
            }
            Fetch::Unchanged => return Ok(Fetch::Unchanged),
        };
        if let Some((signature, _)) = &self.signed {
            document.signature = Some(match signature.fetch(client, None).await {
                Ok(Fetch::Document(signature)) => signature.text,
                Ok(Fetch::Unchanged) => return Err(FetchError::refused("its signature was not sent")),
                Err(error) => {
                    let nature = if error.nature == Nature::Passing { Nature::Passing } else { Nature::Refused };
                    let cause = format!("it is not signed: `.minisig` beside it: {}", error.cause);
                    return Err(FetchError { cause, nature, ..error });
                }
            });
            self.accepts(&document).map_err(FetchError::refused)?;
        }
        Ok(Fetch::Document(document))
    }

    /// Whether a document carries the signature that it needs. The error is for the operator.
    pub fn accepts(&self, document: &Document) -> Result<(), String> {
        match (&self.signed, &document.signature) {
            (None, _) => Ok(()),
            (Some((_, key)), Some(signature)) => key.check(&document.text, signature),
            (Some(_), None) => Err("it carries no signature".to_owned()),
        }
    }
}
