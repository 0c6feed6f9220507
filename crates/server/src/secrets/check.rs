//! Tries every source for real, and says what is there: `keyward secrets check`.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use keyward_core::credential::Absent;
use keyward_core::diagnostic::Diagnostic;

use super::backend::Failure;
use super::files::Files;
use super::held::Known;
use super::store::{SecretStore, Source, Sources};
use crate::config::settings::Settings;
use crate::upstream::outbound::Outbound;
use crate::upstream::tls::install_provider;

/// One secret, or a source of which nothing could be read. Never holds a value.
#[derive(Clone, Debug)]
pub struct Row {
    /// What templates call it: `env:NAME` for what `env` finds; none for a whole source.
    pub name: Option<String>,
    /// Where it is from.
    pub source: String,
    /// Its version, as the source counts them.
    pub version: Option<String>,
    /// How long ago that version was written, where the version says when.
    pub age: Option<Duration>,
    /// Why there is no value, and what to do about it.
    pub problem: Option<Failure>,
}

impl Row {
    fn sound(name: String, source: String, version: String) -> Self {
        let age = age(&version);
        Self { name: Some(name), source, version: Some(version), age, problem: None }
    }

    fn failed(name: Option<String>, source: String, problem: Failure) -> Self {
        Self { name, source, version: None, age: None, problem: Some(problem) }
    }
}

/// Makes one attempt at every source. The error is about settings that cannot be used. Must be run inside a
/// `LocalSet`.
pub async fn check(settings: &Settings) -> Result<Vec<Row>, Diagnostic> {
    install_provider();
    let client = Outbound::new(&settings.proxy.upstream)?.http_client();
    let all = SecretStore::default().renewed(&settings.secrets, &client).await;
    let mut rows = of_environment(settings);
    let view = Sources { max_stale: settings.secrets.max_stale, all: all.clone() }.view(Instant::now());
    for source in &all {
        let names = source.names();
        if let (Some(failure), true) = (&source.known.failure, names.is_empty()) {
            rows.push(Row::failed(None, source.shown(), failure.clone()));
        }
        rows.extend(names.iter().map(|name| match view.find(name) {
            Ok(secret) => Row::sound(name.to_string(), source.shown(), secret.version.to_string()),
            Err(absent) => Row::failed(Some(name.to_string()), source.shown(), problem(source, name, absent)),
        }));
    }
    Ok(rows)
}

/// What went wrong, without the name of the source, which stands beside it.
fn problem(source: &Source, name: &str, absent: Absent) -> Failure {
    let own = source.known.problem(name).cloned();
    own.unwrap_or(Failure { cause: absent.cause, remedy: absent.remedy })
}

/// The files of `secrets.env_dir`.
fn of_environment(settings: &Settings) -> Vec<Row> {
    let Some(directory) = &settings.env_dir else { return Vec::new() };
    let source = || format!("env_dir `{}`", directory.display());
    let known = Known::default().after(Files::Directory(directory.clone()).read(), Instant::now());
    let sound = known.values.iter().map(|(name, held)| (name, Ok(held.version.to_string())));
    let failed = known.problems.iter().map(|(name, problem)| (name, Err(problem.clone())));
    let mut rows: Vec<Row> = sound
        .chain(failed)
        .map(|(name, found)| match found {
            Ok(version) => Row::sound(format!("env:{name}"), source(), version),
            Err(problem) => Row::failed(Some(format!("env:{name}")), source(), problem),
        })
        .collect();
    rows.extend(known.failure.map(|failure| Row::failed(None, source(), failure)));
    rows
}

/// For versions that are times, such as those of files.
fn age(version: &str) -> Option<Duration> {
    let written: Timestamp = version.parse().ok()?;
    Duration::try_from(Timestamp::now().duration_since(written)).ok()
}
