//! A configuration file that is empty of a sudden was cut off, by a full disk or by who writes it in place.

use keyward_core::diagnostic::{Diagnostic, Origin};

use crate::config::load::Loaded;
use crate::config::settings::Settings;

/// Refuses what was loaded when a file says nothing now that said something before.
pub(super) fn refuse(before: &Settings, loaded: Loaded) -> Result<Loaded, Vec<Diagnostic>> {
    let said_something = |path: &&std::path::PathBuf| !before.empty_files.contains(path);
    match loaded.settings.empty_files.iter().find(said_something) {
        None => Ok(loaded),
        Some(path) => Err(vec![
            Diagnostic::error("the file is empty")
                .at(&Origin::whole(path.display().to_string()))
                .hint("write `{}` to go back to the defaults"),
        ]),
    }
}
