//! Reads a file that holds a secret.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use keyward_core::secret::Secret;
use zeroize::Zeroizing;

use super::backend::{Failure, Fetched, Value};

/// The largest file that is taken for a secret.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

/// The text of a file; its version is when it was last written. One trailing line feed is an editor's, not the
/// secret's.
pub(super) fn read(path: &Path) -> Fetched {
    let failed = |error: std::io::Error| {
        Failure::new(format!("`{}`: {error}", path.display()))
            .remedy("check the path, and that Keyward's user may read the file")
    };
    let refuse = |problem: &str| Failure::new(format!("`{}` {problem}", path.display()));
    // Pipes may block for ever, and devices may never end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(refuse("is not a regular file"));
    }
    let file = File::open(path).map_err(failed)?;
    let modified = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse("is larger than 1 MiB, which no secret is"));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| refuse("is not UTF-8").remedy("encode it, such as in base64"))?;
    let value = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Value { secret: Secret::new(value), version: written_at(modified) })
}

/// In UTC. Never derived from what is written.
fn written_at(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "unknown".to_owned(), |time| time.to_string())
}
