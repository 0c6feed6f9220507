//! Where records go: a file, standard output, nowhere.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use keyward_core::diagnostic::{Diagnostic, Origin};

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
            AuditSink::File(path) => {
                let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
                Box::new(file.map_err(|error| {
                    Diagnostic::error(format!("`audit.path`: the file cannot be opened: {error}"))
                        .at(&Origin::whole(path.display().to_string()))
                        .hint("make its directory, and let this user write there")
                })?)
            }
        };
        Ok(Self { sink, off: matches!(settings.sink, AuditSink::Off), blocks: settings.blocks })
    }
}
