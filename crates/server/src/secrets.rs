//! Where templates find `env`: a directory of files first, then the process environment.

use std::path::{Path, PathBuf};

use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;

/// The largest file that is taken for a secret.
const MAX_BYTES: u64 = 1024 * 1024;

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
        self.directory
            .as_deref()
            .and_then(|directory| from_file(directory, name))
            .or_else(|| std::env::var(name).ok().map(Secret::new))
    }
}

/// One trailing line feed is an editor's, not the secret's. Names that are no file names are looked up
/// nowhere.
fn from_file(directory: &Path, name: &str) -> Option<Secret> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return None;
    }
    let path = directory.join(name);
    if std::fs::metadata(&path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Some(Secret::new(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
}
