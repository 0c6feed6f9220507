//! What a reload does with rule documents: takes changed ones over, and refuses what is worse than what is in force.

use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::secret::shown_url;

use super::compile::Work;
use super::{Reloader, log};
use crate::config::settings::Settings;
use crate::outside::Lasting;
use crate::repository::Repository;
use crate::repository::documents::Documents;
use crate::repository::polling::{Arrival, consequence};
use crate::repository::standing::shown;
use crate::repository::start::Beginning;
use crate::snapshot::Built;

impl Reloader {
    /// Takes a changed document over, if it can be used; settings stay as they are.
    pub(super) async fn take(&self, settings: &Arc<Settings>, arrival: Arrival) {
        let Arrival { url, document } = arrival;
        let named = settings.repositories.iter().find(|repository| repository.text() == url);
        // Who is not named any more, or has to sign now, was asked under other settings.
        if named.and_then(Repository::remote).is_none_or(|source| source.accepts(&document).is_err()) {
            return;
        }
        let location = shown_url(&url);
        let documents = self.documents.borrow().with(&url, Arc::new(document));
        let before = self.live.load_full();
        let (side, secrets) = (before.serving.outbound.side.clone(), self.secrets.in_force());
        let lasting = Lasting { side, secrets, ..self.lasting.clone() };
        match self.build(settings, &documents, &lasting, &url).await {
            Ok(built) => {
                self.metrics.repository_fetched("changed");
                self.metrics.reloads.inc();
                self.standings.confirmed(&url);
                if let Some(document) = documents.get(&url) {
                    self.keeper.confirm(&url, document);
                }
                *self.documents.borrow_mut() = documents;
                tracing::info!(%location, "the rules have changed");
                log(&built.findings);
                self.replace(built.snapshot, before.serving.clone());
            }
            Err(problem) => {
                self.metrics.repository_fetched("refused");
                self.metrics.reload_failures.inc();
                log(std::slice::from_ref(&problem));
                let consequence = consequence(self.documents.borrow().get(&url).is_some());
                tracing::error!(%location, "the rules that are there now cannot be used; {consequence}");
            }
        }
    }

    /// As [`Self::build`]; what a source that is new says, and what cannot be used, gives way to a copy from disk, if there is
    /// one.
    pub(super) async fn build_from(
        &self,
        settings: &Arc<Settings>,
        mut beginning: Beginning,
        lasting: &Lasting,
    ) -> Result<(Built, Beginning), Diagnostic> {
        loop {
            let built = self.compile(settings, &beginning.documents, lasting).await?;
            if !beginning.retreat(&settings.repositories, &built) {
                return Ok((self.nothing_worse(built, None)?, beginning));
            }
        }
    }

    /// Every rule of every repository, or an error.
    async fn build(
        &self,
        settings: &Arc<Settings>,
        documents: &Documents,
        lasting: &Lasting,
        arrived: &str,
    ) -> Result<Built, Diagnostic> {
        self.nothing_worse(self.compile(settings, documents, lasting).await?, Some(arrived))
    }

    /// What was missing or empty before may be so again, and nothing else; what has `arrived` must not be missing.
    fn nothing_worse(&self, built: Built, arrived: Option<&str>) -> Result<Built, Diagnostic> {
        let live = self.live.load();
        let before = &live.snapshot;
        let mut unread = built.snapshot.missing.iter().zip(&built.unread);
        let is_worse = |url: &String| arrived == Some(url) || !before.missing.contains(url);
        if let Some((repository, problem)) = unread.find(|(repository, _)| is_worse(repository)) {
            self.standings.failed(repository, shown(problem));
            return Err(problem.clone());
        }
        match built.snapshot.silent.iter().find(|silent| !before.silent.contains(silent)) {
            Some(silent) => {
                let finding = Diagnostic::error("the document is empty").at(&Origin::whole(silent.place.as_str()));
                let finding = finding.hint("write `[]` where there are to be no rules");
                self.standings.failed(&silent.repository, shown(&finding));
                Err(finding)
            }
            None => Ok(built),
        }
    }

    /// Every rule that can be read.
    pub(super) async fn compile(
        &self,
        settings: &Arc<Settings>,
        documents: &Documents,
        lasting: &Lasting,
    ) -> Result<Built, Diagnostic> {
        let generation = self.live.load().snapshot.generation + 1;
        let (settings, documents, outside) = (settings.clone(), documents.clone(), lasting.under(settings));
        let work = Work { settings, documents, own_port: self.own_port, outside, generation };
        self.thread.compile(work).await
    }
}
