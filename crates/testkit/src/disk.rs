//! A small disk that a test can fill, where it may mount one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own, in memory, unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one at a directory that is made for it, with options of tmpfs such as `size=8m`. `None`, and a word about it, where that
    /// is not possible.
    pub fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "keyward"]).arg(at).output();
        let is_there = mount.is_ok_and(|mount| mount.status.success());
        if !is_there {
            eprintln!("SKIPPED: no file system can be mounted here");
        }
        is_there.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still have a file open there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
