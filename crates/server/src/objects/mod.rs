//! Objects in the stores of cloud providers: `s3://bucket/key`, `gs://bucket/key`, `azblob://container/key`
//! (serving spec 6.1 and 6.5). One file per provider, one table of schemes; requests go out through the same
//! client as those for other documents, so that limits, trust roots and address overrides hold for them too.

pub(crate) mod aws;
mod azblob;
pub(crate) mod connector;
mod failure;
mod gs;
pub(crate) mod identity;
mod profile;
mod s3;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use object_store::path::Path;
use object_store::{Attribute, GetOptions, ObjectStore, RetryConfig};
use percent_encoding::percent_decode_str;

use self::connector::{Connector, Heard};
pub use self::failure::Failure;
use crate::http_client::{HttpClient, Limits};

/// A variable of the environment.
pub(crate) type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Makes a provider's client.
type Build = fn(&Place, Variable<'_>, Connector) -> Result<Arc<dyn ObjectStore>, String>;

/// One provider.
struct Provider {
    scheme: &'static str,
    /// What a URL may say after `?`.
    options: &'static [&'static str],
    build: Build,
    /// What an identity must be allowed to do, for messages.
    permission: fn(&Place) -> String,
}

const PROVIDERS: &[Provider] = &[
    Provider { scheme: "s3", options: s3::OPTIONS, build: s3::build, permission: s3::permission },
    Provider { scheme: "gs", options: gs::OPTIONS, build: gs::build, permission: gs::permission },
    Provider { scheme: "azblob", options: azblob::OPTIONS, build: azblob::build, permission: azblob::permission },
];

/// Where an object is.
#[derive(Debug)]
struct Place {
    /// Bucket or container.
    bucket: String,
    key: Path,
    /// What stands behind `?`.
    options: BTreeMap<String, String>,
}

impl Place {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether one of the names of an option says yes.
    fn is_set(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.option(name).is_some_and(|value| matches!(value, "true" | "1" | "")))
    }
}

/// An object that can be asked for. Nothing is asked until then.
pub struct Object {
    provider: &'static Provider,
    place: Place,
    limits: Limits,
    client: Mutex<Option<(HttpClient, Client)>>,
}

/// A provider's client with its credentials, and what it hears.
#[derive(Clone)]
struct Client {
    store: Arc<dyn ObjectStore>,
    heard: Heard,
}

/// What came of asking.
pub enum Found {
    /// The object.
    Document {
        /// What it holds.
        bytes: Bytes,
        /// Which version it is.
        etag: Option<HeaderValue>,
    },
    /// The version that is known already.
    Unchanged,
}

impl Object {
    /// Whether a URL's scheme is that of an object store.
    pub fn is_scheme(scheme: &str) -> bool {
        PROVIDERS.iter().any(|provider| provider.scheme == scheme)
    }

    /// Parses `SCHEME://BUCKET/KEY?OPTION=VALUE`. The error is for the operator.
    pub fn parse(url: &str, limits: Limits) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme: write `SCHEME://BUCKET/KEY`")?;
        let scheme = scheme.to_ascii_lowercase();
        let provider = PROVIDERS.iter().find(|provider| provider.scheme == scheme);
        let provider = provider.ok_or_else(|| format!("`{scheme}://` is no object store"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(['@', ':', '#']) {
            return Err(format!("write `{scheme}://BUCKET/KEY`"));
        }
        let key = percent_decode_str(key).decode_utf8().map_err(|_| "the key is not UTF-8")?;
        let path = Path::parse(&key).map_err(|_| "the key has an empty segment, or one of dots")?;
        if path.as_ref().is_empty() {
            return Err(format!("it names no object: write `{scheme}://{bucket}/KEY`"));
        }
        let options: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if let Some(unknown) = options.keys().find(|name| !provider.options.contains(&name.as_str())) {
            let known = match provider.options {
                [] => "it has none".to_owned(),
                known => format!("known are `{}`", known.join("`, `")),
            };
            return Err(format!("`{unknown}` is not an option of `{scheme}://`; {known}"));
        }
        let place = Place { bucket: bucket.to_owned(), key: path, options };
        Ok(Self { provider, place, limits, client: Mutex::new(None) })
    }

    /// Asks once, unless `known` is the current version. Bounded in time and size; follows no redirect.
    pub async fn get(&self, client: &HttpClient, known: Option<&HeaderValue>) -> Result<Found, Failure> {
        let Client { store, heard } = self.client(client).map_err(Failure::lasting)?;
        heard.forget();
        let asked = tokio::time::timeout(self.limits.time, self.ask(&*store, known)).await;
        match asked {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Failure::of(&error, &heard, &(self.provider.permission)(&self.place))),
            Err(_) => Err(Failure::passing(format!("no complete answer within {} ms", self.limits.time.as_millis()))),
        }
    }

    async fn ask(&self, store: &dyn ObjectStore, known: Option<&HeaderValue>) -> object_store::Result<Found> {
        let known = known.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let options = GetOptions { if_none_match: known, ..GetOptions::default() };
        let answer = match store.get_opts(&self.place.key, options).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotModified { .. }) => return Ok(Found::Unchanged),
            Err(error) => return Err(error),
        };
        if answer.attributes.get(&Attribute::ContentEncoding).is_some_and(|coding| coding.as_ref() != "identity") {
            return Err(failure::refused("the object is compressed; store it as it is"));
        }
        // A version that is no header value is as good as none.
        let etag = answer.meta.e_tag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok());
        Ok(Found::Document { bytes: answer.bytes().await?, etag })
    }

    /// The provider's client on this way out. It is kept for as long as the way out is, since it holds credentials
    /// that are good for more than one request.
    fn client(&self, client: &HttpClient) -> Result<Client, String> {
        let mut held = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some((on, ready)) if on.is_same(client) => Ok(ready.clone()),
            _ => {
                let heard = Heard::default();
                let connector = Connector::new(client.clone(), self.limits, heard.clone());
                let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
                let store = (self.provider.build)(&self.place, &variable, connector)?;
                let ready = Client { store, heard };
                *held = Some((client.clone(), ready.clone()));
                Ok(ready)
            }
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}://{}/{})", self.provider.scheme, self.place.bucket, self.place.key)
    }
}

/// Whoever asks decides when to ask again.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// An address as people write it: `minio.example.com`, which means https, or a URL.
pub(crate) fn endpoint_url(written: &str, insecure: bool) -> String {
    match written.contains("://") {
        true => written.to_owned(),
        false if insecure => format!("http://{written}"),
        false => format!("https://{written}"),
    }
}
