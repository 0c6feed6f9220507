//! Secrets in files: one, a directory of them, and what systemd passes to a service.

use std::path::{Path, PathBuf};

use keyward_core::diagnostic::Diagnostic;

use super::backend::{Failure, Fetched};
use super::kinds::{Place, Written};
use super::mounted::at_one_moment;
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

/// All files of one version of a directory: names that belong together must not be mixed.
fn read_all(directory: &Path) -> Result<Vec<(String, Fetched)>, Failure> {
    at_one_moment(directory, |_| read_each(directory))
        .unwrap_or_else(|| Err(Failure::new(format!("`{}` changes faster than it can be read", directory.display()))))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(found: &[(String, Fetched)]) -> Vec<&str> {
        found.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn files_of_a_mounted_directory_are_of_one_version_while_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mount = |version: usize| {
            let data = format!("..{version}");
            fs::create_dir(at(&data)).unwrap();
            for name in ["password", "user"] {
                fs::write(at(&data).join(name), version.to_string()).unwrap();
            }
            symlink(&data, at("..data_tmp")).unwrap();
            fs::rename(at("..data_tmp"), at("..data")).unwrap();
            if version > 0 {
                fs::remove_dir_all(at(&format!("..{}", version - 1))).unwrap();
            }
        };
        mount(0);
        for name in ["password", "user"] {
            symlink(format!("..data/{name}"), at(name)).unwrap();
        }
        let files = Files::Directory(directory.path().to_owned());
        std::thread::scope(|scope| {
            let changing = scope.spawn(|| (1..300).for_each(mount));
            while !changing.is_finished() {
                // A directory that changes all the time is a failure, and never a mixture.
                let Ok(found) = files.read() else { continue };
                assert_eq!(names(&found), ["password", "user"]);
                let values: Vec<&str> =
                    found.iter().map(|(_, value)| value.as_ref().unwrap().secret.expose()).collect();
                assert_eq!(values[0], values[1]);
            }
        });
    }

    #[test]
    fn what_is_no_secret_is_passed_over_and_what_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("directory")).unwrap();
        fs::write(at(".hidden"), "x").unwrap();
        fs::write(at("good"), "x\r\n").unwrap();
        fs::write(at("binary"), b"\xff").unwrap();
        fs::write(at("long"), "x".repeat(text::MAX_BYTES as usize + 1)).unwrap();
        symlink(at("nowhere"), at("broken")).unwrap();
        let found = Files::Directory(directory.path().to_owned()).read().unwrap();
        assert_eq!(names(&found), ["binary", "broken", "good", "long"]);
        let problems = ["is not UTF-8", "No such file", "", "larger than 1 MiB"];
        for ((name, fetched), problem) in found.iter().zip(problems) {
            match fetched {
                Ok(value) => assert_eq!((value.secret.expose(), problem), ("x", ""), "{name}"),
                Err(failure) => assert!(failure.cause.contains(problem), "{name}: {failure}"),
            }
        }
        assert!(Files::Directory(at("nowhere")).read().is_err());
        assert!(Files::Systemd(None).read().is_err());
    }
}
