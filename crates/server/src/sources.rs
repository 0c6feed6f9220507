//! How the sources of what is served are doing: repositories, key sets, secrets. Readiness asks all of them.

use std::time::Duration;

/// One source as it is shown to operators. Nothing in it is a credential: names of locations have passed
/// [`shown_url`](keyward_core::secret::shown_url), problems name causes and never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// What comes from there: `rules`, `key_set`, `secret`.
    pub kind: &'static str,
    /// The location or name that the configuration gives it.
    pub name: String,
    /// Whether there is anything, and how good it is.
    pub state: SourceState,
    /// How long ago the source last confirmed what is in force. Absent when nothing is.
    pub age: Option<Duration>,
    /// What is wrong with it, for the operator: why the last attempt failed, as a rule. Absent when nothing is.
    pub problem: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// What there is of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// In force, and the source answered well when it was last asked.
    Fresh,
    /// In force, but the source fails, or what is in force is a copy from disk.
    Stale,
    /// Nothing was ever delivered, or what was has become too old to be used.
    Missing,
}

impl SourceState {
    /// As it is written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }
}

/// Tells how the sources of one kind are doing at the moment. Must not block: it is asked for each probe.
pub type SourceReports = Box<dyn Fn() -> Vec<SourceReport>>;
