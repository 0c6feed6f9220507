//! Whether a file is still the one that it was.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Differs when a file is replaced, written to, or given other permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileIdentity {
    device: u64,
    number: u64,
    bytes: u64,
    /// The time of the last change in seconds, which nobody can set, and the nanoseconds beyond.
    changed: (i64, i64),
}

impl FileIdentity {
    /// Of the file that was found, which should be the one at the end of all links.
    pub(crate) fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            number: found.ino(),
            bytes: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}
