//! The handlers that rules can name, and what the configuration says about them.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;

use crate::diagnostic::{Diagnostic, Origin};
use crate::document::decode::hint_for_key;
use crate::document::{Node, Value, merge, value_taken_back};
use crate::pipeline::{AuthenticatorKind, AuthorizerKind, ErrorHandlerKind, HandlerKind, MutatorKind};
use crate::rule::model::HandlerReference;

/// The handlers a rule can name.
#[derive(Clone, Copy)]
pub struct HandlerTables<'a> {
    /// Authenticators.
    pub authenticators: Table<'a, dyn AuthenticatorKind>,
    /// Authorizers.
    pub authorizers: Table<'a, dyn AuthorizerKind>,
    /// Mutators.
    pub mutators: Table<'a, dyn MutatorKind>,
    /// Error handlers.
    pub error_handlers: Table<'a, dyn ErrorHandlerKind>,
}

/// One kind of handler.
pub struct Table<'a, K: ?Sized> {
    /// What one of them is called.
    pub noun: &'static str,
    /// What a caller may read when one of them cannot be used in a rule.
    pub unusable: &'static str,
    /// What a caller may read when a rule names none.
    pub none: &'static str,
    /// Those that exist.
    pub all: &'a [&'a K],
}

impl<K: ?Sized> Clone for Table<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized> Copy for Table<'_, K> {}

/// Global settings of handlers, by id.
#[derive(Clone, Debug, Default)]
pub struct HandlerSettings {
    /// `authenticators.*`
    pub authenticators: BTreeMap<String, HandlerSetting>,
    /// `authorizers.*`
    pub authorizers: BTreeMap<String, HandlerSetting>,
    /// `mutators.*`
    pub mutators: BTreeMap<String, HandlerSetting>,
    /// `errors.handlers.*`
    pub error_handlers: BTreeMap<String, HandlerSetting>,
}

/// The switch and the global settings of one handler.
#[derive(Clone, Debug)]
pub struct HandlerSetting {
    /// A rule cannot enable a handler.
    pub enabled: bool,
    /// The global `config`; an empty map when none was written.
    pub config: Node,
}

impl<'a, K: HandlerKind + ?Sized> Table<'a, K> {
    /// Finds a handler, checks that it may be used, and merges its settings (pipeline spec 1.3).
    pub(super) fn resolve(
        &self,
        reference: &HandlerReference,
        settings: &BTreeMap<String, HandlerSetting>,
        origin: &Origin,
    ) -> Result<(&'a K, Node), Diagnostic> {
        let id = reference.handler.as_str();
        let noun = self.noun;
        let Some(kind) = self.all.iter().find(|kind| kind.id() == id) else {
            let known: Vec<&str> = self.all.iter().map(|kind| kind.id()).collect();
            let finding = Diagnostic {
                hint: hint_for_key(id, &known),
                ..Diagnostic::error(format!("there is no {noun} `{id}`"))
            };
            return Err(finding.at(origin).told("requested pipeline handler does not exist"));
        };
        let empty = || Node { value: Value::Map(Vec::new()), origin: origin.clone() };
        let setting = settings.get(id);
        if !setting.is_some_and(|setting| setting.enabled) {
            return Err(Diagnostic::error(format!("{noun} `{id}` is disabled"))
                .at(origin)
                .hint(format!("set `enabled: true` for `{id}` in the configuration"))
                .told(self.unusable));
        }
        let global = setting.map_or_else(empty, |setting| setting.config.clone());
        let config = match &reference.config {
            Some(over) if !matches!(over.value, Value::Null) => {
                // Without the global value the handler might check less, and say less, than anybody wrote.
                if let Some(entry) = value_taken_back(&global, over) {
                    let text =
                        format!("{noun} `{id}`: `{}` has no value here, and has one in the configuration", entry.key);
                    return Err(Diagnostic::error(text)
                        .at(&entry.key_origin)
                        .hint("remove the key, and the configuration's value counts, or write another value")
                        .told(self.unusable));
                }
                merge(&global, over)
            }
            _ => global,
        };
        if matches!(config.value, Value::Map(_)) {
            Ok((*kind, config))
        } else {
            Err(Diagnostic::error(format!("`config` of {noun} `{id}` must be a map, found {}", config.value.kind()))
                .at(&config.origin)
                .told(self.unusable))
        }
    }

    /// Where a setting of handler `id` belongs that is written beside its `config`; `None` when it is none.
    pub fn hint_for_misplaced(&self, id: &str, key: &str) -> Option<String> {
        let kind = self.all.iter().find(|kind| kind.id() == id)?;
        let mut generator =
            SchemaSettings::default().with(|settings| settings.inline_subschemas = true).into_generator();
        let settings = kind.settings(&mut generator)?;
        let is_setting = settings.get("properties")?.as_object()?.contains_key(key);
        is_setting.then(|| format!("did you mean `config.{key}`?"))
    }

    /// Settings that count only in the configuration, written in a rule.
    pub(super) fn global_only<'r>(
        &self,
        references: impl Iterator<Item = &'r HandlerReference>,
        findings: &mut Vec<Diagnostic>,
    ) {
        for reference in references {
            let Some(kind) = self.all.iter().find(|kind| kind.id() == reference.handler) else { continue };
            for key in kind.global_settings() {
                let Some(entry) = reference.config.as_ref().and_then(|config| config.entry(key)) else { continue };
                let (noun, id) = (self.noun, kind.id());
                let finding = Diagnostic::warning(format!("{noun} `{id}`: `{key}` has no effect in a rule"));
                let hint = format!("set it in the configuration, under `{noun}s.{id}.config`");
                findings.push(finding.at(&entry.key_origin).hint(hint));
            }
        }
    }

    /// The handlers that a rule must name under `key`.
    pub(super) fn required<'r>(
        &self,
        list: &'r Option<Vec<HandlerReference>>,
        key: &str,
    ) -> Result<&'r [HandlerReference], Diagnostic> {
        match list {
            Some(list) if !list.is_empty() => Ok(list),
            _ => Err(Diagnostic::error(format!("`{key}` must be a list with at least one entry")).told(self.none)),
        }
    }
}
