//! Handlers' switches and global settings: which there are, and whether their shape is right.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_core::diagnostic::{Diagnostic, Severity};
use keyward_core::document::decode::{decode, hint_for_key};
use keyward_core::document::duration::ComposedDuration;
use keyward_core::document::{Node, Value};
use keyward_core::pipeline::HandlerKind;
use keyward_core::rule::handlers::{HandlerSetting, HandlerSettings, Table};
use keyward_handlers::TABLES;

use super::Check;
use crate::config::environment::generator;
use crate::config::file::Handler;
use crate::config::{idle, shape};

/// How key sets are kept fresh.
#[derive(Clone, Copy, Debug)]
pub struct KeySetSettings {
    /// How old a set may be before it is fetched again.
    pub refresh: Duration,
    /// How long a request waits for a fetch.
    pub max_wait: Duration,
    /// How long a set that should be fetched again, and cannot be, goes on counting.
    pub max_stale: Duration,
}

/// The shortest `jwks_max_stale`: two fetches may take that long to fail.
const LEAST_MAX_STALE: Duration = Duration::from_secs(10);

impl KeySetSettings {
    /// How old a set may become before it counts no more.
    pub fn ceiling(&self) -> Duration {
        self.refresh.saturating_add(self.max_stale)
    }
}

impl Check<'_> {
    /// What is wrong with handlers, when the whole file cannot be read.
    pub(super) fn handlers_alone(&mut self) {
        let root = self.root;
        let written = |group: &str| root.get(group).and_then(|node| decode(node).ok());
        self.handlers("authenticators", written("authenticators"), &TABLES.authenticators);
        self.handlers("authorizers", written("authorizers"), &TABLES.authorizers);
        self.handlers("mutators", written("mutators"), &TABLES.mutators);
        self.handlers("errors.handlers", written("errors.handlers"), &TABLES.error_handlers);
    }

    /// Says of keys that are unknown beside `enabled` and `config` where they belong, if they are settings.
    pub(super) fn misplaced_settings(&mut self) {
        self.misplaced("authenticators", &TABLES.authenticators);
        self.misplaced("authorizers", &TABLES.authorizers);
        self.misplaced("mutators", &TABLES.mutators);
        self.misplaced("errors.handlers", &TABLES.error_handlers);
    }

    fn misplaced<K: HandlerKind + ?Sized>(&mut self, group: &str, table: &Table<'_, K>) {
        let entries = |node: &'_ Node| match &node.value {
            Value::Map(entries) => entries.clone(),
            _ => Vec::new(),
        };
        for handler in self.root.get(group).map(entries).unwrap_or_default() {
            for entry in entries(&handler.value) {
                let is_it = |finding: &&mut Diagnostic| finding.origin.as_ref() == Some(&entry.key_origin);
                let Some(finding) = self.errors.iter_mut().find(is_it) else { continue };
                finding.hint = table.hint_for_misplaced(&handler.key, &entry.key).or(finding.hint.take());
            }
        }
    }

    pub(super) fn handlers<K: HandlerKind + ?Sized>(
        &mut self,
        group: &str,
        written: Option<BTreeMap<String, Option<Handler>>>,
        table: &Table<'_, K>,
    ) -> BTreeMap<String, HandlerSetting> {
        let mut settings = BTreeMap::new();
        for (id, handler) in written.unwrap_or_default() {
            // A block whose lines are all comments says nothing.
            let handler = handler.unwrap_or_default();
            let path = format!("{group}.{id}");
            let enabled = handler.enabled.unwrap_or(false);
            let kind = table.all.iter().find(|kind| kind.id() == id);
            match kind {
                None => {
                    let known: Vec<&str> = table.all.iter().map(|kind| kind.id()).collect();
                    let mut finding =
                        Diagnostic::error(format!("unknown key `{id}` in `{group}`")).at(&self.place_of_key(&path));
                    finding.hint = hint_for_key(&id, &known);
                    self.errors.push(finding);
                    continue;
                }
                Some(kind) if enabled || !idle::is_tolerant(group, &id) => {
                    self.handler_keys(&path, *kind, handler.config.as_ref())
                }
                Some(_) => {}
            }
            let config = handler
                .config
                .filter(|config| !matches!(config.value, Value::Null))
                .unwrap_or(Node { value: Value::Map(Vec::new()), origin: self.place(&path) });
            settings.insert(id, HandlerSetting { enabled, config });
        }
        settings
    }

    /// The shape of a handler's global settings; what they mean is checked when a rule binds the handler.
    fn handler_keys<K: HandlerKind + ?Sized>(&mut self, path: &str, kind: &K, config: Option<&Node>) {
        let Some(config) = config else { return };
        let mut generator = generator();
        let Some(schema) = kind.settings(&mut generator) else {
            return self.refuse(&format!("{path}.config"), format!("`{}` takes no settings", kind.id()));
        };
        for finding in shape::check(config, schema.as_value(), &format!("{path}.config")) {
            match finding.severity {
                Severity::Error => self.errors.push(finding),
                Severity::Warning => self.warnings.push(finding),
            }
        }
    }

    /// `json` is on unless it is switched off.
    pub(super) fn error_handlers(
        &mut self,
        written: Option<BTreeMap<String, Option<Handler>>>,
    ) -> BTreeMap<String, HandlerSetting> {
        let mut written = written.unwrap_or_default();
        let json = written.entry("json".to_owned()).or_default().get_or_insert_default();
        json.enabled.get_or_insert(true);
        self.handlers("errors.handlers", Some(written), &TABLES.error_handlers)
    }

    /// `jwks_ttl`, `jwks_max_wait` and `jwks_max_stale` are global only, in the jwt authenticator's settings.
    pub(super) fn key_sets(&mut self, handlers: &HandlerSettings) -> KeySetSettings {
        let read = |key: &str, seconds: u64| {
            let written = handlers.authenticators.get("jwt").and_then(|setting| setting.config.get(key));
            // What cannot be read was found with the handler's other settings, if it is enabled.
            match written.map(decode::<Option<ComposedDuration>>) {
                Some(Ok(Some(ComposedDuration(value)))) => value,
                _ => Duration::from_secs(seconds),
            }
        };
        let settings = KeySetSettings {
            refresh: read("jwks_ttl", 30).max(Duration::from_secs(1)),
            max_wait: read("jwks_max_wait", 1),
            max_stale: read("jwks_max_stale", 3600),
        };
        if settings.max_stale < LEAST_MAX_STALE {
            let problem = "less than `10s`: one fetch that fails would take every key away; write at least `10s`";
            self.refuse("authenticators.jwt.config.jwks_max_stale", problem);
        }
        settings
    }
}
