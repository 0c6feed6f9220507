//! From written rules to rules that are ready to run.
//!
//! Everything that can be checked or merged is, here and once. A rule that fails keeps its match and
//! denies (`Rule::plan` is an error); it never takes another rule down with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::credential::{Used, Uses};
use crate::diagnostic::{Diagnostic, Origin};
use crate::document::{Node, Value};
use crate::pipeline::grant::credential_locations;
use crate::pipeline::shared::Shared;
use crate::pipeline::when::When;
use crate::pipeline::{BindContext, ErrorHandler, HandlerKind};
use crate::ports::Outside;
use crate::rule::alike::{Alike, Handlers};
use crate::rule::handlers::{HandlerSetting, HandlerSettings, HandlerTables, Table};
use crate::rule::matches::{pattern, without_requests};
use crate::rule::migrate::is_version;
use crate::rule::model::{HandlerReference, RuleDefinition, WrittenRule};
use crate::rule::pattern::Strategy;
use crate::rule::shown::Shown;
use crate::rule::upstream::Upstream;
use crate::rule::{Bound, Plan, Rule, binding};

/// What compiling needs.
pub struct Compiler<'a> {
    /// The handlers there are.
    pub handlers: HandlerTables<'a>,
    /// Their global settings.
    pub settings: &'a HandlerSettings,
    /// The matching strategy.
    pub strategy: Strategy,
    /// What the outside provides.
    pub outside: &'a Outside,
    /// What the rules of the set have in common.
    pub shared: Shared,
    /// What was compiled for rules that write the same.
    pub alike: Alike,
}

/// An error handler with the conditions under which it answers.
pub struct BoundErrorHandler {
    /// The handler's id.
    pub id: &'static str,
    /// When it answers.
    pub when: When,
    /// What it answers.
    pub handler: Box<dyn ErrorHandler>,
}

/// Handlers, and what each of them uses.
type BoundWithUses<H> = (Box<[Bound<H>]>, Vec<Arc<Used>>);

/// What binds handlers of one kind to rules.
struct Kinds<'c, K: ?Sized, H: ?Sized> {
    table: &'c Table<'c, K>,
    settings: &'c BTreeMap<String, HandlerSetting>,
    known: &'c Handlers<H>,
    context: &'c BindContext<'c>,
}

