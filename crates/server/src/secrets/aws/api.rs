//! The two operations of Secrets Manager that read values
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/>).

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::http_client::{HttpClient, Limits};
use crate::objects::connector::code;
use crate::objects::identity::Identity;
use crate::secrets::field::Text;

const SERVICE: &str = "secretsmanager";

/// The service, as this process reaches it.
pub(super) struct Api {
    identity: Identity,
    endpoint: String,
    client: HttpClient,
    limits: Limits,
    /// Batches were refused, and are not tried again with this identity.
    is_one_by_one: AtomicBool,
}

/// Which value; a field that is `None` is not sent.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get<'a> {
    pub(super) secret_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_stage: Option<&'a str>,
}

/// Which current values, at most [`MOST_IN_BATCH`].
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<'a> {
    pub(super) secret_id_list: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// So many values are in one batch at most.
pub(super) const MOST_IN_BATCH: usize = 20;

/// A value as it is stored.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Stored {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) version_id: String,
    pub(super) secret_string: Option<Text>,
    pub(super) secret_binary: Option<IgnoredAny>,
}

/// A page of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    #[serde(default)]
    pub(super) secret_values: Vec<Stored>,
    #[serde(default)]
    pub(super) errors: Vec<EntryError>,
    pub(super) next_token: Option<String>,
}

/// Why one value of a batch is missing.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EntryError {
    pub(super) secret_id: String,
    error_code: String,
    #[serde(default)]
    message: String,
}

impl EntryError {
    pub(super) fn problem(&self) -> Problem {
        Problem::refused(StatusCode::OK, Some(&self.error_code), &self.message)
    }
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(rename = "__type")]
    code: Option<String>,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Api {
    /// Without an `endpoint`, that of the region.
    pub(super) fn new(identity: Identity, endpoint: Option<String>, client: HttpClient, limits: Limits) -> Self {
        let endpoint = endpoint.unwrap_or_else(|| {
            let region = identity.region();
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://{SERVICE}.{region}.{domain}")
        });
        Self { identity, endpoint, client, limits, is_one_by_one: AtomicBool::new(false) }
    }

    pub(super) fn region(&self) -> &str {
        self.identity.region()
    }

    pub(super) fn is_one_by_one(&self) -> bool {
        self.is_one_by_one.load(Ordering::Relaxed)
    }

    pub(super) fn go_one_by_one(&self) {
        self.is_one_by_one.store(true, Ordering::Relaxed);
    }

    pub(super) async fn get(&self, get: &Get<'_>) -> Result<Stored, Problem> {
        self.call("GetSecretValue", get).await
    }

    pub(super) async fn batch(&self, batch: &Batch<'_>) -> Result<Page, Problem> {
        self.call("BatchGetSecretValue", batch).await
    }

    async fn call<T: DeserializeOwned>(&self, operation: &str, input: &impl Serialize) -> Result<T, Problem> {
        let body = serde_json::to_vec(input).map_err(|_| Problem::Malformed)?;
        let request = Request::post(&self.endpoint)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{SERVICE}.{operation}"))
            .body(Bytes::from(body))
            .map_err(|_| Problem::NoAnswer("the endpoint is no `http` or `https` URL".to_owned()))?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let signed = self.identity.sign(SERVICE, request).await.map_err(Problem::NoCredentials)?;
        let answer = self.client.send(signed, self.limits).await;
        let answer = answer.map_err(|cause| Problem::NoAnswer(format!("{host}: {cause}")))?;
        if answer.status() == StatusCode::OK {
            return serde_json::from_slice(answer.body()).map_err(|_| Problem::Malformed);
        }
        // What only speaks like AWS may answer XML here.
        let error = serde_json::from_slice(answer.body())
            .unwrap_or_else(|_| ErrorAnswer { code: code(&answer), message: String::new() });
        Err(Problem::refused(answer.status(), error.code.as_deref(), &error.message))
    }
}
