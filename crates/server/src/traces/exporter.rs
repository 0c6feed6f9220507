//! Sends what waits to the collector (OTLP over HTTP, as protobuf). What it does not take is tried again a few times, and
//! then dropped: requests never wait for it, and memory is bounded.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use keyward_core::diagnostic::Diagnostic;

use super::otlp::{Resource, rejected_spans, request};
use super::queue::Queue;
use super::trace::Ended;
use crate::backoff::Backoff;
use crate::config::settings::tracing::TracingSettings;
use crate::http_client::{HttpClient, Limits};
use crate::metrics::traces::{Dropped, TraceMetrics};
use crate::retry_after::retry_after;

/// What is there goes out so often, and earlier when it is much.
const INTERVAL: Duration = Duration::from_secs(1);
/// One attempt, and the longest answer to it.
const LIMITS: Limits = Limits { time: Duration::from_secs(10), bytes: 64 * 1024 };
/// How often a batch is tried in all.
const ATTEMPTS: u32 = 4;
/// Between attempts: doubled each time, and no longer than that, whatever the collector asks for.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The other end of the queue.
pub(super) struct Exporter {
    url: String,
    authorization: Option<HeaderValue>,
    resource: Resource,
    client: HttpClient,
    queue: Arc<Queue>,
    metrics: TraceMetrics,
    is_failing: bool,
}

/// Why an attempt came to nothing.
struct Failed {
    cause: String,
    /// Whether the same may be taken later, and when.
    again: Option<Option<Duration>>,
}

impl Exporter {
    pub(super) fn new(
        settings: &TracingSettings,
        client: HttpClient,
        queue: Arc<Queue>,
        metrics: TraceMetrics,
    ) -> Result<Self, Diagnostic> {
        let authorization = settings.authorization.as_ref().map(|secret| {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| Diagnostic::error("the credential for traces cannot be sent in a header"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            url: settings.url.clone(),
            authorization: authorization.transpose()?,
            resource: Resource::of(settings),
            client,
            queue,
            metrics,
            is_failing: false,
        })
    }

    /// Exports until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.queue.due() => {}
                () = self.queue.closing() => {}
            }
            // Taken before the queue is emptied: what is added while it closes is exported, too.
            let is_last = self.queue.is_closing();
            loop {
                let batch = self.queue.take();
                if batch.is_empty() {
                    break;
                }
                self.export(batch).await;
            }
            if is_last {
                return;
            }
        }
    }

    async fn export(&mut self, batch: Vec<Ended>) {
        let spans: u64 = batch.iter().map(Ended::spans).sum();
        let body = Bytes::from(request(&self.resource, batch));
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        for attempt in 1..=ATTEMPTS {
            match self.attempt(body.clone()).await {
                Ok(rejected) => return self.taken(spans, rejected),
                Err(failed) => {
                    self.tell(&failed.cause);
                    let Some(asked) = failed.again.filter(|_| attempt < ATTEMPTS && !self.queue.is_closing()) else {
                        break;
                    };
                    tokio::select! {
                        () = tokio::time::sleep(backoff.failed(asked)) => {}
                        () = self.queue.closing() => {}
                    }
                }
            }
        }
        self.metrics.dropped(Dropped::Collector, spans);
    }

    /// How many spans the collector refused of those that it was sent.
    async fn attempt(&self, body: Bytes) -> Result<u64, Failed> {
        let broken = |cause: String| Failed { cause, again: Some(None) };
        let mut request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .body(body)
            .map_err(|error| Failed { cause: error.to_string(), again: None })?;
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let answer = self.client.send(request, LIMITS).await.map_err(broken)?;
        match answer.status() {
            status if status.is_success() => Ok(rejected_spans(answer.body())),
            status => Err(Failed { cause: format!("status {status}"), again: again(&answer) }),
        }
    }

    fn taken(&mut self, spans: u64, rejected: u64) {
        let rejected = rejected.min(spans);
        self.metrics.exported(spans - rejected);
        self.metrics.dropped(Dropped::Rejected, rejected);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("traces are exported again");
        }
        if rejected > 0 {
            tracing::warn!(rejected, "the collector of traces refused a part of them");
        }
    }

    /// Says so once, until it works again.
    fn tell(&mut self, cause: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(url = self.url, cause, "traces cannot be exported; requests are served without them");
        }
    }
}

/// Whether the same may be sent again (OTLP, "OTLP/HTTP Response"), and when at the earliest.
fn again(answer: &Response<Bytes>) -> Option<Option<Duration>> {
    let is_temporary = matches!(
        answer.status(),
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    is_temporary.then(|| retry_after(answer.status(), answer.headers(), SystemTime::now()))
}
