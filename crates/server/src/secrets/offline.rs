//! What secrets are to commands that serve nothing: files are read, and what would have to be asked over the
//! network has a stand-in.

use std::sync::Arc;
use std::time::Instant;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::secret::Secret;

use super::backend::Value;
use super::held::{Known, Outcome};
use super::kinds::Place;
use super::store::{Source, Sources};
use super::view::View;
use crate::config::settings::secrets::{SecretSettings, SourceSettings};

/// The version of stand-ins.
const OFFLINE: &str = "offline";

/// Everything that can be known without asking anybody.
pub fn view(settings: &SecretSettings) -> Arc<View> {
    sources(settings).view(Instant::now())
}

/// Files that cannot be read here and now. They may come later, so this stops nothing.
pub fn problems(settings: &SecretSettings) -> Vec<Diagnostic> {
    let of_source = |source: &Source| {
        let (cause, remedy) = source.problem()?;
        let finding = Diagnostic::warning(format!("secrets of {} cannot be read: {cause}", source.shown()));
        Some(remedy.into_iter().fold(finding.at(&source.settings.origin), Diagnostic::hint))
    };
    sources(settings).all.iter().filter_map(of_source).collect()
}

fn sources(settings: &SecretSettings) -> Sources {
    let read = |source: &SourceSettings| {
        let (outcome, is_real) = match &source.place {
            Place::Files(files) => (files.read(), true),
            Place::Asked { .. } => (stand_ins(source), false),
        };
        let known = Arc::new(Known::default().after(outcome, Instant::now()));
        let source = Source { settings: Arc::new(source.clone()), known };
        if is_real {
            source.hide();
        }
        source
    };
    Sources { max_stale: settings.max_stale, all: settings.sources.iter().map(read).collect() }
}

/// Rules can be compiled with them, and nothing is ever sent.
fn stand_ins(source: &SourceSettings) -> Outcome {
    let stand_in = |name: &str| Value { secret: Secret::new(format!("secret-{name}")), version: OFFLINE.to_owned() };
    Ok(source.secrets.iter().map(|secret| (secret.name.clone(), Ok(stand_in(&secret.name)))).collect())
}
