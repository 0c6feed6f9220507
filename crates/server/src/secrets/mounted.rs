//! One look at a mounted directory whose files all change at once: Kubernetes makes a new directory, renames the link
//! `..data` to lead there, and removes the old one. Files read one after the other could come from both.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use keyward_core::secret::Secret;

/// The link that all files are reached through.
const LINK: &str = "..data";
/// Far more files than a secret has.
const MAX_FILES: usize = 1024;
/// A look that a change meets is taken again. Changes are seconds apart, looks take a millisecond.
const LOOKS: usize = 100;

/// The files of one version.
#[derive(Clone, Debug, Default)]
pub(super) struct Mounted {
    values: HashMap<OsString, Option<Secret>>,
}

impl Mounted {
    /// Reads all of them with `read`; nothing when the directory is not mounted so.
    pub(super) fn look(directory: &Path, read: impl Fn(&Path) -> Option<Secret>) -> Self {
        let look = |version: Option<&Path>| version.map(|version| files(&directory.join(version), &read));
        let values = at_one_moment(directory, look).flatten();
        values.map(|values| Self { values }).unwrap_or_default()
    }

    /// What `directory/name` holds, if it leads into the version that was looked at: nothing inside when that
    /// cannot be used.
    pub(super) fn get(&self, directory: &Path, name: &str) -> Option<Option<&Secret>> {
        let value = self.values.get(name.as_ref() as &std::ffi::OsStr)?;
        let leads_there = fs::read_link(directory.join(name)).is_ok_and(|target| target == Path::new(LINK).join(name));
        leads_there.then_some(value.as_ref())
    }
}

/// What `read` makes of a directory while its link, given if there is one, leads to the same place all the time:
/// what it led to was not being removed. Nothing when it never stays.
pub(super) fn at_one_moment<T>(directory: &Path, read: impl Fn(Option<&Path>) -> T) -> Option<T> {
    let link = directory.join(LINK);
    let version = || fs::read_link(&link).ok();
    (0..LOOKS).find_map(|_| {
        let before = version();
        let found = read(before.as_deref());
        (version() == before).then_some(found)
    })
}

/// A directory that goes away meanwhile has fewer files, which the caller finds out.
fn files(directory: &Path, read: impl Fn(&Path) -> Option<Secret>) -> HashMap<OsString, Option<Secret>> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_FILES);
    entries.map(|entry| (entry.file_name(), read(&entry.path()))).collect()
}
