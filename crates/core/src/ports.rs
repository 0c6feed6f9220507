//! What the outside must provide: traits that the server implements and the core calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::jwt::KeySet;
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
}

/// One location of a JSON Web Key Set, kept fresh in the background.
pub trait KeySource: Send + Sync {
    /// The set in force: `None` before the first success and after the hard ceiling has passed.
    fn current(&self) -> Option<Arc<KeySet>>;

    /// Waits for a fetch, because no key fits a token. At most one fetch per location per 10 s is
    /// made however often this is called, and it resolves within the location's maximum wait.
    fn refresh(&self) -> LocalFuture<'_, ()>;

    /// The URL as configured, for messages to the operator.
    fn location(&self) -> &str;
}

/// Hands out [`KeySource`]s; one per location, however many rules name it.
pub trait KeySources: Send + Sync {
    /// Opens a location. The error says why the URL cannot be used at all (scheme, syntax).
    fn open(&self, url: &str) -> Result<Arc<dyn KeySource>, String>;
}
