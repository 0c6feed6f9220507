//! Replaces the snapshot when a file changes or on SIGHUP. What cannot be used changes nothing: the last
//! good snapshot goes on serving, and the log says why.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_core::diagnostic::{Diagnostic, Severity};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::config::load::{Loaded, load};
use crate::config::settings::Settings;
use crate::config::settings::proxy::ProxySettings;
use crate::metrics::Metrics;
use crate::outside::Lasting;
use crate::snapshot::Snapshot;

/// Several writes of one change count as one.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Where notification does not work (network file systems), files are compared this often.
const POLL: Duration = Duration::from_secs(2);

/// What a reload needs.
pub struct Reloader {
    /// The configuration files.
    pub files: Vec<PathBuf>,
    /// The environment at the start.
    pub variables: Vec<(String, String)>,
    /// The port the proxy listens on.
    pub own_port: u16,
    /// The snapshot in force.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// What outlives every snapshot.
    pub lasting: Lasting,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What was started with, as [`fixed`] renders it.
    pub started_with: String,
}

/// The settings that only a start can change, for comparison.
pub fn fixed(settings: &Settings) -> String {
    let Settings { proxy, api, metrics, log, audit, issuer, key_sets, .. } = settings;
    let ProxySettings { listener, header_timeout, handshake_timeout, idle_timeout, .. } = proxy;
    let ProxySettings {
        max_connections, max_body_bytes, max_held_body_bytes, workers, shutdown_timeout, upstream, ..
    } = proxy;
    let timeouts = (header_timeout, handshake_timeout, idle_timeout, shutdown_timeout);
    let limits = (max_connections, max_body_bytes, max_held_body_bytes, workers);
    let others = (api, metrics, log, audit, issuer, key_sets);
    format!("{listener:?}{timeouts:?}{limits:?}{upstream:?}{others:?}")
}

/// Says in the log and the metrics what is in force.
pub fn announce(snapshot: &Snapshot, metrics: &Metrics) {
    let (rules, broken) = (snapshot.rules.rules().len(), snapshot.broken_rules());
    metrics.rules_loaded.set(i64::try_from(rules).unwrap_or(i64::MAX));
    metrics.rules_broken.set(i64::try_from(broken).unwrap_or(i64::MAX));
    tracing::info!(rules, broken, version = snapshot.rules.version(), "rules are in force");
}

/// Writes findings to the log.
pub fn log(findings: &[Diagnostic]) {
    for finding in findings {
        let hint = finding.hint.as_deref().unwrap_or_default();
        let place = finding.origin.as_ref().map(ToString::to_string).unwrap_or_default();
        match finding.severity {
            Severity::Error => tracing::error!(place, hint, "{}", finding.message),
            Severity::Warning => tracing::warn!(place, hint, "{}", finding.message),
        }
    }
}

impl Reloader {
    /// Waits for changes, for as long as the process lives. `settings` are those in force.
    pub async fn run(self, settings: &Settings) {
        let (sender, mut changes) = mpsc::channel(1);
        let mut watched = Watched::of(&self.files, settings);
        let mut watcher = watcher(sender);
        watch(&mut watcher, &watched);
        let mut fingerprint = Some(watched.fingerprint());
        #[cfg(unix)]
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
        loop {
            let asked = tokio::select! {
                _ = changes.recv() => false,
                () = tokio::time::sleep(POLL) => false,
                () = signalled(&mut hangup) => true,
            };
            if !asked {
                // Other files of the same directories may change all the time.
                tokio::time::sleep(DEBOUNCE).await;
                if Some(watched.fingerprint()) == fingerprint {
                    continue;
                }
                tokio::time::sleep(DEBOUNCE).await;
                // What the debounce has gathered is covered by the reload to come.
                while changes.try_recv().is_ok() {}
            }
            // Taken before the files are read: what changes meanwhile will differ from it.
            fingerprint = Some(watched.fingerprint());
            match self.reload() {
                Ok(settings) => {
                    self.metrics.reloads.inc();
                    let now = Watched::of(&self.files, &settings);
                    if now != watched {
                        watch(&mut watcher, &now);
                        watched = now;
                        // Other files are watched now; they may have changed since they were read.
                        fingerprint = None;
                    }
                }
                Err(findings) => {
                    self.metrics.reload_failures.inc();
                    log(&findings);
                    tracing::error!("the reload failed; the last good rules go on serving");
                }
            }
        }
    }

    fn reload(&self) -> Result<Settings, Vec<Diagnostic>> {
        let Loaded { settings, warnings } = load(&self.files, &self.variables)?;
        let generation = self.snapshots.load().generation + 1;
        let built = Snapshot::build(&settings, self.own_port, &self.lasting.under(&settings), generation)
            .map_err(|one| vec![one])?;
        if !built.unread.is_empty() {
            return Err(built.unread);
        }
        log(&warnings);
        log(&built.findings);
        if fixed(&settings) != self.started_with {
            tracing::warn!("listeners, timeouts, limits, log, audit and issuer settings change at the next start only");
        }
        announce(&built.snapshot, &self.metrics);
        self.snapshots.store(Arc::new(built.snapshot));
        Ok(settings)
    }
}

async fn signalled(signal: &mut Option<tokio::signal::unix::Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The files that decide what is served.
#[derive(PartialEq, Eq)]
struct Watched {
    files: Vec<PathBuf>,
    directory: Option<PathBuf>,
}

impl Watched {
    fn of(configuration: &[PathBuf], settings: &Settings) -> Self {
        let rules = settings.repositories.iter().filter_map(|repository| repository.file().map(Path::to_owned));
        Self { files: configuration.iter().cloned().chain(rules).collect(), directory: settings.env_dir.clone() }
    }

    /// Changes when a file is written or replaced: size, time of change and identity, following links, so
    /// that a mounted directory whose link is swapped counts.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut add = |path: &Path| {
            path.hash(&mut hasher);
            if let Ok(found) = std::fs::metadata(path) {
                (found.len(), found.dev(), found.ino(), found.ctime(), found.ctime_nsec()).hash(&mut hasher);
            }
        };
        self.files.iter().for_each(|path| add(path));
        if let Some(directory) = &self.directory {
            let mut paths: Vec<PathBuf> =
                std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            paths.sort();
            paths.iter().for_each(|path| add(path));
        }
        hasher.finish()
    }
}

fn watcher(sender: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let changed = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full queue means that a change is waiting already.
            let _ = sender.try_send(());
        }
    };
    notify::recommended_watcher(changed)
        .inspect_err(|error| tracing::warn!(%error, "file changes are found by comparing, every two seconds"))
        .ok()
}

/// Directories are watched, not files: editors and mounts replace files.
fn watch(watcher: &mut Option<RecommendedWatcher>, watched: &Watched) {
    let Some(watcher) = watcher else { return };
    let parents = watched.files.iter().filter_map(|path| path.parent());
    for directory in parents.chain(watched.directory.as_deref()) {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        // A directory that cannot be watched is still compared.
        let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
    }
}
