//! Asks remote repositories again and again whether their document has changed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Repository;
use super::documents::Documents;
use super::keeper::Keeper;
use super::remote::{Document, Fetch, Nature, Source};
use super::standing::Standings;
use crate::backoff::Backoff;
use crate::config::settings::Settings;
use crate::jitter::jittered;
use crate::metrics::Metrics;
use crate::serving::Live;

/// No pause after a failure is longer, whatever a server asks for, unless the interval itself is.
const LONGEST: Duration = Duration::from_secs(300);
/// The first pause before a document is asked for again that was never had.
const FIRST: Duration = Duration::from_secs(1);

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
    /// Who reports how repositories are doing.
    pub standings: Arc<Standings>,
    /// Who keeps copies of documents.
    pub keeper: Rc<Keeper>,
    /// Where outcomes are counted.
    pub metrics: Arc<Metrics>,
    /// Where changed documents go.
    pub arrivals: mpsc::Sender<Arrival>,
}

/// Polling that goes on until it is dropped.
pub struct Polling {
    /// What is asked for, and how often.
    repositories: Vec<Repository>,
    _tasks: JoinSet<()>,
}

impl Pollers {
    /// Goes on as before when nothing has changed, or begins anew.
    pub fn follow(&self, settings: &Settings, before: Option<Polling>) -> Polling {
        if let Some(before) = before.filter(|before| before.repositories == settings.repositories) {
            return before;
        }
        let mut tasks = JoinSet::new();
        for repository in &settings.repositories {
            if let Some(source) = repository.remote() {
                let (pollers, repository, source) = (self.clone(), repository.clone(), source.clone());
                tasks.spawn_local(async move {
                    let interval = repository.terms().refresh_interval;
                    // Callers are turned away meanwhile, so that a change to the better should not wait for long.
                    let mut missing = Backoff::new(FIRST, LONGEST.min(interval));
                    let mut backoff = Backoff::new(interval, LONGEST.max(interval));
                    let mut pause_without =
                        |wait: Option<Duration>| missing.failed(None).max(wait.unwrap_or_default().min(LONGEST));
                    let known = || pollers.documents.borrow().get(repository.text()).is_some();
                    let asked = pollers.documents.borrow().absent(repository.text()).and_then(|absence| absence.wait);
                    let mut pause = if known() { jittered(interval) } else { pause_without(asked) };
                    loop {
                        tokio::time::sleep(pause).await;
                        pause = match pollers.ask(&repository, &source).await {
                            outcome if !known() => pause_without(outcome.err().flatten()),
                            Ok(()) => {
                                backoff.succeeded();
                                jittered(interval)
                            }
                            Err(wait) => backoff.failed(wait),
                        };
                    }
                });
            }
        }
        Polling { repositories: settings.repositories.clone(), _tasks: tasks }
    }

    /// The error is how long the server asks to be left alone, where it does.
    async fn ask(&self, repository: &Repository, source: &Source) -> Result<(), Option<Duration>> {
        let url = repository.text();
        let known = self.documents.borrow().get(url).cloned();
        let client = self.live.load().serving.outbound.http_client();
        let error = match source.fetch(&client, known.as_deref()).await {
            Ok(Fetch::Unchanged) => {
                self.metrics.repository_fetched("unchanged");
                self.standings.confirmed(url);
                if let Some(known) = known {
                    self.keeper.confirm(url, &known);
                }
                return Ok(());
            }
            Ok(Fetch::Document(document)) => {
                // It fails when the process is about to end.
                let _ = self.arrivals.send(Arrival { url: url.to_owned(), document }).await;
                return Ok(());
            }
            Err(error) => error,
        };
        let (location, cause, hint) = (repository.name(), &error.cause, hint(error.nature));
        let consequence = consequence(known.is_some());
        self.standings.failed(url, cause.clone());
        // A server that answers is asked again at its usual time, whatever it says.
        match error.nature {
            Nature::Refused => {
                self.metrics.repository_fetched("refused");
                tracing::error!(%location, cause, hint, "the rules that are there now cannot be used; {consequence}");
                Ok(())
            }
            Nature::Lasting | Nature::Passing => {
                self.metrics.repository_fetched("failed");
                tracing::warn!(%location, cause, hint, "rules could not be fetched; {consequence}");
                Err(error.wait)
            }
        }
    }
}

/// What becomes of it when a source fails of which a document is known, or not.
pub(crate) fn consequence(is_known: bool) -> &'static str {
    if is_known { "the last good ones stay in force" } else { "the proxy's port stays closed until they are there" }
}

/// What an operator can do.
fn hint(nature: Nature) -> &'static str {
    match nature {
        Nature::Lasting => "check the URL and what the source answers to it; it is asked again, less and less often",
        Nature::Passing => "check that the source runs and can be reached; it is asked again, less and less often",
        Nature::Refused => "sign the document with `minisign -S`, with the key of `public_key`, and upload both files",
    }
}
