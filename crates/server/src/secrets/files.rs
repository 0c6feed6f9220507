//! Secrets in files: one, a directory of them, and what systemd passes to a service.

use std::path::{Path, PathBuf};

use keyward_core::diagnostic::Diagnostic;

use super::backend::{Failure, Fetched};
use super::kinds::{Place, Written};
use super::text;

/// The variable in which systemd passes the directory of credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// So many files of a directory are secrets at most.
const MAX_FILES: usize = 4096;

/// Which files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// One, with the name that templates use.
    One {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// All of a directory.
    Directory(PathBuf),
    /// All of the directory that systemd names; none where it names none.
    Systemd(Option<PathBuf>),
}

/// `file: PATH`
pub(super) fn one(written: &Written<'_>) -> Result<Place, Diagnostic> {
    let path = path(written.file.file.as_deref())?;
    let name = match written.file.name.clone().filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => match path.file_name().and_then(|name| name.to_str()) {
            Some(name) => name.to_owned(),
            None => return Err(Diagnostic::error("the secret has no name").hint("add `name: NAME`")),
        },
    };
    Ok(Place::Files(Files::One { name, path }))
}

/// `directory: PATH`
pub(super) fn directory(written: &Written<'_>) -> Result<Place, Diagnostic> {
    path(written.file.directory.as_deref()).map(|path| Place::Files(Files::Directory(path)))
}

/// `systemd: true`
pub(super) fn systemd(written: &Written<'_>) -> Result<Place, Diagnostic> {
    if written.file.systemd == Some(false) {
        return Err(Diagnostic::error("`systemd: false` names no place").hint("remove it, or write `systemd: true`"));
    }
    let directory = std::env::var_os(CREDENTIALS_DIRECTORY).filter(|path| !path.is_empty());
    Ok(Place::Files(Files::Systemd(directory.map(PathBuf::from))))
}

fn path(written: Option<&str>) -> Result<PathBuf, Diagnostic> {
    match written {
        None | Some("") => Err(Diagnostic::error("it names no path")),
        Some(path) => Ok(path.into()),
    }
}

impl Files {
    /// What messages and metrics call it.
    pub fn name(&self) -> String {
        match self {
            Self::One { name, .. } => name.clone(),
            Self::Directory(path) => path.display().to_string(),
            Self::Systemd(_) => "systemd".to_owned(),
        }
    }

    /// The name of its only secret, where it has but one.
    pub fn only_name(&self) -> Option<&str> {
        match self {
            Self::One { name, .. } => Some(name),
            Self::Directory(_) | Self::Systemd(_) => None,
        }
    }

    /// What is watched for changes: a file, or a directory with all that is in it.
    pub fn watched(&self) -> Option<(&Path, bool)> {
        match self {
            Self::One { path, .. } => Some((path, false)),
            Self::Directory(path) => Some((path, true)),
            Self::Systemd(path) => path.as_deref().map(|path| (path, true)),
        }
    }

    /// Reads them all, by name. The error is about all of them.
    pub fn read(&self) -> Result<Vec<(String, Fetched)>, Failure> {
        match self {
            Self::One { name, path } => Ok(vec![(name.clone(), text::read(path))]),
            Self::Directory(path) => read_all(path),
            Self::Systemd(Some(path)) => read_all(path),
            Self::Systemd(None) => Err(Failure::new(format!("`{CREDENTIALS_DIRECTORY}` is not set"))
                .remedy("run Keyward as a service of systemd with `LoadCredential=` or `SetCredential=`")),
        }
    }
}

/// The link that a Kubernetes mount swaps when all files change at once.
const DATA: &str = "..data";
/// So often is a directory read anew that changes meanwhile.
const ATTEMPTS: usize = 5;

/// All files of one version of a directory: names that belong together must not be mixed.
fn read_all(directory: &Path) -> Result<Vec<(String, Fetched)>, Failure> {
    let version = || std::fs::read_link(directory.join(DATA)).ok();
    for _ in 0..ATTEMPTS {
        let before = version();
        let found = read_each(directory)?;
        if version() == before {
            return Ok(found);
        }
    }
    Err(Failure::new(format!("`{}` changes faster than it can be read", directory.display())))
}

fn read_each(directory: &Path) -> Result<Vec<(String, Fetched)>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("`{}`: {error}", directory.display()))
            .remedy("check the path, and that Keyward's user may read the directory")
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // A mount keeps its versions under names with a dot; a directory is no secret.
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        if path.is_dir() {
            continue;
        }
        if found.len() == MAX_FILES {
            return Err(Failure::new(format!("`{}` holds more than {MAX_FILES} files", directory.display())));
        }
        found.push((name.to_owned(), text::read(&path)));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
