//! Reads a text file whole, but never more than it may be: configuration and rules.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::Utf8Error;

use keyward_core::diagnostic::{Diagnostic, Origin};

use super::yaml::MAX_BYTES;

/// How much is read at a time, in bytes.
const PART: usize = 64 * 1024;

/// Hands the text of a file to `parse`. `what` names the file in messages.
pub fn read<T>(path: &Path, what: &str, parse: impl FnOnce(&str) -> Result<T, Diagnostic>) -> Result<T, Diagnostic> {
    parse(&read_whole(path, what, &|| {})?)
}

/// The text of a file, for who keeps it. `step` is called again and again meanwhile.
pub fn read_whole(path: &Path, what: &str, step: &dyn Fn()) -> Result<Box<str>, Diagnostic> {
    let named = Named { path, what };
    let (file, length) = named.open()?;
    let room = usize::try_from(length).map_or(0, |length| length.min(MAX_BYTES));
    let bytes = named.bytes(&file, room, step)?;
    let text = String::from_utf8(bytes).map_err(|error| named.not_text(error.as_bytes(), error.utf8_error()))?;
    Ok(text.into())
}

/// A file, and what messages call it.
struct Named<'a> {
    path: &'a Path,
    what: &'a str,
}

impl Named<'_> {
    /// The file with its length.
    fn open(&self) -> Result<(File, u64), Diagnostic> {
        let metadata = std::fs::metadata(self.path).map_err(|error| self.failed(&error))?;
        if metadata.is_dir() {
            return Err(self.refuse("it is a directory").hint("name a file"));
        }
        // Pipes may block for ever, and devices may never end.
        if !metadata.is_file() {
            let finding = self.refuse("it is not a regular file");
            return Err(finding.hint("write what it gives into a file, and name that"));
        }
        Ok((File::open(self.path).map_err(|error| self.failed(&error))?, metadata.len()))
    }

    /// What the file holds, read into memory with so much room at first.
    fn bytes(&self, file: &File, room: usize, step: &dyn Fn()) -> Result<Vec<u8>, Diagnostic> {
        let state = || file.metadata().and_then(|found| Ok((found.len(), found.modified()?)));
        let begun = state().map_err(|error| self.failed(&error))?;
        let mut bytes = Vec::with_capacity(room);
        loop {
            let left = (MAX_BYTES + 1 - bytes.len()).min(PART);
            let read = file.take(left as u64).read_to_end(&mut bytes).map_err(|error| self.failed(&error))?;
            if read < left || bytes.len() > MAX_BYTES {
                break;
            }
            step();
        }
        let ended = state().map_err(|error| self.failed(&error))?;
        if bytes.len() > MAX_BYTES {
            return Err(self.refuse("it is larger than 16 MiB"));
        }
        // Half of a list can be a list.
        if begun != ended {
            return Err(self.refuse("it is being written").hint("write another file, and rename it"));
        }
        Ok(bytes)
    }

    fn place(&self) -> Origin {
        Origin::whole(self.path.display().to_string())
    }

    fn refuse(&self, problem: &str) -> Diagnostic {
        Diagnostic::error(format!("{} cannot be read: {problem}", self.what)).at(&self.place())
    }

    fn failed(&self, error: &std::io::Error) -> Diagnostic {
        self.refuse(&error.to_string()).hint("check the path and its permissions")
    }

    fn not_text(&self, bytes: &[u8], error: Utf8Error) -> Diagnostic {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let (line, column) = (good.matches('\n').count(), good.rsplit('\n').next().unwrap_or_default().chars().count());
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        let origin = Origin { line: number(line), column: number(column), ..self.place() };
        let finding = Diagnostic::error(format!("{} cannot be read: it is not UTF-8", self.what)).at(&origin);
        finding.hint("save it as UTF-8")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(path: &Path) -> Result<String, Diagnostic> {
        read(path, "it", |text| Ok(text.to_owned()))
    }

    #[test]
    fn what_is_no_text_file_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.yaml");
        std::os::unix::fs::symlink("/dev/zero", directory.path().join("zero")).unwrap();
        let long = vec![b'#'; MAX_BYTES + 1];
        let rows: [(&[u8], &str); 3] = [
            (b"a: 1\nb: \"\xff\"\n", "f.yaml:2:5: error: it cannot be read: it is not UTF-8"),
            (b"\xc3\xa9\xff", "f.yaml:1:2: error"),
            (&long, "f.yaml: error: it cannot be read: it is larger than 16 MiB"),
        ];
        for (bytes, expected) in rows {
            std::fs::write(&path, bytes).unwrap();
            let problem = text(&path).unwrap_err().to_string();
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
        for (name, expected) in [("zero", "not a regular file"), ("", "it is a directory"), ("none", "No such file")] {
            let problem = text(&directory.path().join(name)).unwrap_err().to_string();
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
        std::fs::write(&path, "a: 1\n").unwrap();
        assert_eq!(text(&path).unwrap(), "a: 1\n");
    }

    #[test]
    fn a_file_that_is_being_written_is_refused() {
        use std::io::Write;
        use std::sync::atomic::{AtomicBool, Ordering};

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.yaml");
        std::fs::write(&path, "#".repeat(1_000_000)).unwrap();
        let is_seen = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_seen.load(Ordering::Relaxed) {
                    let mut file = File::create(&path).unwrap();
                    (0..1000).for_each(|_| file.write_all(&[b'#'; 1000]).unwrap());
                }
            });
            let refused = |problem: Diagnostic| problem.to_string().contains("it is being written");
            while !read(&path, "it", |_| Ok(())).is_err_and(refused) {}
            while !read_whole(&path, "it", &|| {}).is_err_and(refused) {}
            is_seen.store(true, Ordering::Relaxed);
        });
    }
}
