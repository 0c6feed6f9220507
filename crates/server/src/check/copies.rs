//! Whether copies of rules can be kept where the configuration wants them. Nothing is made or written for that.

use std::fs::{metadata, symlink_metadata};
use std::io::{Error, ErrorKind};
use std::path::Path;

use keyward_core::diagnostic::{Diagnostic, Origin};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::repository::cache::CacheDirectory;

/// What serving would refuse, or what it would say of each copy.
pub(super) fn problem(directory: &Path) -> Option<Diagnostic> {
    if let Err(refused) = CacheDirectory::judge(directory) {
        return Some(refused);
    }
    let error = writable(directory).err()?;
    let finding =
        Diagnostic::warning(format!("`access_rules.cache_dir`: no copy of rules can be written there: {error}"));
    let finding = finding.at(&Origin::whole(directory.display().to_string()));
    Some(finding.hint("check the path and its permissions, for the user that serves; serving goes on without copies"))
}

/// Whether this process could write into a directory, or make it.
fn writable(directory: &Path) -> Result<(), Error> {
    let is_absent = |path: &Path| symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let named = directory.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(there) = named.into_iter().find(|path| !is_absent(path)) else { return Ok(()) };
    if !metadata(there)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    Ok(accessat(CWD, there, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}
