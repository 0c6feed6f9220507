//! Metrics: the document's names, the reference's, and our own (product section 6).
//!
//! Label sets are bounded: methods are the standard ones or `other`, request paths are counted up to a
//! number and then become `other`; queries and subjects are never labels. A core resolves a label set
//! once and keeps the handles.

mod certificates;
pub mod exposition;
pub mod faults;
mod key_sets;
mod process;
mod readiness;
pub mod repositories;
mod rules;
mod secrets;
pub mod shed;
pub mod traces;
pub mod worker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use keyward_core::pipeline::denial::Reason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::certificates::CertificateMetrics;
use self::exposition::Exposition;
use self::faults::FaultMetrics;
use self::key_sets::KeySetMetrics;
use self::process::Process;
use self::readiness::ReadinessMetrics;
use self::repositories::RepositoryMetrics;
use self::rules::RuleMetrics;
use self::secrets::SecretMetrics;
use self::shed::ShedMetrics;
use self::traces::TraceMetrics;
use self::worker::Finished;
use crate::config::settings::listeners::MetricsSettings;
use crate::echo::Echoed;

/// Distinct values of the `request` label.
const MAX_PATHS: usize = 256;
/// Buckets of the reference.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    method: &'static str,
    request: String,
    status_code: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DurationLabels {
    service: &'static str,
    method: &'static str,
    request: String,
    status_code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EchoLabels {
    place: &'static str,
    action: &'static str,
}

type Gauge64 = Gauge<i64, AtomicI64>;

/// Everything that is counted in this process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    duration: Histogram,
    denials: Family<ReasonLabels, Counter>,
    refusals: Family<ReasonLabels, Counter>,
    upstream_seconds: Histogram,
    upstream_errors: Family<ReasonLabels, Counter>,
    echoes: Family<EchoLabels, Counter>,
    repository_fetches: Family<OutcomeLabels, Counter>,
    /// What is counted of secrets.
    pub secrets: SecretMetrics,
    /// How rule repositories are doing.
    pub repositories: RepositoryMetrics,
    /// Client connections that are open.
    pub connections: Gauge64,
    /// Requests of the proxy in flight. It is also what their limit is held against, so that they are counted once.
    pub in_flight: Gauge<u64, AtomicU64>,
    /// What was wrong with connections.
    pub faults: FaultMetrics,
    /// What was turned away.
    pub shed: ShedMetrics,
    /// What became of traces.
    pub traces: TraceMetrics,
    /// Panics caught.
    pub panics: Counter,
    /// Requests by rule.
    pub rules: RuleMetrics,
    /// Rules in the set in use.
    pub rules_loaded: Gauge64,
    /// Rules of it that deny everything.
    pub rules_broken: Gauge64,
    /// Reloads that took effect.
    pub reloads: Counter,
    /// Reloads that failed, leaving what was there.
    pub reload_failures: Counter,
    /// Key sets that are in force.
    pub key_sets_ready: Gauge64,
    /// Fetches of key sets that failed.
    pub key_set_failures: Counter,
    /// How each key set is doing.
    pub key_sets: KeySetMetrics,
    /// Whether it is ready.
    pub readiness: ReadinessMetrics,
    /// Until when certificates are good.
    pub certificates: CertificateMetrics,
    audit_written: Counter,
    audit_lost: Counter,
    /// Whether audit records cannot be written.
    pub audit_failing: Gauge64,
    paths: Mutex<HashSet<String>>,
}

/// How paths become `request` labels (serving spec 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathLabels {
    /// They do not: the label is empty.
    pub hide: bool,
    /// Only the first segment does.
    pub collapse: bool,
}

