//! Replaces what is in force when a file changes or on SIGHUP: rules and settings together, all or nothing.
//! What cannot be used changes nothing: what was in force goes on serving, and the log says why.

pub mod compile;
mod documents;
mod emptied;
pub mod fixed;
pub mod secrets;
mod watched;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use keyward_core::diagnostic::{Diagnostic, Severity};
use tokio::sync::mpsc;

use self::compile::RuleThread;
use self::fixed::Fixed;
use self::secrets::{LiveSecrets, environment_of};
use self::watched::{Watched, watch, watcher};
use crate::audit::sink::Prepared;
use crate::audit::state::AuditState;
use crate::config::load::{Loaded, load};
use crate::config::settings::Settings;
use crate::issuer::live::LiveIssuer;
use crate::issuer::routes::Issuer;
use crate::keys::Terms;
use crate::metrics::Metrics;
use crate::outside::Lasting;
use crate::proxy::opening::Opening;
use crate::repository::cache::CacheDirectory;
use crate::repository::documents::Documents;
use crate::repository::keeper::Keeper;
use crate::repository::polling::Pollers;
use crate::repository::standing::Standings;
use crate::repository::start::Beginning;
use crate::secrets::EnvironmentSecrets;
use crate::secrets::refresh::{Refresher, Refreshing};
use crate::serving::{Live, Serving};
use crate::snapshot::Snapshot;
use crate::telemetry;
use crate::traces::tracer::Tracer;

/// Several writes of one change count as one.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Where notification does not work (network file systems), files are compared this often.
const POLL: Duration = Duration::from_secs(2);

/// When a repository that is new cannot be reached, the reload is tried again after this long.
const RETRY: Duration = Duration::from_secs(10);

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
    /// The documents of remote repositories.
    pub documents: Rc<RefCell<Documents>>,
    /// The values of secrets.
    pub secrets: LiveSecrets,
    /// How repositories are doing.
    pub standings: Arc<Standings>,
    /// Who keeps copies of documents.
    pub keeper: Rc<Keeper>,
    /// When the proxy's port opens.
    pub opening: Opening,
    /// What was started with.
    pub started_with: Fixed,
    /// Where rules are compiled.
    pub thread: RuleThread,
}

/// Says in the log and the metrics what is in force.
pub fn announce(snapshot: &Snapshot, metrics: &Metrics) {
    let (rules, broken) = (snapshot.rules.rules().len(), snapshot.broken_rules());
    metrics.rules_loaded.set(i64::try_from(rules).unwrap_or(i64::MAX));
    metrics.rules_broken.set(i64::try_from(broken).unwrap_or(i64::MAX));
    metrics.rules.keep(&snapshot.rules.rules().iter().map(|rule| &**rule.id()).collect());
    tracing::info!(rules, broken, version = snapshot.rules.version(), "rules are in force");
    if rules == 0 && !snapshot.is_unfetched {
        let hint = "name their files in `access_rules.repositories`";
        tracing::warn!(hint, "there are no rules: every request is answered with 404");
    }
}

/// Writes findings to the log.
pub fn log(findings: &[Diagnostic]) {
    for finding in findings {
        let hint = finding.hint.as_deref();
        let place = finding.origin.as_ref().map(ToString::to_string);
        match finding.severity {
            Severity::Error => tracing::error!(place, hint, "{}", finding.message),
            Severity::Warning => tracing::warn!(place, hint, "{}", finding.message),
        }
    }
}

/// Why a reload changes nothing.
enum Unusable {
    /// Only another change can help.
    Faulty(Diagnostic),
    /// Trying again may help.
    Unreachable(Diagnostic),
}

impl From<Diagnostic> for Unusable {
    fn from(problem: Diagnostic) -> Self {
        Self::Faulty(problem)
    }
}

