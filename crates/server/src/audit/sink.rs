//! Where records go: a file, standard output, nowhere.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use keyward_core::diagnostic::{Diagnostic, Origin};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::config::settings::audit::{AuditSettings, AuditSink};

pub(super) type Sink = Box<dyn Write + Send>;

/// A sink that is open, and a policy: what a change of settings comes to.
pub struct Prepared {
    pub(super) sink: Sink,
    pub(super) off: bool,
    pub(super) blocks: bool,
}

impl Prepared {
    /// Opens the sink; a file is opened anew also when it is the same, so that it can be moved away and
    /// begun again.
    pub fn new(settings: &AuditSettings) -> Result<Self, Diagnostic> {
        let sink: Sink = match &settings.sink {
            AuditSink::Off => Box::new(io::sink()),
            AuditSink::Stdout => Box::new(io::stdout()),
            AuditSink::File(path) => Box::new(open(path)?),
        };
        Ok(Self { sink, off: matches!(settings.sink, AuditSink::Off), blocks: settings.blocks })
    }
}

fn open(path: &Path) -> Result<LogFile, Diagnostic> {
    let refuse = |problem: String, hint| {
        Diagnostic::error(format!("`audit.path`: {problem}")).at(&Origin::whole(path.display().to_string())).hint(hint)
    };
    // To open a pipe that nobody reads takes until somebody does, unless that is asked not to be waited for. Kept for as
    // long as the other one is opened: a reader must not find that nobody writes.
    let is_pipe = std::fs::metadata(path).is_ok_and(|of| of.file_type().is_fifo());
    let tried = is_pipe.then(|| rustix::fs::open(path, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()));
    if let Some(Err(Errno::NXIO)) = tried {
        return Err(refuse("nobody reads the pipe".to_owned(), "start what reads it first"));
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| {
        refuse(format!("the file cannot be opened: {error}"), "make its directory, and let this user write there")
    })?;
    let is_file = file.metadata().is_ok_and(|of| of.is_file());
    // Where it may not be read, its end is taken for that of a line.
    let before = is_file.then(|| File::open(path).ok()).flatten();
    Ok(LogFile { before, file })
}

/// A file whose records begin on a line of their own, wherever the process that wrote there before was killed.
struct LogFile {
    /// To look at what is there before the first write.
    before: Option<File>,
    file: File,
}

impl LogFile {
    fn is_torn(before: &File) -> io::Result<bool> {
        let mut last = [b'\n'];
        if let Some(place) = before.metadata()?.len().checked_sub(1) {
            before.read_exact_at(&mut last, place)?;
        }
        Ok(last != [b'\n'])
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Now, not when it was opened: another sink may have been writing there until now.
        if let Some(before) = &self.before {
            if Self::is_torn(before).unwrap_or_default() && self.file.write(b"\n")? == 0 {
                return Ok(0);
            }
            self.before = None;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
