//! Where records go: a file, standard output, a collector, nowhere.

use std::io::{self, Stdout, Write};

use keyward_core::diagnostic::Diagnostic;

use super::collector::Collector;
use super::file::LogFile;
use crate::config::settings::audit::{AuditSettings, AuditSink};
use crate::upstream::outbound::Outbound;

/// What takes lines. How many bytes of what it is given it took says where to go on; what it fails to take it is given again.
pub(super) trait Sink: Write + Send {
    /// Does what is due though nothing is written; called about once a second. Whether it would take something, where it
    /// can say so.
    fn tend(&mut self) -> Option<io::Result<()>> {
        None
    }
}

impl Sink for io::Sink {}
impl Sink for Stdout {}

/// A sink that is open, and a policy: what a change of settings comes to.
pub struct Prepared {
    pub(super) sink: Box<dyn Sink>,
    pub(super) off: bool,
    pub(super) blocks: bool,
}

impl Prepared {
    /// Opens the sink; a file is opened anew also when it is the same, so that it can be moved away and
    /// begun again. A collector is connected to later, by who writes.
    pub fn new(settings: &AuditSettings, outbound: &Outbound) -> Result<Self, Diagnostic> {
        let sink: Box<dyn Sink> = match &settings.sink {
            AuditSink::Off => Box::new(io::sink()),
            AuditSink::Stdout => Box::new(io::stdout()),
            AuditSink::File(path, rotation) => Box::new(LogFile::open(path, rotation.as_ref())?),
            AuditSink::Collector(collector) => Box::new(Collector::new(collector, outbound.connector())),
        };
        Ok(Self { sink, off: matches!(settings.sink, AuditSink::Off), blocks: settings.blocks })
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::config::settings::proxy::UpstreamSettings;
    use crate::upstream::addresses::AddressPolicy;
    use crate::upstream::tls::install_provider;

    /// Settings for a file.
    pub(in crate::audit) fn file(path: &Path, blocks: bool) -> AuditSettings {
        AuditSettings { sink: AuditSink::File(path.to_owned(), None), blocks }
    }

    /// A way out, as it is where nothing is configured.
    pub(in crate::audit) fn outbound() -> Arc<Outbound> {
        install_provider();
        let limit = Duration::from_secs(3);
        let settings = UpstreamSettings {
            ca_files: Vec::new(),
            resolve: Vec::new(),
            addresses: AddressPolicy::default(),
            connect_timeout: limit,
            idle_timeout: limit,
            response_header_timeout: limit,
            stream_idle_timeout: limit,
        };
        Outbound::new(&settings).unwrap()
    }
}
