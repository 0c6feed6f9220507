//! What traces are made by, under one version of the settings: it samples, and has a thread that exports.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::HeaderMap;
use keyward_core::diagnostic::Diagnostic;

use super::context::Parent;
use super::exporter::Exporter;
use super::queue::Queue;
use super::sampler::Sampler;
use super::trace::{Ended, Trace};
use crate::config::settings::tracing::TracingSettings;
use crate::http_client::HttpClient;
use crate::metrics::traces::{Dropped, TraceMetrics};

/// How long the process waits for the last export.
const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Makes traces. When it goes, what waits is exported, as far as the collector takes it at once.
pub struct Tracer {
    settings: TracingSettings,
    client: HttpClient,
    sampler: Sampler,
    queue: Arc<Queue>,
    metrics: TraceMetrics,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Tracer {
    /// Starts what the settings ask for; nothing when they ask for nothing. `before` goes on when nothing has changed.
    pub fn following(
        before: Option<&Arc<Self>>,
        settings: Option<&TracingSettings>,
        client: &HttpClient,
        metrics: &TraceMetrics,
    ) -> Result<Option<Arc<Self>>, Diagnostic> {
        let Some(settings) = settings else { return Ok(None) };
        match before.filter(|before| before.settings == *settings && before.client.is_same(client)) {
            Some(before) => Ok(Some(before.clone())),
            None => Self::start(settings, client, metrics).map(Some),
        }
    }

    fn start(settings: &TracingSettings, client: &HttpClient, metrics: &TraceMetrics) -> Result<Arc<Self>, Diagnostic> {
        let refuse = |error: std::io::Error| Diagnostic::error(format!("traces cannot be exported: {error}"));
        let queue = Arc::new(Queue::default());
        let exporter = Exporter::new(settings, client.clone(), queue.clone(), metrics.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refuse)?;
        let thread = std::thread::Builder::new().name("traces".to_owned());
        let thread = thread.spawn(move || runtime.block_on(exporter.run())).map_err(refuse)?;
        Ok(Arc::new(Self {
            settings: settings.clone(),
            client: client.clone(),
            sampler: Sampler::new(settings.ratio, settings.callers),
            queue,
            metrics: metrics.clone(),
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// The beginning of a request, whose caller says that it belongs to a span, or does not.
    pub fn begin(self: &Arc<Self>, said: Option<&Parent>, headers: &HeaderMap) -> Box<Trace> {
        Box::new(Trace::new(self.clone(), self.sampler.decide(said), headers))
    }

    pub(super) fn add(&self, ended: Ended) {
        let spans = ended.spans();
        if !self.queue.add(ended) {
            self.metrics.dropped(Dropped::Queue, spans);
        }
    }

    /// Has what waits be exported now, and nothing be tried again.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Waits for that, for a while after it was closed.
    pub fn finish(&self, closed: Instant) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if closed.elapsed() >= LAST_EXPORT {
                return tracing::warn!("the last traces could not be exported in time");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.close();
    }
}
