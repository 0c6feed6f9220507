//! What an operator is told about a bad file, option or rule: what is wrong, where, and what to do.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Where a value was written: a file position, or a named source such as an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// File path, or a description such as ``environment variable `X` ``.
    pub source: Arc<str>,
    /// 1-based line; 0 when the source has no lines.
    pub line: u32,
    /// 1-based column in characters; 0 when the source has no lines.
    pub column: u32,
}

impl Origin {
    /// A source without positions, such as an environment variable or a built-in default.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}", self.source)
        } else {
            write!(f, "{}:{}:{}", self.source, self.line, self.column)
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Works, but probably not as meant.
    Warning,
    /// Does not work: the configuration is refused, or the rule denies.
    Error,
}

/// One finding. Messages are lower case, without a full stop, literals in backticks, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where it is written, when known.
    pub origin: Option<Origin>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What a caller may read of it when errors are verbose: what the reference says, never what is written.
    pub caller_text: Option<Cow<'static, str>>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), origin: None, hint: None, caller_text: None }
    }

    /// A warning without a place yet.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Adds the place, unless a more precise one is already known.
    pub fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// Adds what a caller may read of it, unless that is known already.
    pub fn told(mut self, caller_text: impl Into<Cow<'static, str>>) -> Self {
        self.caller_text.get_or_insert_with(|| caller_text.into());
        self
    }

    /// Adds the remedy.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
