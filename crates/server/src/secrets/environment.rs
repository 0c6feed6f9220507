//! Where templates find `env`: a directory of files first, then the process environment.

use std::path::{Path, PathBuf};

use keyward_core::credential::{Absent, NamedSecret};
use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;

use super::mounted::Mounted;
use super::text;
use crate::redaction;

/// `secrets.env_dir` as it was at one moment, and the environment of this process.
#[derive(Clone, Debug)]
pub struct EnvironmentSecrets {
    directory: Option<PathBuf>,
    mounted: Mounted,
}

impl EnvironmentSecrets {
    /// A source over a directory with one file per variable, such as a mounted Kubernetes secret. Of that, what is found
    /// is of one version, whatever happens while it is used.
    pub fn new(directory: Option<PathBuf>) -> Self {
        let mounted = directory.as_deref().map(|directory| Mounted::look(directory, value)).unwrap_or_default();
        Self { directory, mounted }
    }

    fn find(&self, name: &str) -> Option<Secret> {
        let directory = self.directory.as_deref();
        if let Some(value) = directory.and_then(|directory| self.mounted.get(directory, name)) {
            return value.cloned();
        }
        match directory.and_then(|directory| existing(directory, name)) {
            // A file that is there but cannot be used must not bring an older value back.
            Some(path) => value(&path),
            None => std::env::var(name).ok().map(Secret::new),
        }
    }
}

impl SecretSource for EnvironmentSecrets {
    fn env(&self, name: &str) -> Option<Secret> {
        let found = self.find(name);
        redaction::known().learn(&format!("env {name}"), &found);
        found
    }

    fn secret(&self, _: &str) -> Result<NamedSecret, Absent> {
        Err(Absent { cause: "nothing but the environment is looked at here".to_owned(), remedy: None })
    }
}

/// A file that cannot be used is a variable without a value.
fn value(path: &Path) -> Option<Secret> {
    text::read(path).ok().map(|value| value.secret)
}

/// The file for a variable. Names that are no file names are looked up nowhere.
fn existing(directory: &Path, name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return None;
    }
    let path = directory.join(name);
    std::fs::symlink_metadata(&path).is_ok().then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::text::MAX_BYTES;
    use super::*;

    #[test]
    fn files_win_over_the_environment_and_nothing_outside_the_directory_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("env");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("PATH"), "from-file\n").unwrap();
        std::fs::write(directory.path().join("OUTSIDE"), "x").unwrap();
        let secrets = EnvironmentSecrets::new(Some(inner));
        assert_eq!(secrets.env("PATH").unwrap().expose(), "from-file");
        assert!(secrets.env("../OUTSIDE").is_none());
        assert_eq!(secrets.env("HOME").map(|home| home.expose().to_owned()), std::env::var("HOME").ok());
        assert!(secrets.env("KEYWARD_NO_SUCH_VARIABLE").is_none());
    }

    /// A name and its password that change together must not be told apart.
    #[test]
    fn what_is_found_in_a_mounted_secret_is_of_one_version() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mount = |version: &str| {
            std::fs::create_dir(at(version)).unwrap();
            for name in ["USER", "PASSWORD"] {
                std::fs::write(at(version).join(name), version).unwrap();
            }
            std::os::unix::fs::symlink(version, at("..data_tmp")).unwrap();
            std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        };
        mount("..1");
        for name in ["USER", "PASSWORD"] {
            std::os::unix::fs::symlink(format!("..data/{name}"), at(name)).unwrap();
        }
        std::fs::write(at("BESIDE"), "beside").unwrap();
        let of = |secrets: &EnvironmentSecrets, name| secrets.env(name).map(|value| value.expose().to_owned());
        let secrets = EnvironmentSecrets::new(Some(directory.path().to_owned()));
        assert_eq!(of(&secrets, "USER").as_deref(), Some("..1"));
        mount("..2");
        std::fs::remove_dir_all(at("..1")).unwrap();
        assert_eq!(of(&secrets, "PASSWORD").as_deref(), Some("..1"));
        let secrets = EnvironmentSecrets::new(Some(directory.path().to_owned()));
        assert_eq!(["USER", "PASSWORD"].map(|name| of(&secrets, name).unwrap()), ["..2", "..2"]);
        assert_eq!(of(&secrets, "BESIDE").as_deref(), Some("beside"));
        // What cannot be used there hides the variable, and what cannot be seen is not found.
        std::fs::write(at("..2").join("USER"), b"\xff").unwrap();
        std::fs::remove_file(at("PASSWORD")).unwrap();
        let secrets = EnvironmentSecrets::new(Some(directory.path().to_owned()));
        assert_eq!((of(&secrets, "USER"), of(&secrets, "PASSWORD")), (None, None));
    }

    #[test]
    fn a_file_that_cannot_be_used_hides_the_variable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("PATH");
        let secrets = EnvironmentSecrets::new(Some(directory.path().to_owned()));
        assert!(secrets.env("PATH").is_some());
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(secrets.env("PATH").is_none());
        std::fs::write(&path, "x".repeat(MAX_BYTES as usize + 1)).unwrap();
        assert!(secrets.env("PATH").is_none());
        for target in ["/dev/zero", "/nonexistent"] {
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink(target, &path).unwrap();
            assert!(secrets.env("PATH").is_none(), "{target}");
        }
    }
}
