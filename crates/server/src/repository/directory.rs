//! `file://` that names a directory: every rule file in it makes one repository.

use std::path::{Path, PathBuf};

use keyward_core::diagnostic::{Diagnostic, Origin};

use crate::file_identity::FileIdentity;

/// What names of rule files end in.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
/// The most rule files that a directory may hold.
const MAX_FILES: usize = 1024;

/// The rule files of a directory as they were at one time.
#[derive(PartialEq, Eq)]
pub(super) struct Listing(Vec<(PathBuf, FileIdentity)>);

impl Listing {
    /// Looks into a directory, and not into directories in it. Sorted by name. Hidden files are left out, which are
    /// those that editors and mounts of Kubernetes (`..data`) make. Having none is an error: a mount may be missing.
    pub(super) fn of(directory: &Path) -> Result<Self, Diagnostic> {
        let place = Origin::whole(directory.display().to_string());
        let failed = |error: std::io::Error| {
            let finding = Diagnostic::error(format!("the directory of rules cannot be read: {error}")).at(&place);
            finding.hint("check the path and its permissions")
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if !is_rule_file(&path) {
                continue;
            }
            let found = std::fs::metadata(&path).map_err(|error| {
                let finding = Diagnostic::error(format!("the rule file cannot be read: {error}"));
                finding.at(&Origin::whole(path.display().to_string())).hint("repair or remove it")
            })?;
            if !found.is_dir() {
                files.push((path, FileIdentity::of(&found)));
            }
            if files.len() > MAX_FILES {
                let finding = Diagnostic::error(format!("the directory holds more than {MAX_FILES} rule files"));
                return Err(finding.at(&place).hint("put several rules into one file"));
            }
        }
        if files.is_empty() {
            let finding = Diagnostic::error("the directory holds no rule file").at(&place);
            return Err(
                finding.hint("names of rule files end in `.json`, `.yaml` or `.yml`; a file with `[]` means no rules")
            );
        }
        files.sort();
        Ok(Self(files))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// Whether everything is still as it was: rules of two versions must not be mixed.
    pub(super) fn check(&self, directory: &Path) -> Result<(), Diagnostic> {
        if Self::of(directory)? == *self {
            return Ok(());
        }
        let finding = Diagnostic::error("the directory has changed while it was read");
        Err(finding.at(&Origin::whole(directory.display().to_string())).hint("it is read again as soon as it rests"))
    }
}

fn is_rule_file(path: &Path) -> bool {
    let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    !is_hidden && EXTENSIONS.contains(&extension)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn rule_files_are_those_of_the_directory_itself_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let problem = |found: Result<Listing, Diagnostic>| found.err().map(|problem| problem.to_string()).unwrap();
        assert!(problem(Listing::of(&at("none"))).contains("No such file"));
        fs::create_dir(at("nested.yaml")).unwrap();
        for name in [".hidden.yaml", "notes.txt", "b.yaml.minisig", "yaml", "nested.yaml/z.yaml"] {
            fs::write(at(name), "[]").unwrap();
        }
        assert!(problem(Listing::of(directory.path())).contains("no rule file"));
        for name in ["b.yaml", "a.yml", "c.json"] {
            fs::write(at(name), "[]").unwrap();
        }
        symlink("c.json", at("d.json")).unwrap();
        let listing = Listing::of(directory.path()).unwrap();
        let names: Vec<_> = listing.paths().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.yml", "b.yaml", "c.json", "d.json"]);
        assert!(listing.check(directory.path()).is_ok());
        fs::write(at("e.yaml"), "[]").unwrap();
        assert!(listing.check(directory.path()).unwrap_err().to_string().contains("has changed while it was read"));
        symlink("nowhere", at("f.yaml")).unwrap();
        assert!(problem(Listing::of(directory.path())).contains("f.yaml: error: the rule file cannot be read"));
    }

    #[test]
    fn a_directory_of_too_many_files_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..=MAX_FILES {
            fs::write(directory.path().join(format!("{number}.yaml")), "[]").unwrap();
        }
        let problem = Listing::of(directory.path()).err().unwrap().to_string();
        assert!(problem.contains("more than 1024 rule files"), "{problem}");
    }
}
