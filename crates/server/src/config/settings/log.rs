//! The diagnostics log: how much of it, and in which form.

use super::Check;
use crate::config::file::{Log, LogFormat, LogLevel};

/// The diagnostics log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// A filter directive.
    pub level: &'static str,
    /// What a line looks like.
    pub format: LogFormat,
}

impl Check<'_> {
    pub(super) fn log(&mut self, file: &Log) -> LogSettings {
        if file.leak_sensitive_values == Some(true) {
            self.warn("log.leak_sensitive_values", "has no effect");
        }
        let level = match file.level {
            Some(LogLevel::Panic | LogLevel::Fatal | LogLevel::Error) => "error",
            Some(LogLevel::Warn) => "warn",
            Some(LogLevel::Debug) => "debug",
            Some(LogLevel::Trace) => "trace",
            Some(LogLevel::Info) | None => "info",
        };
        LogSettings { level, format: file.format.unwrap_or(LogFormat::Text) }
    }
}
