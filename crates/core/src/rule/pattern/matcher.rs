//! Runs what the strategies compile to, within bounds of memory and steps.

use super::{MatchError, PatternError};

/// The engine's groups behind each capture group, in the order in which they end. Globs have none.
pub(super) type Groups = Vec<Vec<usize>>;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Matcher {
    /// No variable part: the prefix is everything.
    Literal,
    /// `prefix<**>suffix`: starts and ends with them. They may overlap, as in the reference.
    Around { suffix: String },
    /// An automaton: linear time.
    Linear { regex: regex::Regex, groups: Groups },
    /// Lookaround, references and their like: under a step limit.
    Backtracking { regex: Box<fancy_regex::Regex>, groups: Groups },
}

/// Steps a backtracking pattern may take on one subject.
const BACKTRACK_LIMIT: usize = 10_000;
/// Memory one compiled automaton may take, in bytes.
const SIZE_LIMIT: usize = 256 << 10;
/// Memory its states may take while it runs, in bytes for each thread.
const STATES_LIMIT: usize = 64 << 10;
/// Instructions of a backtracking pattern.
const PROGRAM_LIMIT: usize = 4096;

/// A matcher that runs in linear time.
pub(super) fn linear(text: &str, groups: Groups) -> Result<Matcher, PatternError> {
    regex::RegexBuilder::new(text)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(STATES_LIMIT)
        .build()
        .map(|regex| Matcher::Linear { regex, groups })
        .map_err(|error| PatternError(last_line(&error.to_string())))
}

/// A matcher that backtracks.
pub(super) fn backtracking(text: &str, groups: Groups) -> Result<Matcher, PatternError> {
    fancy_regex::RegexBuilder::new(text)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .delegate_dfa_size_limit(STATES_LIMIT)
        .delegate_dfa_skip_cache_capacity_check(false)
        .max_prog_size(PROGRAM_LIMIT)
        .build()
        .map(|regex| Matcher::Backtracking { regex: Box::new(regex), groups })
        .map_err(|error| PatternError(last_line(&error.to_string())))
}

impl Matcher {
    /// The text of each capture group.
    pub(super) fn captures(&self, subject: &str) -> Result<Vec<String>, MatchError> {
        match self {
            Self::Linear { regex, groups } if !groups.is_empty() => {
                let found = regex.captures(subject);
                Ok(found.map_or_else(Vec::new, |found| {
                    texts(groups, |group| found.get(group).map(|found| (found.end(), found.as_str())))
                }))
            }
            Self::Backtracking { regex, groups } => {
                let found = regex.captures(subject).map_err(|_| MatchError)?;
                Ok(found.map_or_else(Vec::new, |found| {
                    texts(groups, |group| found.get(group).map(|found| (found.end(), found.as_str())))
                }))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Of several groups that share a number the one that captured last counts; one that did not capture
/// is empty.
fn texts<'s>(groups: &Groups, found: impl Fn(usize) -> Option<(usize, &'s str)>) -> Vec<String> {
    groups
        .iter()
        .map(|shared| {
            let last = shared.iter().filter_map(|group| found(*group)).max_by_key(|(end, _)| *end);
            last.map_or("", |(_, text)| text).to_owned()
        })
        .collect()
}

/// Engines explain errors over several lines; the last one says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
