//! How every repository is doing: what readiness, metrics and the log say of it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyward_core::diagnostic::Diagnostic;

use super::Repository;
use crate::metrics::repositories::RepositoryMetrics;
use crate::snapshot::Built;
use crate::sources::{SourceReport, SourceState};

/// What to do about a source that fails.
const REMEDY: &str = "check the URL, what is there, and that this machine may read it";

/// Every repository of the configuration in force, in its order.
#[derive(Default)]
pub struct Standings(Mutex<Vec<Standing>>);

struct Standing {
    url: String,
    /// As it may be shown.
    name: String,
    confirmed: Option<Confirmed>,
    /// What is in force is a copy from disk that the source has not confirmed.
    is_copy: bool,
    problem: Option<String>,
    failures: u64,
}

/// When the source last said that what is in force is current.
#[derive(Clone, Copy)]
struct Confirmed {
    noticed: Instant,
    /// How old that was when it was noticed.
    age: Duration,
}

impl Confirmed {
    fn now() -> Self {
        Self { noticed: Instant::now(), age: Duration::ZERO }
    }

    fn age(self) -> Duration {
        self.noticed.elapsed().saturating_add(self.age)
    }
}

impl Standing {
    fn state(&self) -> SourceState {
        match (&self.confirmed, &self.problem) {
            (None, _) => SourceState::Missing,
            (Some(_), None) if !self.is_copy => SourceState::Fresh,
            (Some(_), _) => SourceState::Stale,
        }
    }
}

impl Standings {
    /// Follows another configuration: what is known of a repository stays, what is not named goes.
    pub fn follow(&self, repositories: &[Repository]) {
        let mut each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *each);
        each.extend(repositories.iter().map(|repository| {
            match before.iter().position(|known| known.url == repository.text()) {
                Some(place) => before.swap_remove(place),
                None => Standing {
                    url: repository.text().to_owned(),
                    name: repository.name().into_owned(),
                    confirmed: None,
                    is_copy: false,
                    problem: None,
                    failures: 0,
                },
            }
        }));
    }

    /// The source says that what is in force is current.
    pub fn confirmed(&self, url: &str) {
        self.change(url, |it| {
            (it.confirmed, it.is_copy, it.problem) = (Some(Confirmed::now()), false, None);
        });
    }

    /// A copy is in force, since the source fails.
    pub fn copied(&self, url: &str, age: Duration, problem: String) {
        self.change(url, |it| {
            it.failures += 1;
            it.confirmed = Some(Confirmed { noticed: Instant::now(), age });
            (it.is_copy, it.problem) = (true, Some(problem));
        });
    }

    /// The source fails, or what it says cannot be used: what was in force stays.
    pub fn failed(&self, url: &str, problem: String) {
        self.change(url, |it| {
            it.failures += 1;
            it.problem = Some(problem);
        });
    }

    /// What was read without asking anybody is in force, or missing from what is, as may be what others were asked for.
    pub fn read(&self, repositories: &[Repository], built: &Built) {
        for repository in repositories {
            let mut unread = built.snapshot.missing.iter().zip(&built.unread);
            match unread.find(|(url, _)| *url == repository.text()) {
                // Whether a source has confirmed what it said some time ago is known to who asked it.
                None if repository.remote().is_some() => {}
                None => self.confirmed(repository.text()),
                Some((url, problem)) => self.change(url, |it| {
                    it.failures += 1;
                    (it.confirmed, it.problem) = (None, Some(shown(problem)));
                }),
            }
        }
    }

    /// For readiness.
    pub fn reports(&self) -> Vec<SourceReport> {
        let each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let report = |it: &Standing| SourceReport {
            kind: "rules",
            name: it.name.clone(),
            state: it.state(),
            age: it.confirmed.map(Confirmed::age),
            problem: it.problem.clone(),
            remedy: it.problem.is_some().then(|| REMEDY.to_owned()),
        };
        each.iter().map(report).collect()
    }

    /// For a scrape.
    pub fn measure(&self, metrics: &RepositoryMetrics) {
        metrics.forget();
        let each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (position, it) in each.iter().enumerate() {
            let age = it.confirmed.map(Confirmed::age);
            metrics.set(position, &it.name, age, it.state() != SourceState::Fresh, it.is_copy, it.failures);
        }
    }

    fn change(&self, url: &str, change: impl FnOnce(&mut Standing)) {
        let mut each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = each.iter_mut().find(|it| it.url == url) {
            change(it);
        }
    }
}

/// What is wrong, and where, on one line.
pub fn shown(problem: &Diagnostic) -> String {
    match &problem.origin {
        Some(origin) => format!("{origin}: {}", problem.message),
        None => problem.message.clone(),
    }
}
