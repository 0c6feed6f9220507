//! Checked, ready-to-use settings, one file per subject: the one place of defaults and cross-field rules.

pub mod audit;
mod cors;
pub mod handlers;
pub mod listeners;
pub mod log;
pub mod proxy;
mod rules;
pub mod secrets;
pub mod tracing;

use std::path::PathBuf;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::decode::decode;
use keyward_core::document::{Node, Value};
use keyward_core::rule::handlers::HandlerSettings;
use keyward_core::rule::pattern::Strategy;
use keyward_handlers::TABLES;

use self::audit::AuditSettings;
use self::handlers::KeySetSettings;
use self::listeners::{ApiSettings, MetricsSettings};
use self::log::LogSettings;
use self::proxy::ProxySettings;
use self::secrets::SecretSettings;
use self::tracing::TracingSettings;
use super::file::{ConfigFile, MatchAuthority};
use crate::issuer::settings::IssuerSettings;
use crate::repository::Repository;

/// Everything the server needs to know.
#[derive(Debug)]
pub struct Settings {
    /// `serve.proxy`
    pub proxy: ProxySettings,
    /// `serve.api`
    pub api: ApiSettings,
    /// `serve.prometheus`
    pub metrics: MetricsSettings,
    /// `access_rules.repositories`
    pub repositories: Vec<Repository>,
    /// `access_rules.cache_dir`
    pub cache_dir: Option<PathBuf>,
    /// `access_rules.matching_strategy`
    pub strategy: Strategy,
    /// `access_rules.match_authority`
    pub match_authority: MatchAuthority,
    /// Handlers' switches and global settings.
    pub handlers: HandlerSettings,
    /// `errors.fallback`
    pub fallback: Vec<(String, Origin)>,
    /// `log`
    pub log: LogSettings,
    /// `secrets.env_dir`
    pub env_dir: Option<PathBuf>,
    /// The other places that hold secrets.
    pub secrets: SecretSettings,
    /// `audit`
    pub audit: AuditSettings,
    /// `tracing`, when traces are exported.
    pub tracing: Option<TracingSettings>,
    /// `issuer`
    pub issuer: Option<IssuerSettings>,
    /// How key sets are kept fresh.
    pub key_sets: KeySetSettings,
    /// Configuration files that say nothing.
    pub empty_files: Vec<PathBuf>,
}

/// Checks a file's contents. All findings are collected; errors are in `Err`, warnings beside the settings.
pub fn check(root: &Node) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let schema = super::environment::generator().into_root_schema_for::<ConfigFile>();
    let errors = super::shape::check(root, schema.as_value(), "");
    let misshapen: Vec<Option<Origin>> = errors.iter().map(|finding| finding.origin.clone()).collect();
    let mut check = Check { root, errors, warnings: Vec::new() };
    check.misplaced_settings();
    let file = match &root.value {
        Value::Null => Ok(ConfigFile::default()),
        _ => decode::<ConfigFile>(root),
    };
    let settings = match file {
        Ok(file) => Some(check.settings(file)),
        Err(problem) => {
            if check.errors.is_empty() {
                check.errors.push(problem);
            }
            check.handlers_alone();
            None
        }
    };
    // What has the wrong shape was said already, and better.
    let mut number = 0;
    check.errors.retain(|finding| {
        number += 1;
        number <= misshapen.len() || !misshapen.contains(&finding.origin)
    });
    match settings {
        Some(settings) if check.errors.is_empty() => Ok((settings, check.warnings)),
        _ => Err(check.errors),
    }
}

struct Check<'a> {
    root: &'a Node,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Check<'_> {
    fn place(&self, path: &str) -> Origin {
        self.root.get(path).map_or(&self.root.origin, |node| &node.origin).clone()
    }

    /// Where a key stands, rather than its value.
    fn place_of_key(&self, path: &str) -> Origin {
        self.root.entry(path).map_or_else(|| self.place(path), |entry| entry.key_origin.clone())
    }

    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        let finding = Diagnostic::error(format!("`{path}`: {}", message.into())).at(&self.place(path));
        self.errors.push(finding);
    }

    fn warn(&mut self, path: &str, message: &str) {
        let finding = Diagnostic::warning(format!("`{path}` {message}")).at(&self.place(path));
        self.warnings.push(finding);
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        decode::<String>(node).map_err(|problem| self.errors.push(problem)).ok()
    }

    fn settings(&mut self, file: ConfigFile) -> Settings {
        let serve = file.serve.unwrap_or_default();
        let rules = file.access_rules.unwrap_or_default();
        let errors = file.errors.unwrap_or_default();
        let secrets = file.secrets.unwrap_or_default();
        for (path, is_set) in [("profiling", file.profiling.is_some()), ("sqa", file.sqa.is_some())] {
            if is_set {
                self.warn(path, "has no effect");
            }
        }
        if file.version.as_deref().is_some_and(|version| !is_version(version)) {
            self.refuse("version", "it is not a version such as `v0.40.0`");
        }
        let handlers = HandlerSettings {
            authenticators: self.handlers("authenticators", file.authenticators, &TABLES.authenticators),
            authorizers: self.handlers("authorizers", file.authorizers, &TABLES.authorizers),
            mutators: self.handlers("mutators", file.mutators, &TABLES.mutators),
            error_handlers: self.error_handlers(errors.handlers),
        };
        let issuer = file
            .issuer
            .filter(|node| !matches!(node.value, Value::Null))
            .and_then(|node| IssuerSettings::check(&node).map_err(|problem| self.errors.push(problem)).ok())
            .map(|settings| IssuerSettings { listener: self.listener(settings.listener.clone()), ..settings });
        let sources = self.sources(&rules);
        Settings {
            proxy: self.proxy(serve.proxy.unwrap_or_default()),
            api: self.api(serve.api.unwrap_or_default()),
            metrics: self.metrics(serve.prometheus.unwrap_or_default()),
            repositories: sources.repositories,
            cache_dir: sources.cache_dir,
            strategy: rules.matching_strategy.map(Strategy::from).unwrap_or_default(),
            match_authority: rules.match_authority.unwrap_or(MatchAuthority::Loopback),
            key_sets: self.key_sets(&handlers),
            handlers,
            fallback: self.fallback(errors.fallback),
            log: self.log(&file.log.unwrap_or_default()),
            env_dir: secrets.env_dir.clone().filter(|path| !path.is_empty()).map(Into::into),
            secrets: self.secrets(secrets),
            audit: self.audit(file.audit.unwrap_or_default()),
            tracing: self.tracing(file.tracing.unwrap_or_default()),
            issuer,
            empty_files: Vec::new(),
        }
    }
}

/// `v` and a semantic version.
fn is_version(text: &str) -> bool {
    let Some(version) = text.strip_prefix('v') else { return false };
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    numbers.len() == 3 && numbers.iter().all(is_number) && version.bytes().all(allowed)
}
