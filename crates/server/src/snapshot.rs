//! Everything a request is judged by, compiled: immutable, and replaced as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderValue;
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::Value;
use keyward_core::gate::GatePolicy;
use keyward_core::pipeline::shared::Shared;
use keyward_core::ports::{Outside, SigningSource};
use keyward_core::rule::alike::Alike;
use keyward_core::rule::compile::{BoundErrorHandler, Compiler};
use keyward_core::rule::rule_set::{Authorities, RuleSet};
use keyward_core::rule::{Rule, model};
use keyward_handlers::TABLES;

use crate::config::file::MatchAuthority;
use crate::config::settings::Settings;
use crate::courtesy::Courtesy;
use crate::repository::documents::{Documents, FileTexts};

/// The rules in use, with what surrounds them.
pub struct Snapshot {
    /// The rules.
    pub rules: RuleSet,
    /// Error handlers for what no rule's own answer.
    pub fallback: Vec<BoundErrorHandler>,
    /// What the gate lets through.
    pub gate: GatePolicy,
    /// Counts replacements in this process.
    pub generation: u64,
    /// The longest request body that is held in memory for a handler that reads it.
    pub max_held_body_bytes: u64,
    /// Repositories whose rules are missing, since they could not be read.
    pub missing: Vec<String>,
    /// One of those is behind a URL. Without it nobody is judged: who comes is to go to another server, which has all rules.
    pub is_unfetched: bool,
    /// Documents that say nothing, not even that there are no rules.
    pub silent: Vec<Silent>,
    /// The version of the rules, where answers carry it.
    pub version_header: Option<HeaderValue>,
    /// Keys that are signed with, whose public halves are published.
    pub signing: Vec<Arc<dyn SigningSource>>,
    /// Where those are of which no rule makes use.
    pub idle_signing: Option<String>,
}

/// A document that says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    /// The URL of its repository.
    pub repository: String,
    /// As it may be shown.
    pub place: String,
}

/// A snapshot with what was noticed on the way.
pub struct Built {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Errors name rules that deny; warnings do not stop anything.
    pub findings: Vec<Diagnostic>,
    /// Why the snapshot's `missing` repositories could not be read, in the same order.
    pub unread: Vec<Diagnostic>,
    /// Where each rule of the snapshot is written.
    pub places: Vec<Origin>,
    /// What the rule files say.
    pub files: Arc<FileTexts>,
}

