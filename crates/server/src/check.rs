//! Looks a configuration and its rules over without serving anything: `config check`, `rules lint`.

use std::collections::HashSet;
use std::path::PathBuf;

use keyward_core::diagnostic::{Diagnostic, Severity};

use crate::config::load::{Loaded, load};
use crate::config::notes::Note;
use crate::config::settings::Settings;
use crate::outside::Lasting;
use crate::repository::documents::Documents;
use crate::snapshot::{Built, Snapshot};

/// What was noticed about settings.
pub struct Checked {
    /// Findings in the configuration: warnings, and errors in what its rules use of it.
    pub findings: Vec<Diagnostic>,
    /// How many errors are in the rules themselves, unread repositories included.
    pub rule_errors: usize,
    /// Settings that mean something different from Oathkeeper.
    pub notes: Vec<Note>,
}

/// Loads and checks the settings, with what denials and rules use of them. The error is everything that is wrong
/// when nothing could be served.
pub fn settings(files: &[PathBuf], variables: &[(String, String)]) -> Result<Checked, Vec<Diagnostic>> {
    let Loaded { settings, warnings, notes } = load_named(files, variables)?;
    let built = compile(&settings)?;
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
    Ok(Checked { findings: [warnings, findings].concat(), rule_errors, notes })
}

/// Loads the settings and compiles every rule, without asking any key set.
pub fn rules(files: &[PathBuf], variables: &[(String, String)]) -> Result<(Loaded, Built), Vec<Diagnostic>> {
    let loaded = load_named(files, variables)?;
    let built = compile(&loaded.settings)?;
    Ok((loaded, built))
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
    let (documents, outside) = (Documents::offline(), Lasting::offline().under(settings));
    Snapshot::build(settings, &documents, settings.proxy.listener.port, &outside, 0).map_err(|problem| vec![problem])
}
