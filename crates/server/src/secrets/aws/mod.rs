//! AWS Secrets Manager. Current values are fetched in batches, where the identity may do so; else, and for older
//! versions, one by one.

mod api;
mod problem;
mod round;
mod settings;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use keyward_core::ports::LocalFuture;

use self::api::Api;
use self::round::Round;
pub(super) use self::settings::{KEY, open};
use super::backend::{Backend, Failure, Fetched, Wanted};
use crate::http_client::{HttpClient, Limits};
use crate::objects::identity::Identity;

/// What is written about Secrets Manager. What is not written is found as AWS's own tools find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The region.
    pub region: Option<String>,
    /// The profile in the files that AWS's tools share.
    pub profile: Option<String>,
    /// An absolute URL instead of the region's own.
    pub endpoint: Option<String>,
}

/// Secrets Manager in one region, asked as one identity.
pub struct SecretsManager {
    options: Options,
    variable: Box<dyn Fn(&str) -> Option<String> + Send + Sync>,
    limits: Limits,
    api: Mutex<Option<(HttpClient, Arc<Api>)>>,
}

impl SecretsManager {
    /// Nothing is looked at before the first fetch; `variable` reads the environment then. `limits` are for each
    /// request.
    pub fn new(
        options: Options,
        variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        limits: Limits,
    ) -> Self {
        Self { options, variable: Box::new(variable), limits, api: Mutex::new(None) }
    }

    /// The service on this way out. It is kept for as long as the way out is, since its credentials are good for more
    /// than one fetch.
    fn api(&self, client: &HttpClient) -> Result<Arc<Api>, Failure> {
        let mut held = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some((on, api)) if on.is_same(client) => Ok(api.clone()),
            _ => {
                let (region, profile) = (self.options.region.as_deref(), self.options.profile.as_deref());
                let identity =
                    Identity::find(region, profile, &self.variable, (client, self.limits)).map_err(|cause| {
                        Failure::new(cause).remedy("see how credentials are found, in docs/secrets-sources.md")
                    })?;
                let written = self.options.endpoint.clone();
                let variable = |name| (self.variable)(name);
                let endpoint = written
                    .or_else(|| variable("AWS_ENDPOINT_URL_SECRETS_MANAGER"))
                    .or_else(|| variable("AWS_ENDPOINT_URL"));
                let api = Arc::new(Api::new(identity, endpoint, client.clone(), self.limits));
                *held = Some((client.clone(), api.clone()));
                Ok(api)
            }
        }
    }
}

impl Backend for SecretsManager {
    fn fetch<'a>(&'a self, client: &'a HttpClient, wanted: &'a [Wanted]) -> LocalFuture<'a, Vec<Fetched>> {
        Box::pin(async move {
            match self.api(client) {
                Ok(api) => Round::new(&api).fetch(wanted).await,
                Err(failure) => wanted.iter().map(|_| Err(failure.clone())).collect(),
            }
        })
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretsManager").field(&self.options).finish()
    }
}