impl Reloader {
    /// Waits for changes, for as long as the process lives. `settings` are those in force.
    pub async fn run(self, settings: Settings) {
        let mut settings = Arc::new(settings);
        let (sender, mut changes) = mpsc::channel(1);
        let (arrivals, mut arrived) = mpsc::channel(1);
        let pollers = Pollers {
            documents: self.documents.clone(),
            live: self.live.clone(),
            standings: self.standings.clone(),
            keeper: self.keeper.clone(),
            metrics: self.metrics.clone(),
            arrivals,
        };
        let mut polling = Some(pollers.follow(&settings, None));
        let (attempted, mut attempts) = mpsc::channel(1);
        let refresher = Refresher {
            store: self.secrets.store.clone(),
            live: self.live.clone(),
            metrics: self.metrics.clone(),
            attempted,
        };
        let mut refreshing = refresher.follow(settings.secrets.refresh_interval, Refreshing::default());
        let mut watched = Watched::of(&self.files, &settings);
        let mut watcher = watcher(sender);
        watch(&mut watcher, &watched);
        let mut fingerprint = Some(watched.fingerprint());
        #[cfg(unix)]
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
        let mut again = None;
        loop {
            self.look_at_secrets(&settings).await;
            let asked = tokio::select! {
                Some(arrival) = arrived.recv() => {
                    self.take(&settings, arrival).await;
                    continue;
                }
                Some(()) = attempts.recv() => continue,
                _ = changes.recv() => false,
                () = tokio::time::sleep(POLL) => again.is_some_and(|at| at <= Instant::now()),
                () = signalled(&mut hangup) => true,
            };
            // Whoever asks does not wait, however much changes.
            if !asked && !asked_within(DEBOUNCE, &mut hangup).await {
                // Other files of the same directories may change all the time.
                if Some(watched.fingerprint()) == fingerprint {
                    continue;
                }
                asked_within(DEBOUNCE, &mut hangup).await;
            }
            // What has been gathered is covered by the reload to come.
            while changes.try_recv().is_ok() {}
            // Taken before the files are read: what changes meanwhile will differ from it.
            fingerprint = Some(watched.fingerprint());
            let loaded = load(&self.files, &self.variables).and_then(|loaded| emptied::refuse(&settings, loaded));
            // What was read last decides what is watched, also when it cannot be used yet.
            let now = loaded.as_ref().ok().map(|loaded| Watched::of(&self.files, &loaded.settings));
            again = None;
            let outcome = match loaded {
                Ok(loaded) => self.put_in_force(loaded, &settings).await.map_err(|unusable| match unusable {
                    Unusable::Faulty(problem) => vec![problem],
                    Unusable::Unreachable(problem) => {
                        again = Some(Instant::now() + RETRY);
                        vec![problem]
                    }
                }),
                Err(findings) => Err(findings),
            };
            match outcome {
                Ok(new) => {
                    self.metrics.reloads.inc();
                    settings = new;
                    polling = Some(pollers.follow(&settings, polling.take()));
                    refreshing = refresher.follow(settings.secrets.refresh_interval, refreshing);
                }
                Err(findings) => {
                    self.metrics.reload_failures.inc();
                    log(&findings);
                    tracing::error!(
                        "the reload failed; the last good rules go on serving, under the settings they had"
                    );
                    self.secrets.reload_failed(&settings);
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

    /// Prepares everything that can fail, and only then puts anything in force. `old` are the settings in force.
    async fn put_in_force(&self, loaded: Loaded, old: &Arc<Settings>) -> Result<Arc<Settings>, Unusable> {
        let Loaded { settings, warnings, .. } = loaded;
        let settings = Arc::new(settings);
        let environment = environment_of(&settings);
        let before = self.live.load_full();
        let outbound = before.serving.outbound.renewed(&settings.proxy.upstream)?;
        let client = outbound.http_client();
        let running = before.serving.tracer.as_ref();
        let tracer = Tracer::following(running, settings.tracing.as_ref(), &client, &self.metrics.traces)?;
        let serving = Serving::new(&settings, outbound.clone(), tracer)?;
        let cache = settings.cache_dir.as_deref().map(CacheDirectory::open).transpose()?.map(Arc::new);
        let known = self.documents.borrow().clone();
        let repositories = &settings.repositories;
        let fetching = async {
            let beginning =
                Beginning::of_reload(&known, &before.snapshot.missing, repositories, &client, cache.as_deref()).await?;
            Ok((beginning, self.secrets.store.renewed(&settings.secrets, &client).await))
        };
        let (beginning, sources) = self.patiently(fetching, old).await.map_err(Unusable::Unreachable)?;
        let (sources, view) = self.usable_secrets(&settings, sources)?;
        let lasting = Lasting { side: outbound.side.clone(), secrets: view.clone(), ..self.lasting.clone() };
        let (built, beginning) = self.build_from(&settings, beginning, &lasting).await?;
        let issuer = match (&self.issuer, &settings.issuer) {
            (Some(running), Some(wanted)) => {
                let secrets = EnvironmentSecrets::new(settings.env_dir.clone());
                Some((running, Issuer::new(wanted, &secrets)?))
            }
            _ => None,
        };
        let audit = Prepared::new(&settings.audit, &outbound)?;

        telemetry::apply(settings.log);
        log(&warnings);
        log(&built.unread);
        log(&built.findings);
        for key in self.started_with.changed(&Fixed::of(&settings)) {
            tracing::warn!("`{key}` needs a restart: what was started with stays in force");
        }
        self.lasting.keys.adopt(Terms { client: outbound.http_client(), settings: settings.key_sets });
        self.audit.switch(audit);
        if let Some((running, issuer)) = issuer {
            running.replace(issuer);
        }
        let documents = beginning.settle(repositories, &built, &self.standings, &self.keeper, cache.as_ref());
        self.documents.replace(documents);
        self.secrets.adopt(settings.secrets.max_stale, sources, view, environment);
        self.replace(built.snapshot, Arc::new(serving));
        Ok(settings)
    }

    /// Swaps what is in force.
    fn replace(&self, snapshot: Snapshot, serving: Arc<Serving>) {
        announce(&snapshot, &self.metrics);
        let live = Arc::new(Live { snapshot, serving });
        self.thread.free(self.live.swap(live.clone()));
        if let Err(problem) = self.opening.follow(&live.snapshot) {
            log(&[problem]);
        }
    }
}

/// Waits so long, or until somebody asks for a reload; whether somebody did.
async fn asked_within(time: Duration, hangup: &mut Option<tokio::signal::unix::Signal>) -> bool {
    tokio::time::timeout(time, signalled(hangup)).await.is_ok()
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