impl Compiler<'_> {
    /// Compiles one rule. Findings go to `report`: an error when the rule will deny, warnings otherwise.
    pub fn compile(&self, number: u32, written: &WrittenRule, report: &mut Vec<Diagnostic>) -> Rule {
        let definition = &written.definition;
        let (warnings, uses) = (RefCell::new(Vec::new()), Uses::default());
        let context = self.context(&definition.id, &warnings, &uses);
        let pattern = pattern(written, self.strategy);
        let mut errors = Vec::new();
        let plan = match (&written.problem, &pattern) {
            (Some(problem), _) => Err(self.with_place_of_setting(problem.clone(), &written.node)),
            (None, Err(problem)) => Err(problem.clone()),
            (None, Ok(_)) => self.plan(written, &context, &mut errors),
        };
        let mut findings = [written.warnings.clone(), warnings.into_inner()].concat();
        if let (None, Ok(pattern)) = (&written.problem, &pattern) {
            findings.extend(without_requests(written, pattern.as_ref()));
        }
        findings.extend(self.without_effect(definition));
        findings.extend(plan.as_ref().err().cloned());
        let unknown_keys = written.unknown_keys.iter().cloned();
        findings.extend(unknown_keys.map(|key| self.with_place_of_setting(key, &written.node)));
        report.extend(findings.into_iter().map(|mut finding| {
            finding.message = format!("rule `{}`: {}", definition.id, finding.message);
            finding.at(&written.node.origin)
        }));
        let shown = match plan {
            Ok(_) => None,
            Err(_) => self.broken_here_only(written),
        };
        // What is no method name can be no request's method either.
        let methods = definition
            .matches
            .iter()
            .flat_map(|matches| matches.methods.iter().flatten())
            .filter_map(|name| http::Method::from_bytes(name.as_bytes()).ok())
            .collect();
        Rule {
            number,
            id: definition.id.as_str().into(),
            methods,
            pattern: pattern.ok().flatten(),
            is_listed: plan.is_ok() || shown.is_some(),
            plan,
            errors,
            shown: Shown::new(shown.as_ref().map_or(definition, |shown| &shown.definition), &self.alike),
        }
    }

    /// A broken rule that the reference would serve and list: one whose pattern it does not look at before a request
    /// comes, or with keys that it passes over.
    fn broken_here_only(&self, written: &WrittenRule) -> Option<WrittenRule> {
        let known = written.known_part()?;
        let matches = known.definition.matches.as_ref()?;
        if !matches.is_rpc() && matches.url.as_deref().unwrap_or_default().is_empty() {
            return None;
        }
        let (unsaid, uses) = (RefCell::default(), Uses::default());
        let context = self.context(&known.definition.id, &unsaid, &uses);
        let plan = self.plan(&known, &context, &mut Vec::new());
        plan.is_ok().then_some(known)
    }

    /// Binds the handlers of `errors.fallback`, in order, with their global settings.
    pub fn fallback(&self, ids: &[(String, Origin)]) -> Result<Vec<BoundErrorHandler>, Diagnostic> {
        let (warnings, uses) = (RefCell::new(Vec::new()), Uses::default());
        let context = self.context("", &warnings, &uses);
        ids.iter()
            .map(|(id, origin)| {
                let reference = HandlerReference { handler: id.clone(), config: None };
                self.error_handler(&reference, origin, &context).map_err(|problem| problem.at(origin))
            })
            .collect()
    }

    fn context<'c>(
        &'c self,
        rule_id: &'c str,
        warnings: &'c RefCell<Vec<Diagnostic>>,
        uses: &'c Uses,
    ) -> BindContext<'c> {
        BindContext { rule_id, strategy: self.strategy, outside: self.outside, shared: &self.shared, uses, warnings }
    }

    fn plan(
        &self,
        written: &WrittenRule,
        context: &BindContext<'_>,
        errors: &mut Vec<BoundErrorHandler>,
    ) -> Result<Plan, Diagnostic> {
        let RuleDefinition { authenticators, authorizer, authorizers, mutators, upstream, .. } = &written.definition;
        check_version(written)?;
        for (index, reference) in written.definition.errors.iter().flatten().enumerate() {
            errors.push(self.error_handler(reference, &written.place("errors", index), context)?);
        }
        let upstream = match upstream.as_ref().and_then(|upstream| upstream.url.as_deref()) {
            None | Some("") => None,
            Some(_) => Some(compile_upstream(written, &self.alike)?),
        };
        let (authenticators, _) = Self::bind_all(
            written,
            "authenticators",
            self.handlers.authenticators.required(authenticators, "authenticators")?,
            &Kinds {
                table: &self.handlers.authenticators,
                settings: &self.settings.authenticators,
                known: &self.alike.authenticators,
                context,
            },
            |kind, config, context| kind.bind(config, context),
        )?;
        let (key, references) = match (authorizer, authorizers) {
            (Some(_), Some(_)) => {
                let finding = Diagnostic::error("`authorizer` and `authorizers` are both set").hint("keep one of them");
                return Err(match written.node.entry("authorizers") {
                    Some(entry) => finding.at(&entry.key_origin),
                    None => finding,
                });
            }
            (Some(one), None) => ("authorizer", std::slice::from_ref(one)),
            (None, Some(list)) if !list.is_empty() => ("authorizers", list.as_slice()),
            (None, _) => {
                return Err(Diagnostic::error("`authorizer` is missing")
                    .hint("add `authorizer: {handler: allow}`")
                    .told(self.handlers.authorizers.none));
            }
        };
        let (authorizers, used_by_authorizers) = Self::bind_all(
            written,
            key,
            references,
            &Kinds {
                table: &self.handlers.authorizers,
                settings: &self.settings.authorizers,
                known: &self.alike.authorizers,
                context,
            },
            |kind, config, context| kind.bind(config, context),
        )?;
        let (mutators, used_by_mutators) = Self::bind_all(
            written,
            "mutators",
            self.handlers.mutators.required(mutators, "mutators")?,
            &Kinds {
                table: &self.handlers.mutators,
                settings: &self.settings.mutators,
                known: &self.alike.mutators,
                context,
            },
            |kind, config, context| kind.bind(config, context),
        )?;
        for (key, all, sets_headers) in [(key, &used_by_authorizers, false), ("mutators", &used_by_mutators, true)] {
            for (index, used) in all.iter().enumerate() {
                binding::check(used, upstream.as_ref(), sets_headers)
                    .map_err(|problem| problem.at(&written.place(key, index)))?;
            }
        }
        let injected = mutators.iter().zip(&used_by_mutators);
        let injected: Vec<String> =
            injected.flat_map(|(bound, used)| binding::injected(used, bound.handler.credential_headers())).collect();
        let is_bound = used_by_mutators.iter().any(|used| binding::is_bound(used));
        let reads_captures = authorizers.iter().any(|bound| bound.handler.reads_captures())
            || mutators.iter().any(|bound| bound.handler.reads_captures());
        let reads_body = authorizers.iter().any(|bound| bound.handler.reads_body());
        let written_headers: Vec<_> = mutators.iter().flat_map(|bound| bound.handler.written_headers()).collect();
        let credential_locations = credential_locations(authenticators.iter().map(|bound| &*bound.handler));
        Ok(Plan {
            authenticators,
            authorizers,
            mutators,
            upstream,
            reads_captures,
            reads_body,
            credential_locations: self.alike.credential_locations.copy_of(credential_locations),
            written_headers: self.alike.headers.copy_of(written_headers),
            injected: (!injected.is_empty()).then(|| self.alike.texts.copy_of(injected.join(","))),
            is_bound,
        })
    }

    /// A problem with a key that is a handler's setting, but stands beside its `config`, says where it belongs.
    fn with_place_of_setting(&self, mut problem: Diagnostic, rule: &Node) -> Diagnostic {
        let hint = |key: &str, item: &Node| {
            let Some(Value::String(id)) = item.get("handler").map(|node| &node.value) else { return None };
            let Value::Map(entries) = &item.value else { return None };
            let entry = entries.iter().find(|entry| problem.origin.as_ref() == Some(&entry.key_origin))?;
            match key {
                "authenticators" => self.handlers.authenticators.hint_for_misplaced(id, &entry.key),
                "mutators" => self.handlers.mutators.hint_for_misplaced(id, &entry.key),
                "errors" => self.handlers.error_handlers.hint_for_misplaced(id, &entry.key),
                _ => self.handlers.authorizers.hint_for_misplaced(id, &entry.key),
            }
        };
        let within = |key: &str| {
            let node = rule.get(key)?;
            match &node.value {
                Value::List(items) => items.iter().find_map(|item| hint(key, item)),
                _ => hint(key, node),
            }
        };
        let found = ["authenticators", "authorizer", "authorizers", "mutators", "errors"].into_iter().find_map(within);
        problem.hint = found.or(problem.hint);
        problem
    }

    /// Settings of handlers that count only in the configuration, written in a rule.
    fn without_effect(&self, rule: &RuleDefinition) -> Vec<Diagnostic> {
        let authorizers = rule.authorizer.iter().chain(rule.authorizers.iter().flatten());
        let mut findings = Vec::new();
        self.handlers.authenticators.global_only(rule.authenticators.iter().flatten(), &mut findings);
        self.handlers.authorizers.global_only(authorizers, &mut findings);
        self.handlers.mutators.global_only(rule.mutators.iter().flatten(), &mut findings);
        findings
    }

    /// Binds what a rule names under `key`.
    fn bind_all<K: HandlerKind + ?Sized, H: ?Sized>(
        written: &WrittenRule,
        key: &str,
        references: &[HandlerReference],
        kinds: &Kinds<'_, K, H>,
        bind: impl Fn(&K, &Node, &BindContext<'_>) -> Result<Box<H>, Diagnostic>,
    ) -> Result<BoundWithUses<H>, Diagnostic> {
        let Kinds { table, settings, known, context } = kinds;
        let bind_one = |(index, reference): (usize, &HandlerReference)| {
            let (id, handler, used) = known.get_or_bind(reference, context.warnings, context.uses, || {
                let origin = written.place(key, index);
                let (kind, config) = table.resolve(reference, settings, &origin)?;
                let id = kind.id();
                let handler = bind(kind, &config, context).map_err(|mut problem| {
                    problem.message = format!("{} `{id}`: {}", table.noun, problem.message);
                    problem.at(&origin).told(table.unusable)
                })?;
                Ok((id, handler))
            })?;
            Ok((Bound { id, handler }, used))
        };
        let bound = references.iter().enumerate().map(bind_one).collect::<Result<(Vec<_>, Vec<_>), Diagnostic>>()?;
        Ok((bound.0.into(), bound.1))
    }

    fn error_handler(
        &self,
        reference: &HandlerReference,
        origin: &Origin,
        context: &BindContext<'_>,
    ) -> Result<BoundErrorHandler, Diagnostic> {
        let table = &self.handlers.error_handlers;
        let (kind, mut config) = table.resolve(reference, &self.settings.error_handlers, origin)?;
        let when = match take(&mut config, "when") {
            Some(node) if !matches!(node.value, Value::Null) => When::compile(&node)?,
            _ => When::default(),
        };
        let handler = kind.bind(&config, context).map_err(|mut problem| {
            problem.message = format!("error handler `{}`: {}", kind.id(), problem.message);
            problem.at(origin).told(table.unusable)
        })?;
        Ok(BoundErrorHandler { id: kind.id(), when, handler })
    }
}

