//! The second version of the KV engine of HashiCorp Vault, and of what speaks like it (OpenBao). A path is read once,
//! however many of its members are wanted.

mod api;
mod login;
mod problem;
mod round;
mod settings;
mod token;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use keyward_core::ports::LocalFuture;

use self::api::Api;
pub use self::login::{Credentials, Given, Login};
use self::round::Round;
pub(super) use self::settings::{KEY, open};
use self::token::Token;
use super::backend::{Backend, Fetched, Wanted};
use crate::http_client::{HttpClient, Limits};

/// What is written about a Vault.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its absolute URL, without a slash at the end.
    pub address: String,
    /// The namespace, of those that have any.
    pub namespace: Option<String>,
    /// Where the engine is mounted.
    pub mount: String,
    /// How to get a token.
    pub login: Login,
}

/// A Vault, asked as one identity.
pub struct Vault {
    options: Options,
    limits: Limits,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    token: Mutex<Option<Arc<Token>>>,
}

impl Vault {
    /// Nothing is asked before the first fetch. `limits` are for each request; `clock` tells how old a token is.
    pub fn new(options: Options, limits: Limits, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self { options, limits, clock: Box::new(clock), token: Mutex::new(None) }
    }

    fn token(&self) -> Option<Arc<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, token: Option<Arc<Token>>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

impl Backend for Vault {
    fn fetch<'a>(&'a self, client: &'a HttpClient, wanted: &'a [Wanted]) -> LocalFuture<'a, Vec<Fetched>> {
        Box::pin(async move {
            let api = Api { options: &self.options, client, limits: self.limits };
            let (outcomes, token) = Round::new(&api, &*self.clock, self.token()).fetch(wanted).await;
            self.keep(token);
            outcomes
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.options).finish()
    }
}
