//! What is asked of Vault (<https://developer.hashicorp.com/vault/api-docs>).

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use keyward_core::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::Options;
use super::problem::Problem;
use crate::http_client::{HttpClient, Limits};
use crate::secrets::field::{Members, Text};

/// What a segment of a path is written without: everything but unreserved characters (RFC 3986 section 2.3).
const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A Vault, as this process reaches it.
pub(super) struct Api<'a> {
    pub(super) options: &'a Options,
    pub(super) client: &'a HttpClient,
    pub(super) limits: Limits,
}

/// A version of a secret.
#[derive(Deserialize)]
pub(super) struct Stored {
    /// `None` once it is deleted.
    pub(super) data: Option<Members>,
    pub(super) metadata: Metadata,
}

/// About a version.
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) version: u64,
    #[serde(default)]
    pub(super) destroyed: bool,
}

/// A token that was issued or renewed.
#[derive(Deserialize)]
pub(super) struct Auth {
    pub(super) client_token: Text,
    /// Seconds; 0 for ever.
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

/// What a token says of itself.
#[derive(Deserialize)]
pub(super) struct About {
    /// Seconds; 0 for ever.
    pub(super) ttl: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

#[derive(Deserialize)]
struct DataAnswer<T> {
    data: T,
}

#[derive(Deserialize)]
struct AuthAnswer {
    auth: Auth,
}

impl Api<'_> {
    /// Reads a path of the engine, the current version or one by number.
    pub(super) async fn read(&self, token: &Secret, path: &str, version: Option<&str>) -> Result<Stored, Problem> {
        let version = version.map(|number| format!("?version={number}")).unwrap_or_default();
        let path = format!("{}/data/{}{version}", escaped(&self.options.mount), escaped(path));
        let answer = self.send(Method::GET, &path, Some(token), Bytes::new()).await?;
        match answer.status() {
            StatusCode::OK => parse::<DataAnswer<Stored>>(&answer).map(|answer| answer.data),
            // A deleted version is not found, and is described nevertheless.
            StatusCode::NOT_FOUND => match parse::<DataAnswer<Stored>>(&answer) {
                Ok(answer) => Ok(answer.data),
                Err(_) => Err(Problem::Refused(StatusCode::NOT_FOUND)),
            },
            status => Err(Problem::Refused(status)),
        }
    }

    /// Logs in at an auth method.
    pub(super) async fn login(&self, mount: &str, credentials: &impl Serialize) -> Result<Auth, Problem> {
        let body = serde_json::to_vec(credentials).map_err(|_| Problem::Malformed)?;
        self.auth(&format!("auth/{}/login", escaped(mount)), None, body.into()).await
    }

    /// Renews a token.
    pub(super) async fn renew(&self, token: &Secret) -> Result<Auth, Problem> {
        self.auth("auth/token/renew-self", Some(token), Bytes::from_static(b"{}")).await
    }

    async fn auth(&self, path: &str, token: Option<&Secret>, body: Bytes) -> Result<Auth, Problem> {
        let answer = self.send(Method::POST, path, token, body).await?;
        match answer.status() {
            StatusCode::OK => parse::<AuthAnswer>(&answer).map(|answer| answer.auth),
            status => Err(Problem::Refused(status)),
        }
    }

    /// Asks a token about itself.
    pub(super) async fn about(&self, token: &Secret) -> Result<About, Problem> {
        let answer = self.send(Method::GET, "auth/token/lookup-self", Some(token), Bytes::new()).await?;
        match answer.status() {
            StatusCode::OK => parse::<DataAnswer<About>>(&answer).map(|answer| answer.data),
            status => Err(Problem::Refused(status)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Bytes,
    ) -> Result<Response<Bytes>, Problem> {
        let unusable = |what: &str| Problem::NoAnswer(format!("{what} cannot be put into a request"));
        // An agent that wants it lets no page of a browser ask.
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.options.address))
            .header("x-vault-request", "true")
            .body(body)
            .map_err(|_| unusable("the address"))?;
        let headers = request.headers_mut();
        if let Some(namespace) = &self.options.namespace {
            headers
                .insert("x-vault-namespace", HeaderValue::from_str(namespace).map_err(|_| unusable("the namespace"))?);
        }
        if let Some(token) = token {
            let mut token = HeaderValue::from_str(token.expose()).map_err(|_| unusable("the token"))?;
            token.set_sensitive(true);
            headers.insert("x-vault-token", token);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.send(request, self.limits).await;
        let answer = answer.map_err(|cause| Problem::NoAnswer(format!("{}: {cause}", self.options.address)))?;
        // Vault says in JSON what is bad about a request; a port for TLS that is sent a request without answers 400, too.
        match answer.status() {
            StatusCode::BAD_REQUEST => parse::<BTreeMap<String, IgnoredAny>>(&answer).map(|_| answer),
            _ => Ok(answer),
        }
    }
}

fn parse<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, Problem> {
    serde_json::from_slice(answer.body()).map_err(|_| Problem::Malformed)
}

/// A path with everything escaped but its slashes.
fn escaped(path: &str) -> String {
    let segments = path.split('/').map(|segment| utf8_percent_encode(segment, IN_SEGMENT).to_string());
    segments.collect::<Vec<_>>().join("/")
}
