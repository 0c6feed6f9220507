//! Standard error, which is given no value of a secret.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::redaction;

/// Where events are written.
pub(super) struct Redacted;

impl MakeWriter<'_> for Redacted {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for Redacted {
    /// The layer above hands each event over as a whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let known = redaction::known();
        // Of all formats that are JSON, and of no other.
        let shown = if event.starts_with(b"{") { known.json(event) } else { known.bytes(event) };
        io::stderr().write_all(&shown)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
