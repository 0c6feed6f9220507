//! Reads a text file whole, but never more than it may be: configuration and rules.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use keyward_core::diagnostic::{Diagnostic, Origin};
use memmap2::MmapMut;

use super::yaml::MAX_BYTES;

/// Hands the text of a file to `parse`. `what` names the file in messages. The memory that the text takes goes
/// back to the system when `parse` is done; the allocator would keep it.
pub fn read<T>(path: &Path, what: &str, parse: impl FnOnce(&str) -> Result<T, Diagnostic>) -> Result<T, Diagnostic> {
    let place = Origin::whole(path.display().to_string());
    let refuse = |problem: String| Diagnostic::error(format!("{what} cannot be read: {problem}")).at(&place);
    let failed = |error: std::io::Error| refuse(error.to_string()).hint("check the path and its permissions");
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(refuse("it is a directory".to_owned()).hint("name a file"));
    }
    // Pipes may block for ever, and devices may never end.
    if !metadata.is_file() {
        return Err(
            refuse("it is not a regular file".to_owned()).hint("write what it gives into a file, and name that")
        );
    }
    // What is not written to takes no memory.
    let mut memory = MmapMut::map_anon(MAX_BYTES + 1).map_err(failed)?;
    let room = memory.len() as u64;
    let mut filled = Cursor::new(&mut memory[..]);
    let file = File::open(path).map_err(failed)?;
    let begun = file.metadata().and_then(|found| Ok((found.len(), found.modified()?))).map_err(failed)?;
    std::io::copy(&mut (&file).take(room), &mut filled).map_err(failed)?;
    let ended = file.metadata().and_then(|found| Ok((found.len(), found.modified()?))).map_err(failed)?;
    let length = usize::try_from(filled.position()).unwrap_or(usize::MAX);
    if length > MAX_BYTES {
        return Err(refuse("it is larger than 16 MiB".to_owned()));
    }
    // Half of a list can be a list.
    if begun != ended {
        return Err(refuse("it is being written".to_owned()).hint("write another file, and rename it"));
    }
    let bytes = &memory[..length];
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let (line, column) = (good.matches('\n').count(), good.rsplit('\n').next().unwrap_or_default().chars().count());
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        let origin = Origin { line: number(line), column: number(column), ..place.clone() };
        Diagnostic::error(format!("{what} cannot be read: it is not UTF-8")).at(&origin).hint("save it as UTF-8")
    })?;
    parse(text)
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
            while !text(&path).is_err_and(|problem| problem.to_string().contains("it is being written")) {}
            is_seen.store(true, Ordering::Relaxed);
        });
    }
}
