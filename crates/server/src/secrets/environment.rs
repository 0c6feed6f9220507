//! Where templates find `env`: a directory of files first, then the process environment.

use std::path::{Path, PathBuf};

use keyward_core::credential::{Absent, NamedSecret};
use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;

use super::text;

/// `secrets.env_dir` and the environment of this process.
#[derive(Clone, Debug)]
pub struct EnvironmentSecrets {
    directory: Option<PathBuf>,
}

impl EnvironmentSecrets {
    /// A source over a directory with one file per variable, such as a mounted Kubernetes secret.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self { directory }
    }
}

impl SecretSource for EnvironmentSecrets {
    fn env(&self, name: &str) -> Option<Secret> {
        match self.directory.as_deref().and_then(|directory| existing(directory, name)) {
            // A file that is there but cannot be used must not bring an older value back.
            Some(path) => text::read(&path).ok().map(|value| value.secret),
            None => std::env::var(name).ok().map(Secret::new),
        }
    }

    fn secret(&self, _: &str) -> Result<NamedSecret, Absent> {
        Err(Absent { cause: "nothing but the environment is looked at here".to_owned(), remedy: None })
    }
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
