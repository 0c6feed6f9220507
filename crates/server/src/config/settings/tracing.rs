//! Traces: where they go, and which requests are part of one.

use http::{HeaderValue, Uri};
use keyward_core::rule::upstream::Upstream;
use keyward_core::secret::Secret;

use super::Check;
use crate::config::file::tracing::{CallerContextName, Otlp, Tracing, TracingProvider};
use crate::redaction;

/// What the reference calls itself.
const SERVICE_NAME: &str = "ORY Oathkeeper";
/// Where collectors take traces (OTLP, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// Traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TracingSettings {
    /// Where they are sent, whole.
    pub url: String,
    /// Sent as `Authorization`.
    pub authorization: Option<Secret>,
    /// How many of those that begin here are sampled, from 0 to 1.
    pub ratio: f64,
    /// What callers say of theirs.
    pub callers: CallerContext,
    /// `service.name`
    pub service_name: String,
    /// `deployment.environment.name`
    pub environment: Option<String>,
}

/// What becomes of the trace that a caller says its request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerContext {
    /// It goes on, and is sampled when the caller says so.
    Follow,
    /// It goes on; whether it is sampled is decided here.
    Continue,
    /// Another begins here.
    Replace,
}

impl Check<'_> {
    pub(super) fn tracing(&mut self, file: Tracing) -> Option<TracingSettings> {
        match file.provider? {
            TracingProvider::Jaeger | TracingProvider::Zipkin => {
                self.warn(
                    "tracing.provider",
                    "has no effect: no traces are exported; `otel` exports them to an OpenTelemetry collector, and to \
                     Jaeger, which takes the same",
                );
                None
            }
            TracingProvider::Otel => {
                let otlp = file.providers.and_then(|providers| providers.otlp).unwrap_or_default();
                let url = self.traces_url(&otlp);
                let ratio = otlp.sampling.and_then(|sampling| sampling.sampling_ratio).unwrap_or(1.0);
                if !(0.0..=1.0).contains(&ratio) {
                    self.refuse("tracing.providers.otlp.sampling.sampling_ratio", "it is not from 0 to 1");
                }
                let authorization = self.traces_credential(otlp.authorization_header);
                Some(TracingSettings {
                    url: url?,
                    authorization,
                    ratio,
                    callers: match file.caller_context {
                        Some(CallerContextName::Continue) => CallerContext::Continue,
                        Some(CallerContextName::Replace) => CallerContext::Replace,
                        Some(CallerContextName::Follow) | None => CallerContext::Follow,
                    },
                    service_name: filled(file.service_name).unwrap_or_else(|| SERVICE_NAME.to_owned()),
                    environment: filled(file.deployment_environment),
                })
            }
        }
    }

    /// `host:port`, as the reference reads it, or a whole URL.
    fn traces_url(&mut self, otlp: &Otlp) -> Option<String> {
        const KEY: &str = "tracing.providers.otlp.server_url";
        let Some(written) = otlp.server_url.as_deref().filter(|written| !written.is_empty()) else {
            let missing =
                "exports nothing: `tracing.providers.otlp.server_url`, the collector's `host:port`, is missing";
            self.warn("tracing.provider", missing);
            return None;
        };
        let url = match written.contains("://") {
            true => written.to_owned(),
            false => format!("{}://{written}", if otlp.insecure == Some(true) { "http" } else { "https" }),
        };
        if url.starts_with("https:") && otlp.insecure == Some(true) {
            self.refuse("tracing.providers.otlp.insecure", "`server_url` begins with `https://`");
        }
        // A query, too, could be a credential, and it would be shown.
        let parsed = url.parse::<Uri>().ok().filter(|_| !url.contains(['@', '?', '#']));
        let Some((Some(scheme), Some(authority), path)) =
            parsed.as_ref().map(|url| (url.scheme_str(), url.authority(), url.path()))
        else {
            let hint = "a credential goes into `authorization_header`";
            self.refuse(KEY, format!("write `host:port`, or a URL without user information and query; {hint}"));
            return None;
        };
        let base = format!("{scheme}://{authority}");
        if let Err(problem) = Upstream::parse(&base, "") {
            self.refuse(KEY, format!("it is no `host:port` and no URL: {problem}"));
        }
        Some(format!("{base}{}", if path == "/" { PATH } else { path }))
    }

    fn traces_credential(&mut self, written: Option<String>) -> Option<Secret> {
        const KEY: &str = "tracing.providers.otlp.authorization_header";
        let written = filled(written)?;
        if HeaderValue::from_str(&written).is_err() {
            self.refuse(KEY, "it cannot be sent in a header");
        }
        let secret = Secret::new(written);
        let credentials = secret.expose().split_once(' ').map(|(_, credentials)| Secret::new(credentials));
        redaction::known().learn(KEY, std::iter::once(&secret).chain(&credentials));
        Some(secret)
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
