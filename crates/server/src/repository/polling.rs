//! Asks remote repositories again and again whether their document has changed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_core::secret::shown_url;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::RepositoryUrl;
use super::documents::Documents;
use super::remote::{Document, Fetch, RemoteRepository};
use crate::config::settings::Settings;
use crate::jitter::jittered;
use crate::metrics::Metrics;
use crate::serving::Live;

/// A document that has changed.
pub struct Arrival {
    /// Where it is from.
    pub url: String,
    /// The new document.
    pub document: Document,
}

/// What polling needs.
#[derive(Clone)]
pub struct Pollers {
    /// The documents in force.
    pub documents: Rc<RefCell<Documents>>,
    /// Where the way out is.
    pub live: Arc<ArcSwap<Live>>,
    /// Where outcomes are counted.
    pub metrics: Arc<Metrics>,
    /// Where changed documents go.
    pub arrivals: mpsc::Sender<Arrival>,
}

/// Polling that goes on until it is dropped.
pub struct Polling {
    /// What is asked for, and how often.
    terms: (Vec<RepositoryUrl>, Duration),
    _tasks: JoinSet<()>,
}

impl Pollers {
    /// Goes on as before when nothing has changed, or begins anew.
    pub fn follow(&self, settings: &Settings, before: Option<Polling>) -> Polling {
        let terms = (settings.repositories.clone(), settings.refresh_interval);
        if let Some(before) = before.filter(|before| before.terms == terms) {
            return before;
        }
        let mut tasks = JoinSet::new();
        for repository in &settings.repositories {
            if let Some(remote) = repository.remote() {
                let (pollers, url, remote) = (self.clone(), repository.text().to_owned(), remote.clone());
                let interval = settings.refresh_interval;
                tasks.spawn_local(async move {
                    loop {
                        tokio::time::sleep(jittered(interval)).await;
                        pollers.ask(&url, &*remote).await;
                    }
                });
            }
        }
        Polling { terms, _tasks: tasks }
    }

    async fn ask(&self, url: &str, remote: &dyn RemoteRepository) {
        let known = self.documents.borrow().get(url).cloned();
        let client = self.live.load().serving.outbound.http_client();
        match remote.fetch(&client, known.as_ref().map(|known| &known.version)).await {
            Ok(Fetch::Unchanged) => self.metrics.repository_fetched("unchanged"),
            // A server without versions sends the same text every time.
            Ok(Fetch::Document(document)) if known.as_ref().is_some_and(|known| known.text == document.text) => {
                self.metrics.repository_fetched("unchanged");
            }
            Ok(Fetch::Document(document)) => {
                // It fails when the process is about to end.
                let _ = self.arrivals.send(Arrival { url: url.to_owned(), document }).await;
            }
            Err(error) => {
                self.metrics.repository_fetched("failed");
                let (location, cause) = (shown_url(url), error.cause);
                tracing::warn!(%location, cause, "rules could not be fetched; the last good ones stay in force");
            }
        }
    }
}
