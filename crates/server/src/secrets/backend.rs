//! What a place that holds secrets has to provide. One file per kind of place.

use std::fmt::{self, Debug};

use keyward_core::ports::LocalFuture;
use keyward_core::secret::Secret;

use crate::http_client::HttpClient;

/// A place that holds secrets. Cheap to make: nothing is asked until values are fetched. It may keep what it
/// signed in with, since it lives as long as the settings that named it.
pub trait Backend: Debug + Send + Sync {
    /// Makes one attempt at every value that is wanted, in as few requests as the place allows. The outcomes are
    /// in the order of `wanted`, and as many. Must be bounded in time and size, and must follow no redirect.
    fn fetch<'a>(&'a self, client: &'a HttpClient, wanted: &'a [Wanted]) -> LocalFuture<'a, Vec<Fetched>>;
}

/// Which value is wanted of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What the place calls it: a path, an identifier or an ARN.
    pub id: String,
    /// The member of the JSON object that it holds; without one the whole text is the value.
    pub field: Option<String>,
    /// Which version, as the place counts them; without one the current.
    pub version: Option<String>,
}

/// What an attempt at one value came to.
pub type Fetched = Result<Value, Failure>;

/// A value with the place's name for its version.
#[derive(Clone, Debug)]
pub struct Value {
    /// The value.
    pub secret: Secret,
    /// Its version: never derived from the value, since it is shown.
    pub version: String,
}

/// Why there is no value. Never holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the operator.
    pub cause: String,
    /// What to do about it, such as the permission that is missing.
    pub remedy: Option<String>,
}

impl Failure {
    /// A failure without a known remedy.
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: None }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}
