//! Looks a configuration and its rules over without serving anything: `config check`, `rules lint`.

mod callers;
mod copies;
mod ports;
mod slashes;
mod upgrades;

use std::collections::HashSet;
use std::path::PathBuf;

use keyward_core::diagnostic::{Diagnostic, Severity};
use keyward_core::document::{Node, Value};
use keyward_core::secret::shown_url;

use crate::config::load::{Loaded, load};
use crate::config::notes::Note;
use crate::config::settings::Settings;
use crate::courtesy::Courtesy;
use crate::outside::Lasting;
use crate::repository::documents::Documents;
use crate::secrets::offline;
use crate::snapshot::{Built, Snapshot};

/// What was noticed about settings.
pub struct Checked {
    /// Findings in the configuration: warnings, and errors in what its rules use of it.
    pub findings: Vec<Diagnostic>,
    /// How many errors are in the rules themselves, unread repositories included.
    pub rule_errors: usize,
    /// Settings, and requests to rules, that mean something different from Oathkeeper.
    pub notes: Vec<Note>,
}

/// What was noticed about rules.
pub struct Linted {
    /// The settings.
    pub loaded: Loaded,
    /// The rules.
    pub built: Built,
    /// Where requests to a rule come out differently from Oathkeeper: one of a kind for each rule, and one for all rules
    /// that leave a path with a slash to nobody.
    pub notes: Vec<Note>,
}

/// Loads and checks the settings, with what denials and rules use of them. The error is everything that is wrong
/// when nothing could be served.
pub fn settings(files: &[PathBuf], variables: &[(String, String)]) -> Result<Checked, Vec<Diagnostic>> {
    let Loaded { settings, warnings, mut notes } = load_named(files, variables)?;
    let built = compile(&settings)?;
    let slashes = slashes::look(&built, settings.strategy);
    notes.extend(in_short(callers::unknown(&built)));
    notes.extend(in_short(callers::told(&built)));
    notes.extend(in_short([slashes.lost, slashes.unserved].concat()));
    notes.extend(slashes.gained);
    notes.extend(in_short(upgrades::notes(&built)));
    let elsewhere = ports::elsewhere(&built, &settings);
    let sources: HashSet<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .chain(variables.iter().map(|(name, _)| format!("environment variable `{name}`")))
        .collect();
    let is_here = |finding: &Diagnostic| finding.origin.as_ref().is_some_and(|at| sources.contains(&*at.source));
    let (mut findings, rules): (Vec<_>, Vec<_>) = built.findings.into_iter().partition(is_here);
    // Every rule that uses a setting says the same about it.
    let mut said = HashSet::new();
    findings.retain(|finding| said.insert((finding.origin.clone(), finding.severity)));
    let rule_errors = rules.iter().filter(|finding| finding.severity == Severity::Error).count() + built.unread.len();
    findings.extend(elsewhere);
    findings.extend(offline::problems(&settings.secrets));
    findings.extend(settings.cache_dir.as_deref().and_then(copies::problem));
    Ok(Checked { findings: [warnings, findings].concat(), rule_errors, notes })
}

/// Loads the settings and compiles every rule, without asking any key set.
pub fn rules(files: &[PathBuf], variables: &[(String, String)]) -> Result<Linted, Vec<Diagnostic>> {
    let loaded = load_named(files, variables)?;
    let mut built = compile(&loaded.settings)?;
    built.findings.extend(ports::elsewhere(&built, &loaded.settings));
    let slashes = slashes::look(&built, loaded.settings.strategy);
    let mut notes = [callers::unknown(&built), slashes.lost].concat();
    notes.extend(in_short(slashes.unserved));
    Ok(Linted { loaded, built, notes })
}

/// The first of the notes that say the same of several rules.
fn in_short(notes: Vec<Note>) -> Option<Note> {
    let others = notes.len().saturating_sub(1);
    let mut first = notes.into_iter().next()?;
    if others > 0 {
        first.finding.message.push_str(&format!(", and so with {others} more"));
    }
    Some(first)
}

/// Loads the settings. Without a file it is most likely the option that was forgotten, and nothing is looked at.
fn load_named(files: &[PathBuf], variables: &[(String, String)]) -> Result<Loaded, Vec<Diagnostic>> {
    let mut loaded = load(files, variables)?;
    if files.is_empty() {
        let finding =
            Diagnostic::warning("no configuration file is named: only the defaults and the environment are looked at");
        loaded.warnings.push(finding.hint("name it with `-c FILE`"));
    }
    Ok(loaded)
}

fn compile(settings: &Settings) -> Result<Built, Vec<Diagnostic>> {
    let (documents, lasting) = (Documents::offline(), Lasting::offline(settings));
    let outside = lasting.under(settings);
    let mut built = Snapshot::build(settings, &documents, settings.proxy.listener.port, &outside, 0, &Courtesy::none())
        .map_err(|problem| vec![problem])?;
    for (url, problem) in lasting.keys.absent_files() {
        let is_idle = built.snapshot.idle_signing.as_ref() == Some(&url);
        built.findings.push(absent_key_set(settings, &url, &problem, is_idle));
    }
    Ok(built)
}

/// The file may come later, so this stops nothing.
fn absent_key_set(settings: &Settings, url: &str, problem: &str, is_idle: bool) -> Diagnostic {
    let finding = Diagnostic::warning(format!("the key set `{}` cannot be read: {problem}", shown_url(url)));
    let finding = finding.hint(match is_idle {
        true => "no rule uses it: remove `jwks_url`, or switch `id_token` off",
        false => "rules that use it deny, and the server is not ready, until it is there",
    });
    let handlers = &settings.handlers;
    let mut all = handlers.authenticators.values().chain(handlers.mutators.values());
    match all.find_map(|setting| text_in(&setting.config, url)) {
        Some(node) => finding.at(&node.origin),
        None => finding,
    }
}

/// Where a text stands.
fn text_in<'n>(node: &'n Node, text: &str) -> Option<&'n Node> {
    match &node.value {
        Value::String(value) => (value == text).then_some(node),
        Value::List(items) => items.iter().find_map(|item| text_in(item, text)),
        Value::Map(entries) => entries.iter().find_map(|entry| text_in(&entry.value, text)),
        _ => None,
    }
}
