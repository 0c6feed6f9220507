//! The audit log: where records go, and what happens when they cannot.

use std::path::PathBuf;

use super::Check;
use crate::config::file::{Audit, AuditPolicyName, AuditSinkName};

/// The audit log.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Where records go.
    pub sink: AuditSink,
    /// Refuse requests when records cannot be written, rather than lose records.
    pub blocks: bool,
}

/// Where audit records go.
#[derive(Clone, Debug)]
pub enum AuditSink {
    /// Append to a file.
    File(PathBuf),
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
}

impl Check<'_> {
    pub(super) fn audit(&mut self, file: Audit) -> AuditSettings {
        let sink = match file.sink {
            Some(AuditSinkName::Off) => AuditSink::Off,
            Some(AuditSinkName::File) => match file.path {
                Some(path) if !path.is_empty() => AuditSink::File(path.into()),
                _ => {
                    self.refuse("audit", "the file sink needs `path`");
                    AuditSink::Off
                }
            },
            Some(AuditSinkName::Stdout) | None => AuditSink::Stdout,
        };
        AuditSettings { sink, blocks: file.policy != Some(AuditPolicyName::Drop) }
    }
}
