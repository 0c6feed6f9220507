//! What the outside must provide: traits that the server implements and the core calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::credential::{Absent, NamedSecret};
use crate::jwt::{KeySet, SigningSet, TokenCache};
use crate::pipeline::denial::Denial;
use crate::secret::Secret;

/// A future that stays on the core that made it.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Seconds since 1970-01-01T00:00:00Z, passed in wherever time matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub i64);

/// Looks secrets up while rules are compiled; never called per request.
pub trait SecretSource: Send + Sync {
    /// The value behind `{{ env "NAME" }}`: `secrets.env_dir` first, then the process environment.
    fn env(&self, name: &str) -> Option<Secret>;

    /// The value behind `{{ secret "NAME" }}`, out of `secrets.sources`. Never an empty one.
    fn secret(&self, name: &str) -> Result<NamedSecret, Absent>;
}

/// One location of a JSON Web Key Set, kept fresh in the background.
pub trait KeySource: Send + Sync {
    /// The set in force: `None` before the first success and after the hard ceiling has passed.
    fn current(&self) -> Option<Arc<KeySet>>;

    /// Whether the key with a fingerprint, which was in the set of a revision, is in the set in force.
    fn publishes(&self, revision: u64, fingerprint: u64) -> bool {
        self.current().is_some_and(|set| set.publishes(revision, fingerprint))
    }

    /// Waits for a fetch, because no key fits a token. At most one fetch per location per 10 s is
    /// made however often this is called, and it resolves within the location's maximum wait.
    fn refresh(&self) -> LocalFuture<'_, ()>;

    /// The URL as configured, for messages to the operator.
    fn location(&self) -> &str;
}

/// One location of private keys that tokens are signed with, kept fresh like a [`KeySource`].
pub trait SigningSource: Send + Sync {
    /// The keys in force: `None` before the first success and after the hard ceiling has passed.
    fn current(&self) -> Option<Arc<SigningSet>>;

    /// Waits for a fetch, because there are no keys. Bounded as [`KeySource::refresh`] is.
    fn refresh(&self) -> LocalFuture<'_, ()>;
}

/// Hands out key sources; one per location, however many rules name it.
pub trait KeySources: Send + Sync {
    /// Opens a location of keys that check signatures. The error says why the URL cannot be used at all
    /// (scheme, syntax).
    fn open(&self, url: &str) -> Result<Arc<dyn KeySource>, String>;

    /// Opens a location of keys that sign.
    fn open_signing(&self, url: &str) -> Result<Arc<dyn SigningSource>, String>;
}

/// The body of the request at hand, for handlers that read it.
pub trait BodySource {
    /// Reads the whole of it into memory, within the limits of the server. Called at most once, and only
    /// after the caller was authenticated.
    fn read(&mut self) -> LocalFuture<'_, Result<Bytes, Denial>>;
}

/// No body at all.
#[derive(Debug)]
pub struct NoBody;

impl BodySource for NoBody {
    fn read(&mut self) -> LocalFuture<'_, Result<Bytes, Denial>> {
        Box::pin(std::future::ready(Ok(Bytes::new())))
    }
}

/// Time that only moves forward, for caches and limits.
pub trait Clock: Send + Sync {
    /// Since some fixed moment in the past.
    fn monotonic(&self) -> Duration;

    /// The wall clock: since 1970-01-01T00:00:00Z.
    fn unix(&self) -> Duration;
}

/// Unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills a buffer.
    fn fill(&self, bytes: &mut [u8]);
}

/// Calls side services: session stores, token endpoints, authorizers. Connections are kept and shared;
/// redirects are never followed, bodies never decompressed.
pub trait SideClient: Send + Sync {
    /// Makes a call within the limits of `policy`. Any status that is not retried is an answer.
    fn call<'a>(
        &'a self,
        request: SideRequest,
        policy: &'a CallPolicy,
    ) -> LocalFuture<'a, Result<SideAnswer, SideError>>;
}

/// A call to a side service. Deliberately without `Debug`: it may carry credentials.
#[derive(Clone)]
pub struct SideRequest {
    /// The method.
    pub method: Method,
    /// The whole URL, checked when the handler was bound.
    pub url: String,
    /// Headers, without framing and without `Host`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a side service answered. Deliberately without `Debug`: it may carry credentials.
pub struct SideAnswer {
    /// The status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, at most [`CallPolicy::max_body`] bytes.
    pub body: Bytes,
}

/// Limits of a call, and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// How often it is tried in all. With 1 nothing is retried and every status is an answer; otherwise
    /// 429, every 5xx but 501, and failures of the transport are tried again (pipeline spec 1.8).
    pub attempts: u32,
    /// For one attempt, connecting and the whole body included.
    pub attempt_timeout: Duration,
    /// Before the second attempt; doubled before each further one. `Retry-After` of a 429 or 503 goes
    /// before it.
    pub first_wait: Duration,
    /// No wait is longer, whatever a service asks for.
    pub max_wait: Duration,
    /// The longest answer body, in bytes.
    pub max_body: usize,
}

impl CallPolicy {
    /// One try, as the reference makes for authenticators, but never without an end: 10 s and 1 MiB.
    pub const ONCE: Self = Self {
        attempts: 1,
        attempt_timeout: Duration::from_secs(10),
        first_wait: Duration::ZERO,
        max_wait: Duration::ZERO,
        max_body: 1024 * 1024,
    };
}

/// Why a call had no answer. The texts name the service's address and are for the operator only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SideError {
    /// No connection, or it broke: what happened.
    Broken(String),
    /// The answer's body broke off, after a head that was whole: what happened.
    Cut(String),
    /// Every attempt failed or was answered with a status that is retried.
    GaveUp {
        /// How many attempts were made.
        attempts: u32,
        /// What the last one came to.
        last: String,
    },
    /// No complete answer in time.
    TimedOut,
    /// The answer's body is too long.
    TooLong,
}

impl std::fmt::Display for SideError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SideError::Broken(what) => f.write_str(what),
            SideError::Cut(what) => write!(f, "the answer broke off: {what}"),
            SideError::GaveUp { attempts, last } => write!(f, "giving up after {attempts} attempt(s): {last}"),
            SideError::TimedOut => f.write_str("no complete answer in time"),
            SideError::TooLong => f.write_str("the answer is too long"),
        }
    }
}

impl std::error::Error for SideError {}

/// Everything the outside provides, as the rules of one snapshot get it.
#[derive(Clone)]
pub struct Outside {
    /// Where templates find `env` and `secret`.
    pub secrets: Arc<dyn SecretSource>,
    /// Where key sets come from.
    pub keys: Arc<dyn KeySources>,
    /// The verified-token cache shared by every rule.
    pub tokens: Arc<TokenCache>,
    /// Side services.
    pub side: Arc<dyn SideClient>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}
