//! The API port: health, version, rules, decisions, key set, metrics (serving spec 7).

mod accept;
mod decisions;
mod health;
mod not_found;
mod panics;
mod rules;
mod scrape;
mod well_known;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use keyward_core::gate::path::{PathError, canonicalize};
use keyward_core::pipeline::denial::ErrorKind;
use keyward_core::pipeline::error_response::{ErrorResponse, json as error_json};
use serde_json::json;

use crate::audit::handle::AuditHandle;
use crate::audit::ids::RequestIds;
use crate::audit::state::AuditState;
use crate::cors;
use crate::http_server::{Arrived, Handler, json as json_answer};
use crate::keys::KeySetRegistry;
use crate::metrics::Metrics;
use crate::metrics::worker::Finished;
use crate::repository::standing::Standings;
use crate::serving::Live;
use crate::sources::SourceReports;

/// What the API tells about.
pub struct Api {
    /// What is in force.
    pub live: Arc<ArcSwap<Live>>,
    /// Key sets.
    pub keys: Arc<KeySetRegistry>,
    /// Rule repositories.
    pub repositories: Arc<Standings>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Decisions are recorded like requests.
    pub audit: AuditHandle,
    /// Names decisions that bring no id.
    pub request_ids: RequestIds,
    /// The audit log's health.
    pub audit_state: Arc<AuditState>,
    /// How the sources of what is served are doing, one row per kind.
    pub sources: Vec<SourceReports>,
    /// Every source has delivered once. Set by the API itself, never reset.
    pub was_ready: std::cell::Cell<bool>,
}

impl Api {
    /// Everything on the API port.
    pub fn handler(self: Rc<Self>) -> Handler {
        Rc::new(move |request, arrived| {
            let (api, metrics) = (self.clone(), self.metrics.clone());
            let answer = Box::pin(async move { api.answer_to_any_origin(request, arrived).await });
            Box::pin(panics::counted(answer, metrics))
        })
    }

    /// The metrics port: `/metrics` and nothing else.
    pub fn metrics_handler(self: Rc<Self>) -> Handler {
        Rc::new(move |request, _| {
            let (api, metrics) = (self.clone(), self.metrics.clone());
            let answer = Box::pin(async move {
                match (is_read(request.method()), request.uri().path()) {
                    (true, "/metrics") => api.scrape(request.headers()),
                    _ => not_found::page(request.headers()),
                }
            });
            Box::pin(panics::counted(answer, metrics))
        })
    }

    /// Answers preflights, and adds to other answers what the policy for other origins says.
    async fn answer_to_any_origin(&self, request: Request<Incoming>, arrived: Arrived) -> Response<Full<Bytes>> {
        let live = self.live.load_full();
        let Some(policy) = &live.serving.api_cors else { return self.answer(request, arrived).await };
        let (fields, mut response) = match policy.judge(request.method(), request.headers()) {
            cors::Verdict::Preflight(fields) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = cors::PREFLIGHT_STATUS;
                self.count(
                    &live,
                    request.method(),
                    request.uri().path(),
                    (response.status(), "allowed"),
                    Duration::ZERO,
                );
                (fields, response)
            }
            cors::Verdict::Actual(fields) => (fields, self.answer(request, arrived).await),
        };
        cors::apply(fields, response.headers_mut());
        response
    }

    /// Counts a request as the reference labels it.
    fn count(&self, live: &Live, method: &Method, path: &str, ended: (StatusCode, &'static str), took: Duration) {
        let (status, outcome) = ended;
        self.metrics.finished(
            "oathkeeper-api",
            &Finished {
                generation: live.snapshot.generation,
                labels: live.serving.labels,
                rule: None,
                method,
                path,
                status: status.as_u16(),
                outcome,
                took,
                upstream: None,
            },
        );
    }

    async fn answer(&self, request: Request<Incoming>, arrived: Arrived) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path == "/decisions" || path.starts_with("/decisions/") {
            return self.decide(request, arrived).await;
        }
        let began = Instant::now();
        let response = self.look_up(&request).await;
        // Probes would drown everything else.
        if !matches!(path, "/health/alive" | "/health/ready") {
            let status = response.status();
            let outcome = match status.as_u16() {
                ..400 => "allowed",
                400..500 => "denied",
                _ => "error",
            };
            self.count(&self.live.load(), request.method(), path, (status, outcome), began.elapsed());
        }
        response
    }

    async fn look_up(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if !is_read(request.method()) {
            return not_found::page(request.headers());
        }
        // Slashes too many come from base URLs that end in one. What has no canonical form is no path here either.
        let canonical = match canonicalize(path) {
            Ok(path) => path.text,
            Err(PathError::BadEscape) => {
                return error(StatusCode::BAD_REQUEST, ErrorKind::BadRequest.generic_message());
            }
            Err(_) => Cow::Borrowed(path),
        };
        // An id that is encoded is one segment, whatever it says: `.` is an id, too.
        if let Some(id) = path.strip_prefix("/rules/").filter(|id| is_one_segment(id)) {
            return rules::get(&self.live.load().snapshot, id);
        }
        match &*canonical {
            "/health/alive" => json_answer(StatusCode::OK, &json!({"status": "ok"})),
            "/health/ready" => self.ready(request.uri().query().unwrap_or_default()),
            "/version" => json_answer(StatusCode::OK, &json!({"version": env!("CARGO_PKG_VERSION")})),
            "/metrics" => self.scrape(request.headers()),
            "/.well-known/jwks.json" => well_known::key_set(&self.live.load_full().snapshot).await,
            "/rules" => rules::list(&self.live.load().snapshot, request.uri().query().unwrap_or_default()),
            path => match path.strip_prefix("/rules/").filter(|id| is_one_segment(id)) {
                Some(id) => rules::get(&self.live.load().snapshot, id),
                None => not_found::page(request.headers()),
            },
        }
    }
}

/// A segment with a name of its own.
fn is_one_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains('/')
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn error(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    respond(error_json(status, message, None, None))
}

fn respond(error: ErrorResponse) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(error.body));
    *response.status_mut() = error.status;
    *response.headers_mut() = error.headers;
    response
}
