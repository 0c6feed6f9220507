//! Looks a configuration and its rules over without serving anything: `config check`, `rules lint`.

use std::path::PathBuf;

use keyward_core::diagnostic::Diagnostic;

use crate::config::load::{Loaded, load};
use crate::config::notes::Note;
use crate::config::settings::Settings;
use crate::outside::Lasting;
use crate::repository::documents::Documents;
use crate::snapshot::{Built, Snapshot};

/// What was noticed about usable settings.
pub struct Checked {
    /// Findings that do not stop anything.
    pub warnings: Vec<Diagnostic>,
    /// Settings that mean something different from Oathkeeper.
    pub notes: Vec<Note>,
}

/// Loads and checks the settings alone, with what every denial may need of them. The error is everything that
/// is wrong.
pub fn settings(files: &[PathBuf], variables: &[(String, String)]) -> Result<Checked, Vec<Diagnostic>> {
    let Loaded { settings, warnings, notes } = load(files, variables)?;
    compile(&Settings { repositories: Vec::new(), ..settings })?;
    Ok(Checked { warnings, notes })
}

/// Loads the settings and compiles every rule, without asking any key set.
pub fn rules(files: &[PathBuf], variables: &[(String, String)]) -> Result<(Loaded, Built), Vec<Diagnostic>> {
    let loaded = load(files, variables)?;
    let built = compile(&loaded.settings)?;
    Ok((loaded, built))
}

fn compile(settings: &Settings) -> Result<Built, Vec<Diagnostic>> {
    let (documents, outside) = (Documents::offline(), Lasting::offline().under(settings));
    Snapshot::build(settings, &documents, settings.proxy.listener.port, &outside, 0).map_err(|problem| vec![problem])
}
