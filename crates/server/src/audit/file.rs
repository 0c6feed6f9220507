//! A file of audit records, or something that stands in for one, such as a pipe.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use keyward_core::diagnostic::{Diagnostic, Origin};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::rotation::{Rotator, append, leads_to};
use super::sink::Sink;
use crate::config::settings::audit::Rotation;

/// A file whose records begin on a line of their own, wherever the process that wrote there before was killed.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    rotator: Option<Rotator>,
    /// Nothing was written yet to what is a file, and to nothing else: another sink may be writing there until then.
    is_fresh: bool,
    /// The last line is not whole.
    is_within_line: bool,
}

impl LogFile {
    pub(super) fn open(path: &Path, rotation: Option<&Rotation>) -> Result<Self, Diagnostic> {
        let refuse = |key, problem: String, hint| {
            Diagnostic::error(format!("`audit.{key}`: {problem}"))
                .at(&Origin::whole(path.display().to_string()))
                .hint(hint)
        };
        // To open a pipe that nobody reads takes until somebody does, unless that is asked not to be waited for. Kept for as
        // long as the other one is opened: a reader must not find that nobody writes.
        let is_pipe = std::fs::metadata(path).is_ok_and(|of| of.file_type().is_fifo());
        let tried = is_pipe.then(|| rustix::fs::open(path, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()));
        if let Some(Err(Errno::NXIO)) = tried {
            return Err(refuse("path", "nobody reads the pipe".to_owned(), "start what reads it first"));
        }
        let file = append(path).map_err(|error| {
            let hint = "make its directory, and let this user write there";
            refuse("path", format!("the file cannot be opened: {error}"), hint)
        })?;
        let is_file = file.metadata().is_ok_and(|of| of.is_file());
        if rotation.is_some() && !is_file {
            let hint = "remove `rotate`, or name another file";
            return Err(refuse("rotate", "only a file can be rotated".to_owned(), hint));
        }
        let rotator = rotation.cloned().map(Rotator::new);
        Ok(Self { path: path.to_owned(), file, rotator, is_fresh: is_file, is_within_line: false })
    }

    /// Looks at what is there before the first write: now, not when it was opened.
    fn begin(&mut self) -> io::Result<()> {
        // The sink before this one has rotated it.
        if !leads_to(&self.path, &self.file).unwrap_or(true)
            && let Ok(begun) = append(&self.path)
        {
            self.file = begun;
        }
        if is_torn(&self.path).unwrap_or_default() && self.file.write(b"\n")? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if let Some(rotator) = &mut self.rotator {
            rotator.begin(&self.file);
        }
        self.is_fresh = false;
        Ok(())
    }
}

/// Where it may not be read, its end is taken for that of a line.
fn is_torn(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let mut last = [b'\n'];
    if let Some(place) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, place)?;
    }
    Ok(last != [b'\n'])
}

impl Write for LogFile {
    /// Writes as many lines as one file has room for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_fresh {
            self.begin()?;
        }
        let room = match &mut self.rotator {
            // A line ends in the file where it begins.
            Some(_) if self.is_within_line => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1),
            Some(rotator) => rotator.room(&self.path, &mut self.file, bytes, SystemTime::now()),
            None => bytes.len(),
        };
        let count = self.file.write(&bytes[..room])?;
        if let Some(last) = count.checked_sub(1) {
            self.is_within_line = bytes[last] != b'\n';
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for LogFile {
    fn tend(&mut self) -> Option<io::Result<()>> {
        if self.rotator.is_some() && self.is_fresh {
            // What is wrong is told when there is something to write.
            self.begin().ok()?;
        }
        if let Some(rotator) = self.rotator.as_mut().filter(|_| !self.is_within_line) {
            rotator.tend(&self.path, &mut self.file, SystemTime::now());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_the_sink_before_has_rotated_is_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let rotation = Rotation { max_bytes: Some(1), every: None, keep: None };
        let mut before = LogFile::open(&path, Some(&rotation)).unwrap();
        let mut after = LogFile::open(&path, None).unwrap();
        before.write_all(b"a\n").unwrap();
        before.write_all(b"b\n").unwrap();
        after.write_all(b"c\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\nc\n");
    }
}
