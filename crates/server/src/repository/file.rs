//! `file://`: one local file.

use std::path::PathBuf;

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the repository names no file".to_owned()) } else { Ok(PathBuf::from(text)) }
}