impl Snapshot {
    /// Reads every repository, remote ones from `documents`, files where these do not have them, and compiles every rule.
    /// `own_port` is the port the proxy really listens on; `courtesy` is shown to others after each rule. An error means
    /// that the settings themselves cannot be used.
    pub fn build(
        settings: &Settings,
        documents: &Documents,
        own_port: u16,
        outside: &Outside,
        generation: u64,
        courtesy: &Courtesy,
    ) -> Result<Built, Diagnostic> {
        let compiler = Compiler {
            handlers: TABLES,
            settings: &settings.handlers,
            strategy: settings.strategy,
            outside,
            shared: Shared::default(),
            alike: Alike::default(),
        };
        let fallback = compiler.fallback(&settings.fallback)?;
        let (mut findings, mut unread, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_unfetched = false;
        let (mut silent, mut files) = (Vec::new(), FileTexts::new());
        let mut digest = Context::new(&SHA256);
        let (mut rules, mut places) = (Vec::new(), Vec::new());
        for repository in &settings.repositories {
            if repository.remote().is_some() && documents.are_offline() {
                let finding = Diagnostic::warning("these rules are fetched by `serve` only, and not looked at here");
                findings.push(finding.at(&Origin::whole(repository.name())));
                continue;
            }
            let (rules_before, findings_before) = (rules.len(), findings.len());
            let read = repository.read(documents, courtesy, &mut |node, doubled| {
                courtesy.give_way();
                places.push(node.origin.clone());
                let number = u32::try_from(rules.len()).unwrap_or(u32::MAX);
                rules.push(Arc::new(compiler.compile(number, &model::read_rule(node, doubled)?, &mut findings)));
                Ok(())
            });
            match read {
                Ok(own) => {
                    digest.update(own.digest.as_ref());
                    let of = |place| Silent { repository: repository.text().to_owned(), place };
                    silent.extend(own.silent.into_iter().map(of));
                    files.insert(repository.text().to_owned(), own.files);
                }
                Err(problem) => {
                    rules.truncate(rules_before);
                    places.truncate(rules_before);
                    findings.truncate(findings_before);
                    is_unfetched |= repository.remote().is_some();
                    unread.push(problem);
                    missing.push(repository.text().to_owned());
                }
            }
        }
        findings.extend(repeated_ids(&rules, &places, courtesy));
        let authorities = match settings.match_authority {
            MatchAuthority::Strict => Authorities::default(),
            MatchAuthority::Loopback => {
                Authorities { own_port: Some(own_port), names: settings.proxy.authorities.clone() }
            }
        };
        let version = hex(&digest.finish().as_ref()[..8]);
        let shown = settings.proxy.rules_version_header;
        let version_header = shown.then(|| HeaderValue::from_str(&version).ok()).flatten();
        let (signing, idle_signing) = signing_sources(settings, &rules, outside);
        Ok(Built {
            snapshot: Snapshot {
                rules: RuleSet::new(rules, authorities, version, &|| courtesy.give_way()),
                fallback,
                gate: settings.proxy.gate.clone(),
                generation,
                max_held_body_bytes: settings.proxy.max_held_body_bytes,
                missing,
                is_unfetched,
                silent,
                version_header,
                signing,
                idle_signing,
            },
            findings,
            unread,
            places,
            files: documents.files().cloned().unwrap_or_else(|| Arc::new(files)),
        })
    }

    /// How many rules deny everything.
    pub fn broken_rules(&self) -> usize {
        self.rules.rules().iter().filter(|rule| rule.broken().is_some()).count()
    }
}

fn repeated_ids(rules: &[Arc<Rule>], places: &[Origin], courtesy: &Courtesy) -> Vec<Diagnostic> {
    let mut first = HashMap::new();
    let mut findings = Vec::new();
    for (rule, place) in rules.iter().zip(places).filter(|(rule, _)| !rule.id().is_empty()) {
        courtesy.give_way();
        if let Some(other) = first.get(rule.id()) {
            let finding = Diagnostic::warning(format!("rule id `{}` is used more than once", rule.id()));
            findings.push(finding.at(place).hint(format!("the other one is at {other}")));
        } else {
            first.insert(rule.id().clone(), place);
        }
    }
    findings
}

/// The rules' own, and before them the global setting's, whether a rule uses it or not (serving spec 7.7); its location
/// too when none does.
fn signing_sources(
    settings: &Settings,
    rules: &[Arc<Rule>],
    outside: &Outside,
) -> (Vec<Arc<dyn SigningSource>>, Option<String>) {
    let mut sources: Vec<Arc<dyn SigningSource>> = Vec::new();
    for source in rules.iter().flat_map(|rule| rule.signing_sources()) {
        if !sources.iter().any(|known| Arc::ptr_eq(known, source)) {
            sources.push(source.clone());
        }
    }
    let global = settings.handlers.mutators.get("id_token").filter(|setting| setting.enabled);
    let url = global.and_then(|setting| setting.config.get("jwks_url")).map(|node| &node.value);
    let Some(Value::String(url)) = url else { return (sources, None) };
    // A location that cannot be used is reported by the rules that use it.
    let Ok(source) = outside.keys.open_signing(url) else { return (sources, None) };
    match sources.iter().position(|known| Arc::ptr_eq(known, &source)) {
        Some(place) => {
            sources[..=place].rotate_right(1);
            (sources, None)
        }
        None => {
            sources.insert(0, source);
            (sources, Some(url.clone()))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
