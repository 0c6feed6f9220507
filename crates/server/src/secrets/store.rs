//! The values in force, of all sources. Whoever changes them replaces them; nothing waits for anybody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use keyward_core::hosts::Hosts;
use tokio::task::JoinSet;

use super::attempt::attempt;
use super::held::{Known, Outcome};
use super::kinds::Place;
use super::view::View;
use crate::config::settings::secrets::{SecretSettings, SourceSettings};
use crate::http_client::HttpClient;
use crate::redaction;
use crate::sources::{SourceReport, SourceState};

/// A source with what is known of it.
#[derive(Clone, Debug)]
pub struct Source {
    /// What is written.
    pub settings: Arc<SourceSettings>,
    /// What is known.
    pub known: Arc<Known>,
}

/// All sources, in the order in which they are written.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// How long a value may be used after it was last confirmed.
    pub max_stale: Duration,
    /// Each of them.
    pub all: Vec<Source>,
}

/// The values in force.
#[derive(Debug, Default)]
pub struct SecretStore {
    sources: ArcSwap<Sources>,
}

impl Source {
    /// The names it has, those without a value included.
    pub(super) fn names(&self) -> BTreeSet<Arc<str>> {
        let wanted = self.settings.secrets.iter().map(|secret| secret.name.as_str().into());
        let only = self.settings.place.only_name().map(Arc::from);
        let known = self.known.values.keys().chain(self.known.problems.keys()).cloned();
        wanted.chain(only).chain(known).collect()
    }

    pub(super) fn hosts(&self, name: &str) -> Option<Hosts> {
        match self.settings.secrets.iter().find(|secret| secret.name == name) {
            Some(secret) => secret.hosts.clone(),
            None => self.settings.hosts.clone(),
        }
    }

    /// From now on nothing that this process tells holds its values.
    pub(super) fn hide(&self) {
        redaction::known().learn(&self.shown(), self.known.values.values().map(|held| &held.secret));
    }

    /// For messages.
    pub fn shown(&self) -> String {
        shown(&self.settings)
    }

    /// What is wrong with it, and what to do about it; nothing when the last attempt gave everything.
    pub fn problem(&self) -> Option<(String, Option<&str>)> {
        let of_all = self.known.failure.as_ref().map(|failure| (failure.to_string(), failure));
        let of_one =
            || self.known.problems.iter().next().map(|(name, failure)| (format!("`{name}`: {failure}"), failure));
        of_all.or_else(of_one).map(|(text, failure)| (text, failure.remedy.as_deref()))
    }

    fn report(&self, max_stale: Duration, now: Instant) -> SourceReport {
        let names = self.names();
        let usable = |name: &Arc<str>| self.known.values.get(name).is_some_and(|held| held.is_usable(max_stale, now));
        let state = match (self.known.is_sound(), self.known.complete) {
            (_, None) => SourceState::Missing,
            _ if !names.iter().all(usable) => SourceState::Missing,
            (true, _) => SourceState::Fresh,
            (false, _) => SourceState::Stale,
        };
        let (problem, remedy) = self.problem().map(|(text, remedy)| (text, remedy.map(str::to_owned))).unzip();
        SourceReport {
            kind: "secret",
            name: self.shown(),
            state,
            age: self.known.complete.map(|at| now.saturating_duration_since(at)),
            problem,
            remedy: remedy.flatten(),
        }
    }
}

/// A source, as messages and metrics call it.
pub fn shown(settings: &SourceSettings) -> String {
    format!("{} `{}`", settings.kind, settings.name)
}

impl Sources {
    /// What may be used now.
    pub fn view(&self, now: Instant) -> Arc<View> {
        Arc::new(View::of(&self.all, self.max_stale, now))
    }
}

impl SecretStore {
    /// What is in force.
    pub fn sources(&self) -> Arc<Sources> {
        self.sources.load_full()
    }

    /// Sources under new settings: those that are written as before with what is known of them, new ones read once.
    pub async fn renewed(&self, settings: &SecretSettings, client: &HttpClient) -> Vec<Source> {
        let before = self.sources();
        let (mut found, mut attempts) = (Vec::new(), JoinSet::new());
        for (index, written) in settings.sources.iter().enumerate() {
            let known = before.all.iter().find(|source| source.settings.fingerprint == written.fingerprint);
            // It goes on with the place that it has: that may be signed in.
            if let Some(source) = known {
                found.push(source.clone());
                continue;
            }
            let (settings, client) = (Arc::new(written.clone()), client.clone());
            found.push(Source { settings: settings.clone(), known: Arc::default() });
            attempts.spawn_local(async move { (index, attempt(&settings, &client).await) });
        }
        while let Some(attempted) = attempts.join_next().await {
            // What panicked gave nothing.
            let Ok((index, outcome)) = attempted else { continue };
            found[index].known = Arc::new(found[index].known.after(outcome, Instant::now()));
            found[index].hide();
        }
        found
    }

    /// The same with what became known of them meanwhile.
    #[must_use]
    pub fn up_to_date(&self, mut all: Vec<Source>) -> Vec<Source> {
        let now = self.sources();
        for source in &mut all {
            if let Some(newer) = now.all.iter().find(|known| Arc::ptr_eq(&known.settings, &source.settings)) {
                source.known = newer.known.clone();
            }
        }
        all
    }

    /// Puts sources in force.
    pub fn replace(&self, max_stale: Duration, all: Vec<Source>) {
        self.sources.store(Arc::new(Sources { max_stale, all }));
    }

    /// Takes the outcome of an attempt at a source, if it is still in force.
    pub fn take(&self, settings: &Arc<SourceSettings>, outcome: Outcome) -> Option<Source> {
        let mut sources = Sources::clone(&self.sources());
        let source = sources.all.iter_mut().find(|source| Arc::ptr_eq(&source.settings, settings))?;
        source.known = Arc::new(source.known.after(outcome, Instant::now()));
        let taken = source.clone();
        taken.hide();
        self.sources.store(Arc::new(sources));
        Some(taken)
    }

    /// Reads every source of files again, and gives those of which something else is known now.
    pub fn read_files(&self) -> Vec<Source> {
        let mut sources = Sources::clone(&self.sources());
        let mut changed = Vec::new();
        for source in &mut sources.all {
            let Place::Files(files) = &source.settings.place else { continue };
            let known = source.known.after(files.read(), Instant::now());
            let before = std::mem::replace(&mut source.known, Arc::new(known));
            if !before.is_alike(&source.known) {
                source.hide();
                changed.push(source.clone());
            }
        }
        self.sources.store(Arc::new(sources));
        changed
    }

    /// How each source is doing.
    pub fn reports(&self) -> Vec<SourceReport> {
        let (sources, now) = (self.sources(), Instant::now());
        sources.all.iter().map(|source| source.report(sources.max_stale, now)).collect()
    }
}

#[cfg(test)]
mod tests;
