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
use crate::objects::aws::check_endpoint;
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

/// Reads a variable.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Secrets Manager in one region, asked as one identity.
pub struct SecretsManager {
    options: Options,
    variable: Environment,
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
        let held = || self.api.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((on, api)) = &*held()
            && on.is_same(client)
        {
            return Ok(api.clone());
        }
        let api = Arc::new(self.open(client)?);
        *held() = Some((client.clone(), api.clone()));
        Ok(api)
    }

    fn open(&self, client: &HttpClient) -> Result<Api, Failure> {
        let Options { region, profile, endpoint } = &self.options;
        let identity = Identity::find(region.as_deref(), profile.as_deref(), &self.variable, (client, self.limits));
        let identity = identity.map_err(|cause| Failure::new(cause).remedy("see docs/secrets-sources.md"))?;
        let found =
            ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"].iter().find_map(|name| (self.variable)(name));
        let endpoint = endpoint.clone().or(found);
        if let Some(endpoint) = &endpoint {
            check_endpoint(endpoint).map_err(|cause| Failure::new(cause).remedy("check `AWS_ENDPOINT_URL`"))?;
        }
        Ok(Api::new(identity, endpoint, client.clone(), self.limits))
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