impl WrittenRule {
    /// Where the `index`th handler under `key` stands.
    fn place(&self, key: &str, index: usize) -> Origin {
        let Some(node) = self.node.get(key) else { return self.node.origin.clone() };
        match &node.value {
            Value::List(items) => items.get(index).map_or(&node.origin, |item| &item.origin).clone(),
            _ => node.origin.clone(),
        }
    }
}

fn compile_upstream(written: &WrittenRule, alike: &Alike) -> Result<Upstream, Diagnostic> {
    let definition = written.definition.upstream.clone().unwrap_or_default();
    let url = definition.url.unwrap_or_default();
    let strip_path = definition.strip_path.unwrap_or_default();
    let mut upstream = Upstream::parse(&url, &strip_path).map_err(|problem| {
        // The URL itself is not repeated: it may hold a password.
        let finding = Diagnostic::error(format!("`upstream.url` is not usable: {problem}"));
        match written.node.get("upstream.url") {
            Some(node) => finding.at(&node.origin),
            None => finding,
        }
    })?;
    upstream.share(&alike.destinations);
    upstream.preserve_host = definition.preserve_host.unwrap_or_default();
    upstream.forward_caller_credential = definition.forward_caller_credential.unwrap_or_default();
    upstream.allow_encoded_slashes = definition.allow_encoded_slashes.unwrap_or_default();
    upstream.upgrade =
        definition.upgrade.unwrap_or_default().iter().map(|protocol| protocol.to_ascii_lowercase()).collect();
    Ok(upstream)
}

/// A version that cannot be read leaves open what the rule means.
fn check_version(written: &WrittenRule) -> Result<(), Diagnostic> {
    match written.definition.version.as_deref().filter(|version| !version.is_empty()) {
        Some(version) if !is_version(version) => {
            let finding = Diagnostic::error(format!("`version` `{version}` is not a semantic version"));
            Err(written.node.get("version").map_or(finding.clone(), |node| finding.at(&node.origin)))
        }
        _ => Ok(()),
    }
}

fn take(map: &mut Node, key: &str) -> Option<Node> {
    let Value::Map(entries) = &mut map.value else { return None };
    let index = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(index).value)
}
