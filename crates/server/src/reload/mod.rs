//! Replaces what is in force when a file changes or on SIGHUP: rules and settings together, all or nothing.
//! What cannot be used changes nothing: what was in force goes on serving, and the log says why.

pub mod fixed;
mod watched;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_core::diagnostic::{Diagnostic, Severity};
use tokio::sync::mpsc;

use self::fixed::Fixed;
use self::watched::{Watched, watch, watcher};
use crate::audit::writer::{AuditState, Prepared};
use crate::config::load::{Loaded, load};
use crate::config::settings::Settings;
use crate::issuer::live::LiveIssuer;
use crate::issuer::routes::Issuer;
use crate::keys::Terms;
use crate::metrics::Metrics;
use crate::outside::Lasting;
use crate::secrets::EnvironmentSecrets;
use crate::serving::{Live, Serving};
use crate::snapshot::Snapshot;
use crate::telemetry;

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
    /// What is in force.
    pub live: Arc<ArcSwap<Live>>,
    /// What outlives every snapshot.
    pub lasting: Lasting,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The audit log.
    pub audit: Arc<AuditState>,
    /// The issuer, when there is one.
    pub issuer: Option<Rc<LiveIssuer>>,
    /// What was started with.
    pub started_with: Fixed,
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
            let loaded = load(&self.files, &self.variables);
            // What was read last decides what is watched, also when it cannot be used yet.
            let now = loaded.as_ref().ok().map(|loaded| Watched::of(&self.files, &loaded.settings));
            match loaded.and_then(|loaded| self.put_in_force(loaded).map_err(|problem| vec![problem])) {
                Ok(()) => {
                    self.metrics.reloads.inc();
                }
                Err(findings) => {
                    self.metrics.reload_failures.inc();
                    log(&findings);
                    tracing::error!(
                        "the reload failed; the last good rules go on serving, under the settings they had"
                    );
                }
            }
            if let Some(now) = now.filter(|now| *now != watched) {
                watch(&mut watcher, &now);
                watched = now;
                // Other files are watched now; they may have changed since they were read.
                fingerprint = None;
            }
        }
    }

    /// Prepares everything that can fail, and only then puts anything in force.
    fn put_in_force(&self, loaded: Loaded) -> Result<(), Diagnostic> {
        let Loaded { settings, warnings } = loaded;
        let before = self.live.load_full();
        let outbound = before.serving.outbound.renewed(&settings.proxy.upstream)?;
        let serving = Serving::new(&settings, outbound.clone())?;
        let lasting = Lasting { side: outbound.side.clone(), ..self.lasting.clone() };
        let generation = before.snapshot.generation + 1;
        let built = Snapshot::build(&settings, self.own_port, &lasting.under(&settings), generation)?;
        if let Some(unread) = built.unread.into_iter().next() {
            return Err(unread);
        }
        let issuer = match (&self.issuer, &settings.issuer) {
            (Some(running), Some(wanted)) => {
                let secrets = EnvironmentSecrets::new(settings.env_dir.clone());
                Some((running, Issuer::new(wanted, &secrets)?))
            }
            _ => None,
        };
        let audit = Prepared::new(&settings.audit)?;

        telemetry::apply(settings.log);
        log(&warnings);
        log(&built.findings);
        for key in self.started_with.changed(&Fixed::of(&settings)) {
            tracing::warn!("`{key}` needs a restart: what was started with stays in force");
        }
        self.lasting.keys.adopt(Terms { client: outbound.http_client(), settings: settings.key_sets });
        self.audit.switch(audit);
        if let Some((running, issuer)) = issuer {
            running.replace(issuer);
        }
        announce(&built.snapshot, &self.metrics);
        self.live.store(Arc::new(Live { snapshot: built.snapshot, serving }));
        Ok(())
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
