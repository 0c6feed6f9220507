//! `file://`: one local file.

use std::path::{Path, PathBuf};

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the repository names no file".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn read(path: &Path) -> std::io::Result<String> {
    let limit = crate::config::yaml::MAX_BYTES as u64;
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(std::io::Error::other("it is a directory; directories of rules are not supported yet"));
    }
    if metadata.len() > limit {
        return Err(std::io::Error::other("it is larger than 16 MiB"));
    }
    std::fs::read_to_string(path)
}
