//! Reads a signing key's file: whole, but never more than a key can be.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// The largest file that is read: a key set with several RSA keys takes a few KiB.
const MAX_BYTES: u64 = 1024 * 1024;

/// The document, wiped when dropped. The error says what is wrong with the file, without its path.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    // Pipes may block for ever, and devices may never end.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    // Room for everything from the start: a buffer that grows would leave parts of the key behind.
    let mut document = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut document));
    read.map_err(|error| error.to_string())?;
    if document.len() as u64 > MAX_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_key_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("long");
        std::fs::write(&long, vec![b'x'; MAX_BYTES as usize + 1]).unwrap();
        let rows = [
            (Path::new("/dev/zero"), "not a regular file"),
            (directory.path(), "not a regular file"),
            (Path::new("/nonexistent"), "No such file"),
            (&*long, "larger than 1 MiB"),
        ];
        for (path, expected) in rows {
            assert!(read(path).unwrap_err().contains(expected), "{path:?}");
        }
        std::fs::write(&long, "key").unwrap();
        assert_eq!(**read(&long).unwrap(), *b"key");
    }
}