impl PathLabels {
    fn shown(self, path: &str) -> &str {
        match (self.hide, self.collapse) {
            (true, _) => "",
            (false, true) => first_segment(path),
            (false, false) => path,
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    /// Registers every metric.
    pub fn new(settings: &MetricsSettings) -> Arc<Self> {
        let mut registry = Registry::default();
        let prefix = &settings.prefix;
        macro_rules! register {
            ($name:expr, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, $help, metric.clone());
                metric
            }};
            ($name:expr, $help:literal, $unit:expr, $metric:expr) => {{
                let metric = $metric;
                registry.register_with_unit($name, $help, $unit, metric.clone());
                metric
            }};
        }
        let metrics = Self {
            requests: register!(format!("{prefix}requests"), "Total number of requests", Family::default()),
            durations: register!(
                format!("{prefix}requests_duration"),
                "Time spent serving requests",
                Unit::Seconds,
                Family::new_with_constructor(histogram as fn() -> Histogram)
            ),
            duration: register!(
                format!("{prefix}request_duration"),
                "Time from a request's arrival to the end of its answer",
                Unit::Seconds,
                histogram()
            ),
            rules: RuleMetrics::register(&mut registry),
            denials: register!("keyward_denials", "Denied requests by reason", Family::default()),
            refusals: register!("keyward_gate_refusals", "Requests refused by the gate, by reason", Family::default()),
            upstream_seconds: register!(
                "keyward_upstream",
                "Time until the head of an upstream's answer",
                Unit::Seconds,
                histogram()
            ),
            upstream_errors: register!("keyward_upstream_errors", "Upstream failures by kind", Family::default()),
            echoes: register!(
                "keyward_credential_echoes",
                "Answers that held a credential of their request",
                Family::default()
            ),
            connections: register!("keyward_connections", "Open client connections", Gauge64::default()),
            in_flight: register!(
                "keyward_requests_in_flight",
                "Requests in flight",
                Gauge::<u64, AtomicU64>::default()
            ),
            faults: FaultMetrics::register(&mut registry),
            shed: ShedMetrics::register(&mut registry),
            traces: TraceMetrics::register(&mut registry),
            panics: register!("keyward_panics", "Panics caught in requests", Counter::default()),
            rules_loaded: register!("keyward_rules", "Rules in use", Gauge64::default()),
            rules_broken: register!("keyward_rules_broken", "Rules that deny everything", Gauge64::default()),
            reloads: register!("keyward_reloads", "Reloads that took effect", Counter::default()),
            reload_failures: register!(
                "keyward_reload_failures",
                "Reloads that failed and changed nothing",
                Counter::default()
            ),
            key_sets_ready: register!("keyward_key_sets_ready", "Key sets in force", Gauge64::default()),
            key_set_failures: register!("keyward_key_set_failures", "Failed fetches of key sets", Counter::default()),
            key_sets: KeySetMetrics::register(&mut registry),
            repository_fetches: register!(
                "keyward_repository_fetches",
                "Fetches of rule documents by outcome",
                Family::default()
            ),
            repositories: RepositoryMetrics::register(&mut registry),
            audit_written: register!("keyward_audit_records_written", "Audit records written", Counter::default()),
            audit_lost: register!("keyward_audit_records_lost", "Audit records lost", Counter::default()),
            audit_failing: register!(
                "keyward_audit_failing",
                "Whether audit records cannot be written at the moment",
                Gauge64::default()
            ),
            readiness: ReadinessMetrics::register(&mut registry),
            certificates: CertificateMetrics::register(&mut registry),
            secrets: SecretMetrics::new(&mut registry),
            paths: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register("keyward_build", "What runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register_collector(Box::new(Process));
        Arc::new(Self { registry, ..metrics })
    }

    /// The scrape.
    pub fn render(&self, exposition: Exposition) -> String {
        let mut text = String::new();
        // Encoding into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        exposition.of(text)
    }

    /// Says how many audit records were written and lost since the start.
    pub fn audited(&self, written: u64, lost: u64) {
        // They are counted where they are written, and never count backwards.
        self.audit_written.inner().store(written, Ordering::Relaxed);
        self.audit_lost.inner().store(lost, Ordering::Relaxed);
    }

    /// Counts a denial.
    pub fn denied(&self, reason: &'static str) {
        self.denials.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts an answer that held a credential of its request.
    pub fn echoed(&self, echoed: Echoed) {
        let labels = EchoLabels { place: echoed.place.as_str(), action: echoed.action.as_str() };
        self.echoes.get_or_create(&labels).inc();
    }

    /// Counts a fetch of a rule document: changed, unchanged, failed or refused.
    pub fn repository_fetched(&self, outcome: &'static str) {
        self.repository_fetches.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a refusal of the gate, which is a denial like any other.
    pub fn refused(&self, reason: &'static str) {
        self.denied(Reason::RequestRefused.as_str());
        self.refusals.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts an upstream failure.
    pub fn upstream_failed(&self, reason: &'static str) {
        self.upstream_errors.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// The `request` label for a path, bounded in number.
    pub fn request_label(&self, path: &str, labels: PathLabels) -> String {
        let label = labels.shown(path);
        if label.is_empty() {
            return String::new();
        }
        // Nobody panics while holding this lock; a poisoned one still holds the set.
        let mut paths = self.paths.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if paths.contains(label) {
            return label.to_owned();
        }
        if paths.len() >= MAX_PATHS {
            return "other".to_owned();
        }
        paths.insert(label.to_owned());
        label.to_owned()
    }

    /// Counts a finished request where no worker's cache is at hand.
    pub fn finished(&self, service: &'static str, request: &Finished<'_>) {
        let Finished { method, status, outcome, .. } = *request;
        let label = self.request_label(request.path, request.labels);
        self.handles(service, method, &label, status, outcome, None).record(request.took);
    }

    fn handles(
        &self,
        service: &'static str,
        method: &Method,
        request: &str,
        status: u16,
        outcome: &'static str,
        rule: Option<&str>,
    ) -> Handles {
        let method = method_label(method);
        let status_code = status.to_string();
        let labels =
            RequestLabels { service, method, request: request.to_owned(), status_code: status_code.clone(), outcome };
        let durations = DurationLabels { service, method, request: request.to_owned(), status_code };
        Handles {
            requests: self.requests.get_or_create(&labels).clone(),
            durations: self.durations.get_or_create(&durations).clone(),
            duration: self.duration.clone(),
            rule: rule.map(|rule| self.rules.counter(rule, outcome)),
        }
    }
}

/// Resolved counters of one label set.
#[derive(Clone)]
struct Handles {
    requests: Counter,
    durations: Histogram,
    duration: Histogram,
    rule: Option<Counter>,
}

impl Handles {
    fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.requests.inc();
        self.durations.observe(seconds);
        self.duration.observe(seconds);
        if let Some(rule) = &self.rule {
            rule.inc();
        }
    }
}

fn first_segment(path: &str) -> &str {
    match path.get(1..).and_then(|rest| rest.find('/')) {
        Some(end) => &path[..=end],
        None if path.is_empty() => "/",
        None => path,
    }
}

fn method_label(method: &Method) -> &'static str {
    known_method(method).unwrap_or("other")
}

/// A method that everybody knows. Others are what callers make of them.
pub(crate) fn known_method(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.iter().find(|known| **known == method.as_str()).copied()
}

#[cfg(test)]
mod tests;
