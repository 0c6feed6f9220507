//! The first documents of a process, and those of repositories that new settings add: from their sources, or from copies on
//! disk where a source fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use tokio::task::JoinSet;

use super::Repository;
use super::cache::{CacheDirectory, Copy};
use super::documents::{Absence, Documents, unreachable};
use super::keeper::Keeper;
use super::read::says_nothing;
use super::remote::{Fetch, FetchError, Fetched};
use super::standing::{Standings, shown};
use crate::http_client::HttpClient;
use crate::snapshot::Built;

/// The one attempt that nothing else waits for any longer: a start has other things to say, and a copy can serve.
const QUICK: Duration = Duration::from_secs(5);

/// What a start, or new settings, have to begin with.
pub struct Beginning {
    /// The documents to be used.
    pub documents: Documents,
    /// Copies that were not needed yet, by URL.
    spare: HashMap<String, Copy>,
    /// What the sources say, and copies in use, by URL.
    outcomes: HashMap<String, Outcome>,
}

enum Outcome {
    /// The source said so.
    Confirmed,
    /// A copy is used, this old, because of this.
    Copied(Duration, String),
}

impl Beginning {
    /// Asks for every document once. One that cannot be had is missing, and to be asked for again.
    pub async fn of_start(
        repositories: &[Repository],
        client: &HttpClient,
        cache: Option<&CacheDirectory>,
    ) -> Result<Self, Diagnostic> {
        Self::fetch(&Documents::default(), repositories, client, cache, QUICK).await
    }

    /// Those of other settings than the ones that `known` is in force under: what is known stays, if it is signed as they say;
    /// what is new is asked for once, what is not named goes, and files are to be read anew. A document that is missing from
    /// what is in force may still be; another one that cannot be had is an error.
    pub async fn of_reload(
        known: &Documents,
        missing: &[String],
        repositories: &[Repository],
        client: &HttpClient,
        cache: Option<&CacheDirectory>,
    ) -> Result<Self, Diagnostic> {
        let beginning = Self::fetch(known, repositories, client, cache, Duration::MAX).await?;
        let new = repositories.iter().map(Repository::text).filter(|url| !missing.iter().any(|missing| missing == url));
        match new.filter_map(|url| beginning.documents.absent(url)).next() {
            Some(absence) => Err(absence.problem.clone()),
            None => Ok(beginning),
        }
    }

    /// `patience` is for sources without a copy.
    async fn fetch(
        known: &Documents,
        repositories: &[Repository],
        client: &HttpClient,
        cache: Option<&CacheDirectory>,
        patience: Duration,
    ) -> Result<Self, Diagnostic> {
        let (documents, spare, outcomes) = (Documents::default(), HashMap::new(), HashMap::new());
        let mut beginning = Self { documents, spare, outcomes };
        let mut attempts = JoinSet::new();
        for repository in repositories {
            let Some(source) = repository.remote().cloned() else { continue };
            if let Some(known) = known.get(repository.text()).filter(|known| source.accepts(known).is_ok()) {
                beginning.documents = beginning.documents.with(repository.text(), known.clone());
                continue;
            }
            let copy = cache.and_then(|cache| cache.read(repository));
            let (repository, client) = (repository.clone(), client.clone());
            attempts.spawn_local(async move {
                let patience = if copy.is_some() { QUICK } else { patience };
                let fetched = source.fetch(&client, copy.as_ref().map(|copy| &copy.document));
                let late = || FetchError::passing(format!("no complete answer within {patience:?}"));
                let fetched = tokio::time::timeout(patience, fetched).await.unwrap_or_else(|_| Err(late()));
                (repository, copy, fetched)
            });
        }
        while let Some(attempt) = attempts.join_next().await {
            let (repository, copy, fetched) =
                attempt.map_err(|error| Diagnostic::error(format!("rules could not be fetched: {error}")))?;
            beginning.take(&repository, copy, fetched);
        }
        Ok(beginning)
    }

    fn take(&mut self, repository: &Repository, copy: Option<Copy>, fetched: Fetched) {
        let url = repository.text();
        match (fetched, copy) {
            (Ok(Fetch::Document(document)), copy) => {
                self.documents = self.documents.with(url, Arc::new(document));
                self.outcomes.insert(url.to_owned(), Outcome::Confirmed);
                self.spare.extend(copy.map(|copy| (url.to_owned(), copy)));
            }
            (Ok(Fetch::Unchanged), Some(copy)) => {
                self.documents = self.documents.with(url, Arc::new(copy.document));
                self.outcomes.insert(url.to_owned(), Outcome::Confirmed);
            }
            (Ok(Fetch::Unchanged), None) => {
                self.give_up(repository, unreachable(repository, "no document was sent"), None);
            }
            (Err(error), Some(copy)) => self.fall_back(repository, copy, error.cause),
            (Err(error), None) => self.give_up(repository, unreachable(repository, &error.cause), error.wait),
        }
    }

    /// Puts copies in the place of documents that hold no rules that can be read. Says whether there were any. Without a copy
    /// a source that never said anything of use is as good as one that cannot be reached.
    pub fn retreat(&mut self, repositories: &[Repository], built: &Built) -> bool {
        let mut has_changed = false;
        for repository in repositories.iter().filter(|repository| repository.remote().is_some()) {
            let url = repository.text();
            let mut unread = built.snapshot.missing.iter().zip(&built.unread);
            let unread = unread.find(|(missing, _)| *missing == url).map(|(_, problem)| problem);
            let is_silent = built.snapshot.silent.iter().any(|silent| silent.repository == url);
            match (unread, self.spare.remove(url)) {
                (Some(problem), Some(copy)) => self.fall_back(repository, copy, shown(problem)),
                // Why there is no document was said when there was none.
                (Some(_), None) if self.documents.absent(url).is_some() => continue,
                (Some(problem), None) => {
                    self.give_up(repository, problem.clone(), None);
                    continue;
                }
                (None, Some(copy)) if is_silent && !says_nothing(&copy.document.text) => {
                    self.fall_back(repository, copy, "the document is empty".to_owned());
                }
                (None, _) => continue,
            }
            has_changed = true;
        }
        has_changed
    }

    fn give_up(&mut self, repository: &Repository, problem: Diagnostic, wait: Option<Duration>) {
        self.documents = self.documents.without(repository.text(), Absence { problem, wait });
        self.outcomes.remove(repository.text());
    }

    fn fall_back(&mut self, repository: &Repository, copy: Copy, cause: String) {
        let (location, age) = (repository.name(), copy.age);
        tracing::warn!(%location, cause, ?age, "the source of the rules fails; the last good ones are used, from the copy on disk");
        self.documents = self.documents.with(repository.text(), Arc::new(copy.document));
        self.outcomes.insert(repository.text().to_owned(), Outcome::Copied(age, cause));
    }

    /// What is in force now: says so to who reports it and to who keeps copies of it, and hands it over.
    pub fn settle(
        self,
        repositories: &[Repository],
        built: &Built,
        standings: &Standings,
        keeper: &Keeper,
        cache: Option<&Arc<CacheDirectory>>,
    ) -> Documents {
        standings.follow(repositories);
        standings.read(repositories, built);
        keeper.keep(&self.documents, cache);
        for (url, outcome) in self.outcomes {
            match outcome {
                Outcome::Confirmed => standings.confirmed(&url),
                Outcome::Copied(age, problem) => {
                    standings.copied(&url, age, problem);
                    if let Some(document) = self.documents.get(&url) {
                        keeper.has(&url, document);
                    }
                }
            }
        }
        self.documents.with_files(built.files.clone())
    }
}
