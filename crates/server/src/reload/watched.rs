//! The files that decide what is served, and whether they have changed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::config::settings::Settings;
use crate::config::settings::listeners::{ListenerSettings, TlsFiles};
use crate::file_identity::FileIdentity;
use crate::issuer::settings::{IssuerMode, IssuerSettings};
use crate::repository::Repository;
use crate::secrets::kinds::Place;

/// The files that decide what is served.
#[derive(PartialEq, Eq)]
pub(super) struct Watched {
    files: Vec<PathBuf>,
    /// Files, or directories of files, with rules.
    repositories: Vec<PathBuf>,
    directory: Option<PathBuf>,
    /// Where files of secrets are. They decide nothing but values, and are compared by who reads them.
    secrets: Vec<PathBuf>,
}

impl Watched {
    pub(super) fn of(configuration: &[PathBuf], settings: &Settings) -> Self {
        let mut files = configuration.to_vec();
        let repositories = settings.repositories.iter().filter_map(|repository| repository.file().map(Path::to_owned));
        files.extend(settings.repositories.iter().filter_map(Repository::signature_file));
        files.extend(settings.proxy.upstream.ca_files.iter().cloned());
        for listener in [&settings.proxy.listener, &settings.api.listener, &settings.metrics.listener] {
            files.extend(certificates(listener));
        }
        files.extend(settings.issuer.iter().flat_map(of_issuer));
        Self {
            files,
            repositories: repositories.collect(),
            directory: settings.env_dir.clone(),
            secrets: of_secrets(settings),
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let files: Vec<PathBuf> = self.files.iter().chain(&self.repositories).cloned().collect();
        let directories: Vec<PathBuf> = self.directories().map(Path::to_owned).collect();
        fingerprint(&files, &directories)
    }

    /// Whatever is in these counts.
    fn directories(&self) -> impl Iterator<Item = &Path> {
        let of_rules = self.repositories.iter().filter(|path| path.is_dir());
        self.directory.iter().chain(of_rules).map(PathBuf::as_path)
    }
}

/// Changes when a file, or one in a directory, is written or replaced: size, time of change and identity,
/// following links, so that a mounted directory whose link is swapped counts.
pub(super) fn fingerprint(files: &[PathBuf], directories: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut add = |path: &Path| {
        path.hash(&mut hasher);
        if let Ok(found) = std::fs::metadata(path) {
            FileIdentity::of(&found).hash(&mut hasher);
        }
    };
    files.iter().for_each(|path| add(path));
    for directory in directories {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().for_each(|path| add(path));
    }
    hasher.finish()
}

/// The directories in which sources of secrets have files.
fn of_secrets(settings: &Settings) -> Vec<PathBuf> {
    let watched = settings.secrets.sources.iter().filter_map(|source| match &source.place {
        Place::Files(files) => files.watched(),
        Place::Asked { .. } => None,
    });
    let directory = |(path, is_directory): (&Path, bool)| match is_directory {
        true => Some(path.to_owned()),
        false => path.parent().map(Path::to_owned),
    };
    watched.filter_map(directory).collect()
}

fn certificates(listener: &ListenerSettings) -> Vec<PathBuf> {
    match &listener.tls {
        Some(TlsFiles::Paths { cert, key }) => vec![cert.clone(), key.clone()],
        _ => Vec::new(),
    }
}

/// Certificate, keys, and clients' secrets.
fn of_issuer(issuer: &IssuerSettings) -> Vec<PathBuf> {
    let mut files = certificates(&issuer.listener);
    files.extend(issuer.keys.iter().map(|key| key.path.clone()));
    if let IssuerMode::Closed { clients } = &issuer.mode {
        files.extend(clients.iter().filter_map(|client| client.secret_path.as_ref().map(PathBuf::from)));
    }
    files
}

/// Tells when something in a watched directory has changed.
pub(super) fn watcher(sender: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let changed = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full queue means that a change is waiting already.
            let _ = sender.try_send(());
        }
    };
    notify::recommended_watcher(changed)
        .inspect_err(|error| tracing::warn!(%error, "file changes are found by comparing, every two seconds"))
        .ok()
}

/// Directories are watched, not files: editors and mounts replace files.
pub(super) fn watch(watcher: &mut Option<RecommendedWatcher>, watched: &Watched) {
    let Some(watcher) = watcher else { return };
    let parents = watched.files.iter().chain(&watched.repositories).filter_map(|path| path.parent());
    let secrets = watched.secrets.iter().map(PathBuf::as_path);
    for directory in parents.chain(watched.directories()).chain(secrets) {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        // A directory that cannot be watched is still compared.
        let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
    }
}
