//! Compiles the rules anew when secrets have other values than those in force, or have become too old.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_core::diagnostic::Diagnostic;

use super::{POLL, RETRY, Reloader, Unusable, log};
use crate::config::settings::Settings;
use crate::config::settings::secrets::SecretSettings;
use crate::metrics::Metrics;
use crate::outside::Lasting;
use crate::reload::watched::fingerprint;
use crate::secrets::kinds::Place;
use crate::secrets::refresh::tell;
use crate::secrets::store::{SecretStore, Source, Sources};
use crate::secrets::view::View;
use crate::sources::SourceReport;

/// The values of secrets, and which of them the rules in force were compiled with.
pub struct LiveSecrets {
    /// All that is known.
    pub store: Arc<SecretStore>,
    in_force: RefCell<Arc<View>>,
    files: Cell<Looked>,
    /// The fingerprint of `secrets.env_dir` when the rules in force were compiled.
    environment: Cell<u64>,
    /// It has changed, and the reload that noticed it failed for another reason.
    environment_waits: Cell<bool>,
    shown: RefCell<Vec<SourceReport>>,
    /// When rules that could not be compiled are tried again.
    again: Cell<Option<Instant>>,
}

/// A look at the files of sources.
#[derive(Clone, Copy)]
struct Looked {
    at: Instant,
    fingerprint: u64,
}

impl LiveSecrets {
    /// Of a start.
    pub fn new(settings: &Settings, store: Arc<SecretStore>, in_force: Arc<View>) -> Self {
        // What was written since the start is found by the first look.
        let files = Cell::new(Looked { at: Instant::now(), fingerprint: 0 });
        Self {
            store,
            in_force: RefCell::new(in_force),
            files,
            environment: Cell::new(environment_of(settings)),
            environment_waits: Cell::new(false),
            shown: RefCell::default(),
            again: Cell::new(None),
        }
    }

    /// The values that the rules in force were compiled with.
    pub(super) fn in_force(&self) -> Arc<View> {
        self.in_force.borrow().clone()
    }

    /// New settings are in force. `environment` is the fingerprint of their `secrets.env_dir` before it was read.
    pub(super) fn adopt(&self, max_stale: Duration, sources: Vec<Source>, view: Arc<View>, environment: u64) {
        self.store.replace(max_stale, sources);
        self.in_force.replace(view);
        self.environment.set(environment);
        self.environment_waits.set(false);
        self.again.set(None);
    }

    /// A reload failed. What has changed in `secrets.env_dir` takes effect nevertheless, under the settings in force.
    pub(super) fn reload_failed(&self, settings: &Settings) {
        let waits = self.environment_waits.get() || self.environment.get() != environment_of(settings);
        self.environment_waits.set(waits);
    }

    /// Reads files that have changed, and those that could not be read; all of them once in a while.
    fn read_files(&self, settings: &SecretSettings, metrics: &Metrics) {
        let sources = self.store.sources();
        let mut all = sources.all.iter().filter(|source| matches!(source.settings.place, Place::Files(_))).peekable();
        if all.peek().is_none() {
            return;
        }
        let print = fingerprint_of(&sources.all);
        let Looked { at, fingerprint } = self.files.get();
        let waited = at.elapsed();
        let is_due =
            waited >= settings.refresh_interval || (waited >= POLL && all.any(|source| !source.known.is_sound()));
        if print != fingerprint || is_due {
            self.files.set(Looked { at: Instant::now(), fingerprint: print });
            self.store.read_files().iter().for_each(|source| tell(source, metrics));
        }
    }

    fn show(&self, view: &View, metrics: &Metrics) {
        let reports = self.store.reports();
        metrics.secrets.show(&self.shown.replace(reports.clone()), &reports, view.missing());
    }
}

fn fingerprint_of(sources: &[Source]) -> u64 {
    let (mut files, mut directories): (Vec<PathBuf>, Vec<PathBuf>) = Default::default();
    for source in sources {
        let Place::Files(place) = &source.settings.place else { continue };
        match place.watched() {
            Some((path, true)) => directories.push(path.to_owned()),
            Some((path, false)) => files.push(path.to_owned()),
            None => {}
        }
    }
    fingerprint(&files, &directories)
}

/// Changes when a file of `secrets.env_dir` does.
pub(super) fn environment_of(settings: &Settings) -> u64 {
    fingerprint(&[], settings.env_dir.as_slice())
}

impl Reloader {
    /// The sources of new settings with what may be used of them. A source that is new must give everything once:
    /// rules that work would lose their credentials otherwise.
    pub(super) fn usable_secrets(
        &self,
        settings: &Settings,
        sources: Vec<Source>,
    ) -> Result<(Vec<Source>, Arc<View>), Unusable> {
        let before = self.secrets.store.sources();
        let sources = self.secrets.store.up_to_date(sources);
        let is_new = |source: &&Source| !before.all.iter().any(|known| Arc::ptr_eq(&known.settings, &source.settings));
        for source in sources.iter().filter(is_new) {
            self.metrics.secrets.attempted(&source.shown(), source.known.is_sound());
            let Some((cause, remedy)) = source.problem() else { continue };
            let finding = Diagnostic::error(format!("secrets of {} cannot be read: {cause}", source.shown()));
            let finding = finding.at(&source.settings.origin);
            return Err(Unusable::Unreachable(remedy.into_iter().fold(finding, Diagnostic::hint)));
        }
        let view = Sources { max_stale: settings.secrets.max_stale, all: sources.clone() }.view(Instant::now());
        Ok((sources, view))
    }

    /// Goes on looking at secrets while a reload waits for its sources: how old values may be waits for nobody. What is
    /// compiled is put in force as soon as it is there, so nobody else may compile at that time.
    pub(super) async fn patiently<T>(&self, fetching: impl Future<Output = T>, settings: &Arc<Settings>) -> T {
        tokio::pin!(fetching);
        loop {
            tokio::select! {
                outcome = &mut fetching => return outcome,
                () = tokio::time::sleep(POLL) => self.look_at_secrets(settings).await,
            }
        }
    }

    /// Puts rules with other values in force, if there are any. Settings and documents stay as they are.
    pub(super) async fn look_at_secrets(&self, settings: &Arc<Settings>) {
        let secrets = &self.secrets;
        secrets.read_files(&settings.secrets, &self.metrics);
        let now = Instant::now();
        let view = secrets.store.sources().view(now);
        secrets.show(&view, &self.metrics);
        let is_same = view.is_same(&secrets.in_force()) && !secrets.environment_waits.get();
        if is_same || secrets.again.get().is_some_and(|at| at > now) {
            return;
        }
        let environment = environment_of(settings);
        let before = self.live.load_full();
        let (side, documents) = (before.serving.outbound.side.clone(), self.documents.borrow().clone());
        let lasting = Lasting { side, secrets: view.clone(), ..self.lasting.clone() };
        // From the documents in force: a rule file that cannot be read now holds no value up.
        let built = self.compile(settings, &documents, &lasting).await;
        match built {
            Ok(built) => {
                self.metrics.reloads.inc();
                tracing::info!(missing = view.missing(), "secrets have changed");
                log(&built.findings);
                self.replace(built.snapshot, before.serving.clone());
                secrets.in_force.replace(view);
                secrets.environment.set(environment);
                secrets.environment_waits.set(false);
                secrets.again.set(None);
            }
            Err(problem) => {
                self.metrics.reload_failures.inc();
                log(std::slice::from_ref(&problem));
                tracing::error!(
                    "secrets have changed, but the rules cannot be compiled with them; they will be tried again"
                );
                secrets.again.set(Some(now + RETRY));
            }
        }
    }
}
